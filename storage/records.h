// What the POP keeps, as records. Every record starts with a version octet; decoding refuses what
// it does not know. Layouts are in records.cc beside their encoders; fuzzed by
// tests/fuzz/records_fuzz.cc.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "edge/base/ids.h"
#include "edge/base/money.h"
#include "edge/base/units.h"

namespace nodex::storage {

using nodex::Unit;
using nodex::Units;
using nodex::units_count;

enum class UsageSource : std::uint8_t { provider, counted, none };
enum class Outcome : std::uint8_t { ok, client_gone, upstream_error, upstream_lost, budget_cut };

// Money held for one request under two scopes. `generation` 0: that scope is not leased (key
// without a budget).
struct Reservation {
    Nano amount = 0;  // the most this request can cost
    std::uint32_t account_generation = 0;
    std::uint32_t key_generation = 0;
    std::uint32_t price_version = 0;
};

// CF open: a running paid request (ARCHITECTURE.md, section 4). Written by B1,
// erased by B4.
struct OpenRequest {
    RequestId request_id;
    AccountId account{};
    KeyId key{};
    IdempotencyId idempotency;
    Fingerprint fingerprint;
    SessionId session;
    Reservation reservation;
    std::uint32_t model = 0;  // catalogue number
    bool stream = false;
    BodyId answer;                // where chunks of the answer are logged
    std::int64_t created_ms = 0;  // wall clock
    // Enough to price what was delivered when the process dies: nano-units per price_unit, and
    // input units.
    std::uint64_t input_units_estimate = 0;
    Nano input_price = 0;
    Nano output_price = 0;
};

// CF idem: a finished request. `answer` chunks replay byte-identically until expires_ms.
struct Answer {
    RequestId request_id;
    Fingerprint fingerprint;
    SessionId session;
    std::uint16_t status = 0;  // HTTP status as answered
    bool stream = false;
    bool complete = false;  // false: ended in-protocol with an error after delivery
    std::string content_type;
    BodyId answer;
    std::uint32_t chunks_count = 0;
    std::uint64_t events_count = 0;  // 0 for a non-stream answer
    std::uint64_t body_bytes = 0;    // plaintext
    Nano charged = 0;
    std::int64_t created_ms = 0;
    std::int64_t expires_ms = 0;
};

// How to tell that a sealed body is whole and unaltered, without being able to open it.
using BodyDigest = Opaque<32, struct BodyDigestTag>;
struct SealedBody {
    BodyId id;                // zero: there is none
    std::uint64_t bytes = 0;  // of its sealed chunks
    BodyDigest digest;        // SHA-256 over them, in order
    std::uint32_t kek_version = 0;
    std::int64_t expires_ms = 0;  // then it may be gone
    bool operator==(const SealedBody&) const noexcept = default;
};

// CF outbox, and the body of a ledger record SETTLE (replication/README.md, Messages).
struct Settlement {
    RequestId request_id;
    AccountId account{};
    KeyId key{};
    IdempotencyId idempotency;
    Reservation reservation;
    Nano amount = 0;   // <= reservation.amount
    Nano overrun = 0;  // provider cost above the reservation: the house pays
    std::uint32_t model = 0;
    Units units{};
    UsageSource usage_source = UsageSource::none;
    Outcome outcome = Outcome::ok;
    std::uint16_t status = 0;
    BodyId answer;
    std::uint64_t answer_bytes = 0;
    std::int64_t created_ms = 0;
    std::int64_t settled_ms = 0;
    // Since version 2; empty in a record that was written before.
    SessionId session;
    SealedBody sealed_answer;   // of `answer`
    SealedBody sealed_request;  // what the client sent
};

// CF lease: what this POP has spent of a scope's grants, cumulative per generation.
struct LeaseCounters {
    std::uint32_t generation = 0;
    Nano granted = 0;  // last known; a hint after a restart
    Nano settled = 0;
    Nano returned = 0;
};

// CF buddy: the copy of another POP's answer, for the time when that POP cannot be reached. Its
// chunks and its key record are in `body` and `dek` under open.answer. Nobody is charged from it.
struct BuddyCopy {
    std::int64_t expires_ms = 0;
    std::uint64_t owner_life = 0;    // which process of the owner sent the newest part of it
    std::uint32_t chunks_count = 0;  // that are here, from the first without a gap
    OpenRequest open;                // as in the owner's `open`
    std::optional<Answer> answer;    // once it has ended there
};

std::string encode(const OpenRequest&);
std::string encode(const Answer&);
std::string encode(const Settlement&);
std::string encode(const LeaseCounters&);
std::string encode(const BuddyCopy&);
// corrupt(storage) for anything that encode() cannot have written.
Result<OpenRequest> decode_open_request(Bytes) noexcept;
Result<Answer> decode_answer(Bytes) noexcept;
Result<Settlement> decode_settlement(Bytes) noexcept;
Result<LeaseCounters> decode_lease_counters(Bytes) noexcept;
Result<BuddyCopy> decode_buddy_copy(Bytes) noexcept;

}  // namespace nodex::storage
