// Feed records: what a POP learns about accounts, keys and models; one record holds one object as
// it is now. Centre and POP may be of two versions (messages.h): fields behind those known here are
// skipped, fields that an older centre does not send have their defaults, and a kind of object that
// is not known here is passed over.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "edge/base/ids.h"
#include "replication/directory.h"

namespace nodex::replication {

struct AccountRecord {
    AccountId id{};
    AccountState state = AccountState::active;
    std::uint32_t shreds = 0;       // how often its body keys were ordered to be destroyed
    std::uint32_t key_version = 0;  // newest body key at the centre; 0: none made since then
    ClaimMode claims = ClaimMode::node;
};

struct KeyRecord {
    KeyId id{};
    AccountId account{};
    KeyHash hash;
    KeyState state = KeyState::active;
    IdempotencyPolicy policy = IdempotencyPolicy::sdk;
    std::int64_t expires_ms = 0;
    bool has_budget = false;
    RateLimits limits;
    std::vector<std::uint32_t> models;  // sorted
};

// An object of a kind that only a newer version knows.
struct UnknownRecord {};

// The index of an alternative is the kind on the wire.
using FeedRecord = std::variant<AccountRecord, KeyRecord, ModelEntry, UnknownRecord>;
// How many kinds are known here.
inline constexpr std::uint8_t feed_kinds = std::variant_size_v<FeedRecord> - 1;

std::string encode(const AccountRecord&);
std::string encode(const KeyRecord&);
std::string encode(const ModelEntry&);
// malformed(central) for what neither this nor a newer version can have written. A state or policy
// that is not known here is read as the strictest one that is.
Result<FeedRecord> decode_feed_record(Bytes bytes) noexcept;

}  // namespace nodex::replication
