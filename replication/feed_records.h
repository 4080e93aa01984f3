// Feed records: what a POP learns about accounts, keys and models; one record holds one object as
// it is now.
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

using FeedRecord = std::variant<AccountRecord, KeyRecord, ModelEntry>;

std::string encode(const AccountRecord&);
std::string encode(const KeyRecord&);
std::string encode(const ModelEntry&);
// malformed(central) for anything that encode() cannot have written.
Result<FeedRecord> decode_feed_record(Bytes bytes) noexcept;

}  // namespace nodex::replication
