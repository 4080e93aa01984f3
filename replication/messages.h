// Messages between a POP and the centre: binary, little endian, canonical. Envelope (README.md
// here, Messages):
//   magic u16 = 0x584E, version u8 = 1, type u8, protocol u16, pop u16, incarnation u32, epoch
//   u64, correlation u64, length u32, payload[length], crc32c u32, mac[16]
// mac = first 16 octets of HMAC-SHA256(link key, everything before it): a neighbour on the
// transport cannot forge or alter a settlement. Decoders take hostile bytes: malformed(central or
// client) and nothing else can come of them.
//
// Versions. The two ends of a message may be of two versions, the centre the newer one: it is
// upgraded first (deploy/runbook.md). So:
//   - Unknown trailing octets of a payload are ignored. A new field comes last, and a reader takes
//     its default where an older sender has none.
//   - The entries of a list have one size for good: a new field of theirs is a list of its own
//     behind it.
//   - A new value of an enumeration, or a new type of message, is sent only to an end whose
//     `protocol` knows it, which every message tells. Feed records are read more leniently
//     (feed_records.h), since what cannot be read there would hide a revoked key.
//   - A settlement that the centre cannot read is refused, never skipped: its POP's shipping stops
//     until the centre is upgraded.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/ids.h"
#include "edge/base/money.h"
#include "edge/crypto/crypto.h"
#include "storage/journal.h"

