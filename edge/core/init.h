// `nodex-edge --init`: what a new node needs and must not have twice: folders, secrets, and (when
// the files the configuration names do not exist) a development certificate. Nothing that exists is
// touched.
#pragma once
#include <optional>

#include "edge/core/config.h"

namespace nodex::core {

// Where secrets stand in secrets_dir; each is 32 octets in hex, mode 0600.
inline constexpr const char* node_key_file = "node.key";      // wraps the accounts' body keys
inline constexpr const char* node_key_next_file = "node.key.next";  // during a rotation only
inline constexpr const char* key_hash_file = "key_hash.key";  // HMAC secret of API keys
inline constexpr const char* idempotency_file =
    "idempotency.key";  // HMAC secret of idempotency keys
// Of the centre: used where it runs in this process (replication/central/body_key_service.h).
inline constexpr const char* root_key_file = "root.key";  // wraps the accounts' body keys there

// Errors: bad_configuration, io_failure; the log says which file and what to do.
Status initialise(const Config& config);

struct Secrets {
    crypto::SecretKey key_hash;
    crypto::SecretKey idempotency;
    std::optional<crypto::SecretKey> root;  // when its file is there
};
// Missing or readable by others: bad_configuration with a log line.
Result<Secrets> read_secrets(const Config& config);

}  // namespace nodex::core
