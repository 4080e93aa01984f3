// What the ledger keeps, as records, and the keys under which it keeps them. Integers in keys are
// big endian.
//   account   id u64                                -> Account (customers and house accounts)
//   key       'k' id u64 -> Key;  'a' account u64 id u64 -> "" (an account's keys in order)
//   key_hash  hash[32]                              -> key id u64
//   lease     kind u8 id u64 pop u16 incarnation u32 -> Lease
//   charge    'c' account u64 idempotency[16] -> Charge, of the key's newest use
//             'r' account u64 request[16] -> Charge, without a key or of an earlier use
//             't' account u64 reference             -> TopUp already applied: row index u64
//   row       index u64                             -> Row, append only
//   usage     account u64, ~time_ms u64, ~index u64 -> "" (newest first; the row is in `row`)
//   price     'm' number u32 -> Model;  'n' id -> number u32
//             'p' version u32 -> PriceList, immutable
//   mark      'i' pop u16 install[16] -> incarnation u32
//             'n' pop u16 -> newest incarnation u32 that has spoken (the first: registered)
//             'h' pop u16 -> last incarnation u32 that was given
//             'w' pop u16 incarnation u32 -> Mark
//             'r' pop u16 incarnation u32 -> Restoration
//             's' pop u16 -> PopState
//             'q' pop u16 -> numbers of its last commands, ascending: [u64]
//             'x' sealed_ms i64 id[16] -> "": an operator's sealed command that was carried out
//   claim     account u64 idempotency[16]           -> Claim, until it expires
//   reference 'r' request[16] -> account u64 session[16]
//             's' account u64 session[16] request[16] -> Reference
//             'd' pop u16 request[16] -> Erasure, until the POP has carried it out
//   kek       'k' account u64 -> BodyKeys;  'c' -> what tells the root key from another
//   meta      'h' -> Head;  'f' version u64 -> changed object: kind u8, id u64
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "edge/base/codec.h"
#include "edge/base/ids.h"
#include "edge/base/money.h"
#include "replication/directory.h"
#include "replication/messages.h"
#include "storage/records.h"

namespace nodex::replication {
// An operator's sealed command: random, made by the program that seals it.
using CommandId = Opaque<16, struct CommandIdTag>;
}  // namespace nodex::replication

