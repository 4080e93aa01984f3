// Rotation of the node key.
#include "edge/core/rotate.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "edge/base/log.h"
#include "edge/core/init.h"
#include "edge/crypto/secret_file.h"
#include "storage/kek_rows.h"
#include "storage/rocks_store.h"

namespace nodex::core {
namespace {

std::string secret_path(const Config& config, const char* name) {
    return config.secrets_dir + "/" + name;
}

// The store is opened before the new key is made: a node that is running keeps it locked, and then nothing
// has been begun.
Result<storage::RewrapCount> rewrap(const Config& config) {
    storage::RocksOptions options;
    options.path = config.data_dir + "/db";
    options.free_bytes_min = 0;  // a few rows, and none is larger than before
    auto store = storage::RocksStore::open(options);
    if (!store) return store.error();
    auto from = crypto::read_secret_file(secret_path(config, node_key_file));
    if (!from) return from.error();
    auto to = crypto::read_or_create_secret_file(secret_path(config, node_key_next_file),
                                                 crypto::secure_random());
    if (!to) return to.error();
    return storage::rewrap_keks(**store, *from, *to, crypto::secure_random());
}

// The moment at which the new key counts. Durable, or a loss of power would bring the old one back beside
// rows that it does not open (another run would still mend that).
Status take_over(const Config& config) {
    const std::string path = secret_path(config, node_key_file);
    const bool renamed = std::rename(secret_path(config, node_key_next_file).c_str(), path.c_str()) == 0;
    const int folder = renamed ? ::open(config.secrets_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    const bool durable = folder >= 0 && ::fsync(folder) == 0;
    const int os_errno = errno;
    if (folder >= 0) ::close(folder);
    if (durable) return {};
    log::error("key_rotation_failed", {{"path", path}, {"errno", os_errno}, {"advice", "run it again"}});
    return Error{ErrorCode::io_failure, ErrorSource::kernel, false, os_errno};
}

}  // namespace

Status rotate_node_key(const Config& config) {
    auto count = rewrap(config);
    if (!count) return count.error();
    if (Status status = take_over(config); !status) return status;
    log::info("node_key_rotated", {{"body_keys", count->rewrapped}, {"of_an_earlier_run", count->already}});
    return {};
}

Status check_no_rotation(const Config& config) {
    const std::string next = secret_path(config, node_key_next_file);
    if (::access(next.c_str(), F_OK) != 0) return {};
    log::error("key_rotation_unfinished",
               {{"path", next}, {"advice", "run nodex-edge --rotate-node-key again, then start"}});
    return Error{ErrorCode::bad_configuration, ErrorSource::configuration};
}

}  // namespace nodex::core
