// Directory: keys, accounts and the catalogue as this POP knows them: one immutable snapshot,
// swapped whole. Pointers into a snapshot live as long as the shared_ptr that holds it; LeaseScope
// and KeyMeter outlive it.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/base/ids.h"
#include "edge/base/money.h"
#include "replication/claims.h"
#include "replication/key_meter.h"
#include "replication/leases.h"
#include "storage/records.h"

namespace nodex::replication {

enum class KeyState : std::uint8_t { active, suspended, revoked };
enum class AccountState : std::uint8_t { active, blocked, closed };
// What a paid request without an idempotency key gets (deploy/api.md, Idempotency).
enum class IdempotencyPolicy : std::uint8_t { required, sdk, generate };

struct KeyEntry {
    KeyId id{};
    AccountId account{};
    KeyState state = KeyState::active;
    AccountState account_state = AccountState::active;
    ClaimMode claims = ClaimMode::node;  // the account's
    IdempotencyPolicy policy = IdempotencyPolicy::sdk;
    std::int64_t expires_ms = 0;        // 0: never
    std::vector<std::uint32_t> models;  // catalogue numbers allowed, sorted; empty: all on sale
    RateLimits limits;
    LeaseScope* account_lease = nullptr;  // never null
    LeaseScope* key_lease = nullptr;      // null: the key has no budget of its own
    KeyMeter* meter = nullptr;            // never null
};

// Nano-units per price_unit of a unit kind (per item for images).
using Prices = std::array<Nano, storage::units_count>;

struct ModelEntry {
    std::uint32_t number = 0;  // stable, stored in ledger rows
    std::string id;            // "gpt-5.4"
    std::vector<std::string> aliases;
    std::string display_name;
    std::string owned_by;
    std::int64_t created_s = 0;
    std::uint64_t context_tokens = 0;        // most input + output
    std::uint64_t output_tokens_max = 0;     // most output of one choice
    std::uint64_t image_tokens_max = 1'600;  // upper bound for one input image
    bool on_sale = true;
    std::uint32_t price_version = 0;
    Prices prices{};
};

class Directory {
  public:
    [[nodiscard]] const KeyEntry* find_key(const KeyHash& hash) const noexcept;
    [[nodiscard]] const ModelEntry* find_model(Bytes id_or_alias) const noexcept;
    [[nodiscard]] const std::vector<ModelEntry>& models() const noexcept { return models_; }
    [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

    struct Contents {
        std::uint64_t version = 0;
        std::vector<std::pair<KeyHash, KeyEntry>> keys;
        std::vector<ModelEntry> models;
    };
    explicit Directory(Contents contents);

  private:
    std::unordered_map<KeyHash, KeyEntry, OpaqueHash> keys_;
    std::vector<ModelEntry> models_;
    // Found by view: a look-up makes no string.
    struct TextHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept {
            return std::hash<std::string_view>{}(text);
        }
    };
    std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> model_index_;
    std::uint64_t version_ = 0;
};

// ceil(sum of units * prices / price_unit), rounded once; overflow when it leaves int64.
Result<Nano> price(const storage::Units& units, const Prices& prices) noexcept;

}  // namespace nodex::replication