namespace nodex::replication::ledger {

using Currency = std::array<char, 3>;  // ISO 4217
inline Bytes text(const Currency& currency) noexcept {
    return {currency.data(), currency.size()};
}
// Three capital letters; nothing otherwise.
std::optional<Currency> parse_currency(Bytes text) noexcept;

// The house's own accounts, one of each per currency. Their sum with all customers is zero at every
// moment.
enum class House : std::uint8_t {
    funding,     // where top-ups come from: negative
    revenue,     // what executions cost their customers (or the house, below)
    duplicate,   // second executions of an idempotency key
    late_loss,   // settled after the lease had been reclaimed and the money was gone
    overrun,     // provider cost above the reservation
    adjustment,  // corrections by an operator
    last = adjustment,
};
AccountId house_account(House house, const Currency& currency) noexcept;
bool is_house(AccountId account) noexcept;
const char* name(House house) noexcept;

struct Account {
    AccountId id{};
    std::string name;
    Currency currency{};
    AccountState state = AccountState::active;
    Nano posted = 0;  // the balance
    Nano held = 0;    // sum over open leases of granted - settled - returned
    Nano spent = 0;   // ever charged
    std::uint32_t shreds = 0;
    std::int64_t created_ms = 0;
    std::int64_t updated_ms = 0;
    std::uint64_t feed_version = 0;
    ClaimMode claims = ClaimMode::node;
    [[nodiscard]] Nano free() const noexcept { return posted - held; }
};

enum class BudgetPeriod : std::uint8_t { lifetime, day, month, last = month };
struct Key {
    KeyId id{};
    AccountId account{};
    std::string name;
    KeyHash hash;
    KeyState state = KeyState::active;
    IdempotencyPolicy policy = IdempotencyPolicy::sdk;
    std::int64_t expires_ms = 0;
    bool has_budget = false;
    Nano budget = 0;
    BudgetPeriod period = BudgetPeriod::lifetime;
    std::int64_t period_index = 0;  // day or month number that budget_spent belongs to
    Nano budget_spent = 0;          // in this period, by requests that were held under the budget
    Nano held = 0;
    Nano spent = 0;  // ever charged
    RateLimits limits;
    std::vector<std::uint32_t> models;  // sorted; empty: all
    std::int64_t created_ms = 0;
    std::uint64_t feed_version = 0;
    [[nodiscard]] Nano free() const noexcept { return budget - budget_spent - held; }
};
// The day or month (UTC) of an instant; 0 for a lifetime budget.
std::int64_t period_index(BudgetPeriod period, std::int64_t now_ms) noexcept;

// One (scope, POP, incarnation): its generations, oldest first. Only the last may be open.
struct Lease {
    struct Generation {
        std::uint32_t number = 0;
        bool open = true;
        Nano granted = 0;
        Nano settled = 0;
        Nano returned = 0;
        Nano late_left = 0;           // closed: what may still be settled late
        std::int64_t expires_ms = 0;  // the centre's own wall clock
        [[nodiscard]] Nano held() const noexcept { return open ? granted - settled - returned : 0; }
    };
    static constexpr std::size_t generations_max = 16;
    std::vector<Generation> generations;
};

struct Charge {
    RequestId request;
    Nano amount = 0;
    std::uint64_t row = 0;
    // When the answer's time is over and its key may be used anew. 0: unkeyed, or nobody told.
    std::int64_t until_ms = 0;
};

enum class RowKind : std::uint8_t {
    top_up,
    adjustment,
    charge,
    duplicate,
    late_loss,
    overrun,
    last = overrun
};
const char* name(RowKind kind) noexcept;
// `amount` (>= 0) moves from `debit` to `credit`.
struct Row {
    std::uint64_t index = 0;
    std::int64_t time_ms = 0;
    RowKind kind{};
    AccountId debit{};
    AccountId credit{};
    Nano amount = 0;
    Currency currency{};
    AccountId customer{};  // whose usage or payment this is
    KeyId key{};
    RequestId request;
    PopId pop{};
    std::uint32_t model = 0;
    std::uint32_t price_version = 0;
    storage::Units units{};
    storage::UsageSource usage_source{};
    storage::Outcome outcome{};
    std::uint16_t status = 0;
    std::int64_t created_ms = 0;  // the request's, by the POP's clock
    std::string reference;        // payments
};

struct Model {
    ModelEntry entry;
    std::uint64_t feed_version = 0;
};
struct PriceList {
    std::uint32_t version = 0;
    std::uint32_t model = 0;
    Prices prices{};
    std::int64_t created_ms = 0;
};

struct Mark {
    std::uint64_t applied = 0;
    ChainHash chain;
    std::int64_t contact_ms = 0;
};

// Where the bodies of a request are, and how to tell that they are whole. Neither they, nor their
// keys, nor a digest of what is in them ever comes to the centre.
struct Reference {
    RequestId request;
    AccountId account{};
    KeyId key{};
    SessionId session;
    PopId pop{};
    std::uint32_t incarnation = 0;
    std::uint32_t model = 0;
    std::uint16_t status = 0;
    storage::Outcome outcome{};
    Nano charged = 0;
    std::int64_t created_ms = 0;
    std::int64_t settled_ms = 0;
    bool deleted = false;  // by an operator: the POP was ordered to destroy their keys
    storage::SealedBody answer;
    storage::SealedBody sent;  // what the client sent
    [[nodiscard]] std::int64_t expires_ms() const noexcept {
        return std::max(answer.expires_ms, sent.expires_ms);
    }
};

// An order to a POP: the keys of a request's bodies are to be destroyed.
struct Erasure {
    PopId owner{};  // of the bodies; other POPs may have copies
    BodyId answer;
    BodyId sent;
    std::int64_t ordered_ms = 0;
    std::int64_t expires_ms = 0;  // of the bodies
};

// How a POP came back to a ledger that was restored from a backup.
struct Restoration {
    std::uint64_t epoch = 0;        // of the restored ledger
    std::uint64_t outbox_last = 0;  // the POP's newest record then
    std::int64_t until_ms = 0;      // when the requests that ran then have ended
};

// What a POP told of itself last.
struct PopState {
    std::int64_t reported_ms = 0;  // the centre's wall clock
    std::uint64_t epoch = 0;       // that the POP was registered in
    std::string report;            // encoded PopReport (pop_report.h)
};

enum class ClaimState : std::uint8_t { held, done, last = done };
// Who runs, or ran, an idempotency key.
struct Claim {
    ClaimState state = ClaimState::held;
    Fingerprint fingerprint;  // zero: of an execution that was settled without a claim; the owner
                              // compares
    std::uint16_t attempt = 1;
    PopId owner{};
    std::uint32_t incarnation = 0;
    RequestId request;
    std::uint64_t number = 0;  // of the owner's message
    BodyId answer;             // done
    std::uint16_t status = 0;  // done
    Nano charged = 0;          // done
    std::uint32_t ttl_ms = 0;  // as the owner told
    std::int64_t created_ms = 0;
    std::int64_t expires_ms = 0;
};

// An account's body keys, oldest first, wrapped by the centre's root key: the ledger never sees
// one.
struct BodyKeys {
    struct Version {
        std::uint32_t number = 0;
        std::int64_t created_ms = 0;
        std::string wrapped;
    };
    std::uint32_t last = 0;         // highest number ever given: it outlives the keys
    std::vector<Version> versions;  // at most limits::body_key_versions_max
};

struct Head {
    std::uint64_t accounts = 0;
    std::uint64_t keys = 0;
    std::uint32_t models = 0;
    std::uint32_t price_version = 0;
    std::uint64_t feed_version = 0;
    std::uint64_t rows = 0;
    ChainHash row_chain;      // over every row: nothing can be altered or taken out unseen
    std::uint64_t epoch = 1;  // raised when the ledger is restored from a backup
};

std::string encode(const Account&);
std::string encode(const Key&);
std::string encode(const Lease&);
std::string encode(const Charge&);
std::string encode(const Row&);
std::string encode(const Model&);
std::string encode(const PriceList&);
std::string encode(const Mark&);
std::string encode(const Reference&);
std::string encode(const Erasure&);
std::string encode(const Restoration&);
std::string encode(const PopState&);
std::string encode(const Claim&);
std::string encode(const Head&);
std::string encode(const BodyKeys&);
// Those that every settlement of a batch reads and most write anew.
template <class Record>
inline constexpr bool is_shared_by_settlements =
    std::is_same_v<Record, Account> || std::is_same_v<Record, Key> ||
    std::is_same_v<Record, Lease> || std::is_same_v<Record, Head>;
// corrupt(storage) for anything that encode() cannot have written.
Status decode(Bytes, Account&) noexcept;
Status decode(Bytes, Key&) noexcept;
Status decode(Bytes, Lease&) noexcept;
Status decode(Bytes, Charge&) noexcept;
Status decode(Bytes, Row&) noexcept;
Status decode(Bytes, Model&) noexcept;
Status decode(Bytes, PriceList&) noexcept;
Status decode(Bytes, Mark&) noexcept;
Status decode(Bytes, Reference&) noexcept;
Status decode(Bytes, Erasure&) noexcept;
Status decode(Bytes, Restoration&) noexcept;
Status decode(Bytes, PopState&) noexcept;
Status decode(Bytes, Claim&) noexcept;
Status decode(Bytes, Head&) noexcept;
Status decode(Bytes, BodyKeys&) noexcept;

// Keys: a letter where a table holds several kinds, then ordered integers and raw octets.
struct KeyBuilder {
    std::string bytes;
    KeyBuilder& letter(char value) {
        bytes.push_back(value);
        return *this;
    }
    template <class Integer>
    KeyBuilder& number(Integer value) {
        append_ordered(bytes, value);
        return *this;
    }
    KeyBuilder& raw_bytes(Bytes value) {
        bytes.append(value);
        return *this;
    }
};
// Whose request that is: its id begins with the number of its POP (ids.h).
inline PopId pop_of(const RequestId& request) noexcept {
    return static_cast<PopId>(request.octets[0] << 8 | request.octets[1]);
}
inline std::string account_key(AccountId id) {
    return KeyBuilder().number(raw(id)).bytes;
}
inline std::string key_key(KeyId id) {
    return KeyBuilder().letter('k').number(raw(id)).bytes;
}
inline std::string lease_key(const LeaseKey& scope, PopId pop, std::uint32_t incarnation) {
    return KeyBuilder()
        .number(static_cast<std::uint8_t>(scope.kind))
        .number(scope.id)
        .number(raw(pop))
        .number(incarnation)
        .bytes;
}
inline std::string row_key(std::uint64_t index) {
    return KeyBuilder().number(index).bytes;
}
inline std::string usage_key(AccountId account, std::int64_t time_ms, std::uint64_t index) {
    return KeyBuilder()
        .number(raw(account))
        .number(~static_cast<std::uint64_t>(time_ms))
        .number(~index)
        .bytes;
}
inline std::string model_key(std::uint32_t number) {
    return KeyBuilder().letter('m').number(number).bytes;
}
inline std::string price_key(std::uint32_t version) {
    return KeyBuilder().letter('p').number(version).bytes;
}
inline std::string mark_key(PopId pop, std::uint32_t incarnation) {
    return KeyBuilder().letter('w').number(raw(pop)).number(incarnation).bytes;
}
inline std::string claim_key(AccountId account, const IdempotencyId& idempotency) {
    return KeyBuilder().number(raw(account)).raw_bytes(idempotency.view()).bytes;
}
// A charge under an idempotency key.
inline std::string charge_key(AccountId account, const IdempotencyId& idempotency) {
    return KeyBuilder().letter('c').number(raw(account)).raw_bytes(idempotency.view()).bytes;
}
// Of an execution without a key, or of a key's earlier use.
inline std::string charge_key(AccountId account, const RequestId& request) {
    return KeyBuilder().letter('r').number(raw(account)).raw_bytes(request.view()).bytes;
}
inline std::string newest_incarnation_key(PopId pop) {
    return KeyBuilder().letter('n').number(raw(pop)).bytes;
}
inline std::string last_incarnation_key(PopId pop) {
    return KeyBuilder().letter('h').number(raw(pop)).bytes;
}
inline PopId pop_of_newest_incarnation_key(Bytes key) noexcept {
    NX_ASSERT(key.size() == 3);
    const auto high = static_cast<unsigned char>(key[1]), low = static_cast<unsigned char>(key[2]);
    return PopId{static_cast<std::uint16_t>(high << 8 | low)};
}
inline std::string reference_place_key(const RequestId& request) {
    return KeyBuilder().letter('r').raw_bytes(request.view()).bytes;
}
inline std::string session_key(AccountId account, const SessionId& session) {
    return KeyBuilder().letter('s').number(raw(account)).raw_bytes(session.view()).bytes;
}
inline std::string reference_key(AccountId account, const SessionId& session,
                                 const RequestId& request) {
    return session_key(account, session).append(request.view());
}
inline std::string erasure_key(PopId pop, const RequestId& request) {
    return KeyBuilder().letter('d').number(raw(pop)).raw_bytes(request.view()).bytes;
}
// The first key behind all orders to that POP.
inline std::string erasures_end(PopId pop) {
    if (raw(pop) == UINT16_MAX) return "e";
    return KeyBuilder().letter('d').number(static_cast<std::uint16_t>(raw(pop) + 1)).bytes;
}
inline std::string restoration_key(PopId pop, std::uint32_t incarnation) {
    return KeyBuilder().letter('r').number(raw(pop)).number(incarnation).bytes;
}
inline std::string pop_state_key(PopId pop) {
    return KeyBuilder().letter('s').number(raw(pop)).bytes;
}
inline std::string commands_key(PopId pop) {
    return KeyBuilder().letter('q').number(raw(pop)).bytes;
}
inline std::string sealed_command_key(std::int64_t sealed_ms, Bytes id) {
    return KeyBuilder().letter('x').number(sealed_ms).raw_bytes(id).bytes;
}
inline std::string body_keys_key(AccountId account) {
    return KeyBuilder().letter('k').number(raw(account)).bytes;
}
inline std::string head_key() {
    return "h";
}
inline std::string feed_key(std::uint64_t version) {
    return KeyBuilder().letter('f').number(version).bytes;
}

}  // namespace nodex::replication::ledger