namespace nodex::replication {

enum class MessageType : std::uint8_t {
    register_request = 1,
    register_reply,
    lease_request,
    lease_reply,
    ship_request,
    ship_reply,
    feed_request,
    feed_reply,
    feed_hint,
    query_request,
    query_reply,
    claim_request,
    claim_reply,
    claim_hint,
    body_key_request,  // body_keys.h
    body_key_reply,
    peers_request,  // peer_messages.h, from here on
    peers_reply,
    read_request,
    read_reply,
    copy_request,
    copy_reply,
    report_request,  // pop_report.h
    report_reply,
    reference_request,  // body_messages.h, from here on
    reference_reply,
    body_request,
    body_reply,
    packed_ship_request,  // a ship_request's payload as one zstd frame; since protocol 2
    packed_ship_reply,    // as ship_reply
    last = packed_ship_reply,
};

// What this program speaks; one more with each change that the other end must know of. 0: before it
// was told. 2: packed_ship_request.
inline constexpr std::uint16_t protocol_version = 2;
inline constexpr std::uint16_t packed_ship_protocol = 2;  // the first with it

struct Envelope {
    MessageType type{};
    PopId pop{};
    std::uint32_t incarnation = 0;  // 0: not registered yet
    std::uint64_t epoch = 0;        // of the ledger; raised only when it is restored from a backup
    std::uint64_t correlation = 0;  // a reply repeats its request's
    std::uint16_t protocol = protocol_version;  // the sender's
};
inline constexpr std::size_t envelope_head_bytes = 32;
inline constexpr std::size_t envelope_tail_bytes = 4 + 16;

std::string seal(const Envelope& envelope, Bytes payload, const crypto::SecretKey& link_key);
struct OpenedMessage {
    Envelope envelope;
    Bytes payload;  // borrows the message
};
// The sender a message claims, before anything is checked: to choose the link key. Nothing when too
// short.
std::optional<PopId> claimed_sender(Bytes message) noexcept;
// malformed(central): size, magic, version, type or checksum; forbidden(central): the MAC is not
// the key's.
Result<OpenedMessage> open(Bytes message, const crypto::SecretKey& link_key) noexcept;

using LeaseKey = storage::Journal::Scope;  // {kind, id}

struct RegisterRequest {
    InstallId install;
    std::uint64_t outbox_applied = 0;
    std::uint64_t outbox_last = 0;
    ChainHash chain_at_applied;
    ChainHash chain_at_last;
    std::uint64_t epoch_max = 0;    // of the ledger it was registered with last; 0: never
    std::uint64_t outbox_kept = 0;  // the oldest record that it still has
};
enum class RegisterVerdict : std::uint8_t {
    accepted,
    must_reinstall,  // this disk went backwards: its next records would repeat sequence numbers
    last = must_reinstall,
};
struct RegisterReply {
    RegisterVerdict verdict = RegisterVerdict::accepted;
    std::uint32_t incarnation = 0;
    std::uint64_t applied = 0;  // the ledger's watermark
    ChainHash chain;            // at `applied`
    std::uint32_t lease_ttl_ms = 0;
    std::uint64_t feed_version = 0;
    // The ledger was restored from a backup since: what it does not know of is shipped again, and
    // no grant of before counts.
    bool restored = false;
};

struct LeaseRequest {
    struct Entry {
        LeaseKey scope;
        std::uint32_t generation = 0;  // 0: none known
        Nano want_total =
            0;  // cumulative target of `granted`: a repeated request grants nothing new
        Nano settled = 0;
        Nano reserved = 0;
        Nano returned = 0;
    };
    std::int64_t sent_ns = 0;  // the sender's monotonic clock, echoed
    bool ask = false;          // requests wait for this: all that is free may be granted
    std::vector<Entry> entries;
};
enum class LeaseState : std::uint8_t {
    open,
    exhausted,  // everything that was free is granted and it was not enough
    blocked,    // account blocked or closed, key revoked: no grants
    last = blocked,
};
struct LeaseReply {
    struct Entry {
        LeaseKey scope;
        std::uint32_t generation = 0;
        Nano granted_total = 0;
        std::uint32_t ttl_ms = 0;  // counted by the POP from its own sending
        LeaseState state = LeaseState::open;
        // What the centre was given back of this generation: a POP whose disk went back may have
        // forgotten that it did. 0: nothing, or from a centre of before.
        Nano returned_total = 0;
    };
    std::int64_t sent_ns = 0;
    std::uint64_t feed_version = 0;  // a lost hint is noticed here
    std::vector<Entry> entries;
};

struct ShipRequest {
    std::uint64_t first_sequence = 0;
    ChainHash chain_before;
    std::vector<std::string> records;  // encoded storage::Settlement
    // When the sender sent it, by the wall clock that its records' times are of: their differences
    // are ages. Of records below `steady_from` they are not, because the clock was set since, or
    // the process was another one. 0: of a POP that tells nothing.
    std::int64_t sent_ms = 0;
    std::uint64_t steady_from = 0;
};
enum class RejectReason : std::uint8_t {
    none,
    chain,
    malformed,
    unknown_account,
    overflow,
    last = overflow
};
struct ShipReply {
    std::uint64_t applied = 0;
    ChainHash chain;
    std::uint64_t rejected = 0;  // sequence that was refused; 0: none
    RejectReason reason = RejectReason::none;
};

// Objects that changed after `from`, in the order of their change. Asked again while `more`.
struct FeedRequest {
    std::uint64_t from = 0;
};
struct FeedReply {
    std::uint64_t to = 0;
    bool more = false;
    std::vector<std::string> records;  // replication/feed_records.h
};
struct FeedHint {
    std::uint64_t version = 0;
};

struct QueryRequest {
    std::string json;
    // Rises with every question of this POP, as ClaimRequest::number: an operator's command that
    // somebody kept is not carried out again. 0: of a POP of protocol 0.
    std::uint64_t number = 0;
};
struct QueryReply {
    std::uint16_t status = 0;  // HTTP-like
    std::string json;
};

// Who runs an idempotency key. A POP gathers what its loops ask within a turn.
enum class ClaimOp : std::uint8_t {
    acquire,   // the request is about to run, or runs already
    takeover,  // as acquire, and also when the owner is dead and `expect_attempt` is still the last
    release,   // the request ended with nothing delivered: the key is free again
    query,     // changes nothing
    last = query,
};
struct ClaimRequest {
    struct Entry {
        ClaimOp op{};
        AccountId account{};
        IdempotencyId idempotency;
        Fingerprint fingerprint;
        RequestId request;
        std::uint16_t expect_attempt = 0;
    };
    // Rises with every message of this POP, also over restarts as long as its wall clock does not
    // go back: a late copy must not put an older request in the place of a newer.
    std::uint64_t number = 0;
    std::uint32_t ttl_ms = 0;  // how long the sender keeps an answer
    std::vector<Entry> entries;
};
enum class ClaimResult : std::uint8_t {
    granted,   // the key is the asker's
    held,      // another request holds it
    done,      // it has been charged: the owner has the answer
    mismatch,  // the key was used with another body
    free,      // answers a query or a release: nobody holds it
    refused,   // unknown account; a release by another than the owner
    last = refused,
};
struct ClaimReply {
    // Who owns the key: with held, done and mismatch.
    struct Entry {
        ClaimResult result = ClaimResult::refused;
        std::uint16_t attempt = 0;  // counts those who were granted the key
        PopId owner{};
        std::uint32_t incarnation = 0;  // of the owner; 0: not known
        RequestId request;
        BodyId answer;             // done
        std::uint16_t status = 0;  // done: as answered
        Nano charged = 0;          // done
        std::uint32_t age_ms = 0;  // since the grant
        bool owner_dead = false;   // held: the centre has not heard of the owner for too long
    };
    std::vector<Entry> entries;  // one for each of the request, in its order
};
// To the owner of a claim that another POP asked for: a request the owner does not have any more is
// to be released. May be lost.
struct ClaimHint {
    AccountId account{};
    IdempotencyId idempotency;
    RequestId request;
};

std::string encode(const RegisterRequest&);
std::string encode(const RegisterReply&);
std::string encode(const LeaseRequest&);
std::string encode(const LeaseReply&);
std::string encode(const ShipRequest&);
// The payload of a ship_request as that of a packed_ship_request: records are much alike, and take
// about two fifths of their octets. At most limits::ship_payload_bytes_max, asserted.
std::string pack(Bytes ship_payload);
std::string encode(const ShipReply&);
std::string encode(const FeedRequest&);
std::string encode(const FeedReply&);
std::string encode(const FeedHint&);
std::string encode(const QueryRequest&);
std::string encode(const QueryReply&);
std::string encode(const ClaimRequest&);
std::string encode(const ClaimReply&);
std::string encode(const ClaimHint&);

Result<RegisterRequest> decode_register_request(Bytes) noexcept;
Result<RegisterReply> decode_register_reply(Bytes) noexcept;
Result<LeaseRequest> decode_lease_request(Bytes) noexcept;
Result<LeaseReply> decode_lease_reply(Bytes) noexcept;
Result<ShipRequest> decode_ship_request(Bytes) noexcept;
// One whole zstd frame, which tells how much it holds, and that within the limit, or it is
// malformed before anything is unfolded.
Result<ShipRequest> decode_packed_ship_request(Bytes) noexcept;
Result<ShipReply> decode_ship_reply(Bytes) noexcept;
Result<FeedRequest> decode_feed_request(Bytes) noexcept;
Result<FeedReply> decode_feed_reply(Bytes) noexcept;
Result<FeedHint> decode_feed_hint(Bytes) noexcept;
Result<QueryRequest> decode_query_request(Bytes) noexcept;
Result<QueryReply> decode_query_reply(Bytes) noexcept;
Result<ClaimRequest> decode_claim_request(Bytes) noexcept;
Result<ClaimReply> decode_claim_reply(Bytes) noexcept;
Result<ClaimHint> decode_claim_hint(Bytes) noexcept;

// chain(n) = SHA-256(chain(n-1), record n): the same at the POP and in the ledger.
ChainHash next_chain(const ChainHash& before, Bytes record) noexcept;

}  // namespace nodex::replication
