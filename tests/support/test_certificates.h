// Certificates for tests, made when the test runs: an authority, leaves of it, and the files they live in.
// Header only, so that every test program may use it without another library.
#pragma once
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "edge/base/clock.h"
#include "edge/tls/dev_certificate.h"
#include "edge/tls/tls_context.h"

namespace nodex::test {

// A folder that lives as long as the test, with files of a given mode.
class TemporaryFolder {
  public:
    TemporaryFolder() {
        std::string pattern = (std::filesystem::temp_directory_path() / "nodex-test-XXXXXX").string();
        const char* made = ::mkdtemp(pattern.data());
        NX_ASSERT(made != nullptr);
        path_ = made;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
        const std::string path = file(name);
        const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        NX_ASSERT(fd >= 0);
        const ssize_t written = ::write(fd, text.data(), text.size());
        NX_ASSERT(written == static_cast<ssize_t>(text.size()));
        const int changed = ::fchmod(fd, mode);
        NX_ASSERT(changed == 0);
        ::close(fd);
        return path;
    }

  private:
    std::string path_;
};

// One authority and the certificates it has given out, all on disk.
class TestAuthority {
  public:
    explicit TestAuthority(const std::string& name = "test CA")
        : authority_(name, now_s() - 10 * day_s, now_s() + 10 * day_s) {}

    [[nodiscard]] std::string ca_file() const { return folder_.write("ca.pem", authority_.ca_pem(), 0644); }
    // Valid from `from_days` to `until_days`, counted from now.
    tls::CertificateFiles issue(const std::vector<std::string>& names,
                                const std::vector<std::string>& ips = {}, int from_days = -1,
                                int until_days = 1) {
        Result<tls::DevAuthority::Leaf> leaf =
            authority_.issue({names, ips, now_s() + from_days * day_s, now_s() + until_days * day_s});
        NX_ASSERT(leaf.has_value());
        const std::string stem = "leaf" + std::to_string(issued_++);
        return {folder_.write(stem + ".pem", leaf->chain_pem, 0644),
                folder_.write(stem + ".key", leaf->key_pem)};
    }
    [[nodiscard]] const TemporaryFolder& folder() const noexcept { return folder_; }

  private:
    static constexpr std::int64_t day_s = 86'400;
    static std::int64_t now_s() { return system_clock().wall_ms() / 1000; }

    tls::DevAuthority authority_;
    TemporaryFolder folder_;
    int issued_ = 0;
};

}  // namespace nodex::test
