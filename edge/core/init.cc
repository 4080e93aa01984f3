// First-time set-up of a node.
#include "edge/core/init.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "edge/base/log.h"
#include "edge/crypto/secret_file.h"
#include "edge/tls/dev_certificate.h"

namespace nodex::core {
namespace {

constexpr unsigned certificate_days = 30;

Error failed(const std::string& path, const char* what) {
    log::error("init_failed", {{"path", path}, {"step", what}, {"errno", errno}});
    return {ErrorCode::io_failure, ErrorSource::kernel, false, errno};
}

Status make_private_folder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return failed(path, "create folder");
    if (::chmod(path.c_str(), 0700) != 0) return failed(path, "chmod 0700");
    return {};
}

// Created, never overwritten.
Status write_new_file(const std::string& path, Bytes content, mode_t mode) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return failed(path, "create file");
    const bool written =
        ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) &&
        ::fsync(fd) == 0;
    ::close(fd);
    if (!written) return failed(path, "write file");
    return {};
}

Status make_certificate(const tls::CertificateFiles& files) {
    const bool chain = ::access(files.chain_path.c_str(), F_OK) == 0;
    const bool key = ::access(files.key_path.c_str(), F_OK) == 0;
    if (chain && key) return {};
    if (chain || key) {
        log::error("init_failed", {{"path", chain ? files.key_path : files.chain_path},
                                   {"advice",
                                    "one half of the certificate exists without the other: move it "
                                    "away or restore the other"}});
        return Error{ErrorCode::bad_configuration, ErrorSource::configuration};
    }
    auto made = tls::make_dev_certificate({"localhost"}, {"127.0.0.1", "::1"}, certificate_days);
    if (!made) return made.error();
    const auto folder = std::filesystem::path(files.chain_path).parent_path();
    if (Status status = make_private_folder(folder.string()); !status) return status;
    if (Status status = write_new_file(files.key_path, made->key_pem, 0600); !status) return status;
    if (Status status = write_new_file(files.chain_path, made->chain_pem, 0644); !status)
        return status;
    const std::string ca_path = (folder / "ca.pem").string();
    ::unlink(ca_path.c_str());
    if (Status status = write_new_file(ca_path, made->ca_pem, 0644); !status) return status;
    log::info("development_certificate_made",
              {{"chain", files.chain_path}, {"ca", ca_path}, {"days", certificate_days}});
    return {};
}

}  // namespace

Status initialise(const Config& config) {
    if (Status status = make_private_folder(config.data_dir); !status) return status;
    if (Status status = make_private_folder(config.secrets_dir); !status) return status;
    for (const char* name : {node_key_file, key_hash_file, idempotency_file, root_key_file})
        if (auto secret = crypto::read_or_create_secret_file(config.secrets_dir + "/" + name,
                                                             crypto::secure_random());
            !secret)
            return secret.error();
    for (const tls::CertificateFiles& files : config.certificates)
        if (Status status = make_certificate(files); !status) return status;
    return {};
}

Result<Secrets> read_secrets(const Config& config) {
    auto key_hash = crypto::read_secret_file(config.secrets_dir + "/" + key_hash_file);
    if (!key_hash) return key_hash.error();
    auto idempotency = crypto::read_secret_file(config.secrets_dir + "/" + idempotency_file);
    if (!idempotency) return idempotency.error();
    Secrets secrets{*key_hash, *idempotency, {}};
    const std::string root_path = config.secrets_dir + "/" + root_key_file;
    if (::access(root_path.c_str(), F_OK) != 0) return secrets;
    auto root = crypto::read_secret_file(root_path);
    if (!root) return root.error();
    secrets.root = *root;
    return secrets;
}

}  // namespace nodex::core
