// Body keys on their way from the centre to a POP: what is asked and answered on nx.v1.rpc.kek, and
// how a key is sealed for the way. A key is wrapped (XChaCha20-Poly1305) by a key that both sides
// derive from the POP's link key, and bound to POP, account and version: neither the servers
// between them nor another POP can open it or put it in another's place.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/ids.h"
#include "edge/base/result.h"
#include "edge/crypto/crypto.h"

namespace nodex::replication {

// Versions below are those that POPs made themselves before the centre did: they still open what
// was sealed under them, at that POP only.
inline constexpr std::uint32_t first_body_key_version = 1u << 16;

struct BodyKeyRequest {
    struct Entry {
        AccountId account{};
        std::uint32_t newest = 0;  // version that the POP has; 0: none
    };
    std::vector<Entry> entries;  // at most limits::body_key_accounts_max
};

struct BodyKeyReply {
    struct Key {
        std::uint32_t version = 0;
        std::string sealed;  // seal_body_key()
    };
    struct Entry {
        AccountId account{};
        std::uint32_t shreds = 0;  // at the centre: keys are of after this many orders to destroy
        std::uint32_t oldest = 0;  // version that is still of use; what is below may be forgotten
        std::vector<Key> keys;     // newer than what the POP has; at most body_key_versions_max
    };
    std::vector<Entry> entries;  // an account that has none (closed, unknown) is left out
};

std::string encode(const BodyKeyRequest&);
std::string encode(const BodyKeyReply&);
// malformed(central) for anything that encode() cannot have written, but for octets that follow.
Result<BodyKeyRequest> decode_body_key_request(Bytes) noexcept;
Result<BodyKeyReply> decode_body_key_reply(Bytes) noexcept;

// What body keys of one POP are sealed with on the link.
crypto::SecretKey body_key_link_key(const crypto::SecretKey& link_key) noexcept;
std::string seal_body_key(const crypto::SecretKey& link_key_derived, PopId pop, AccountId account,
                          std::uint32_t version, const crypto::SecretKey& key, Random& random);
// Nothing: altered, or sealed for another POP, account or version.
std::optional<crypto::SecretKey> open_body_key(const crypto::SecretKey& link_key_derived, PopId pop,
                                               AccountId account, std::uint32_t version,
                                               Bytes sealed) noexcept;

}  // namespace nodex::replication
