// Codecs of the POP's records. Every layout is written beside its encoder as a grammar; all
// integers are little endian (codec.h), bool is one octet 0 or 1, id[n] is n opaque octets.
//
// Versions: the first octet is the record's version. A reader refuses what it does not know,
// because a half-understood money record is worse than a start-up error. A change of layout takes a
// new version octet and keeps the old decoder for as long as rows of that version may live.
#include "storage/records.h"

#include "edge/base/codec.h"
#include "storage/keyspace.h"

namespace nodex::storage {
namespace {

constexpr std::uint8_t version_1 = 1;
constexpr std::uint8_t version_2 = 2;  // settlement
// Which sealed bodies follow a settlement.
constexpr std::uint8_t has_answer = 1;
constexpr std::uint8_t has_request = 2;

constexpr Error corrupt_record{ErrorCode::corrupt, ErrorSource::storage};

// One octet; anything but 0 and 1 makes the record malformed, so that decode and encode stay
// inverse.
class RecordReader : public ByteReader {
  public:
    explicit RecordReader(Bytes source) noexcept : ByteReader(source) {
        known_ = integer<std::uint8_t>() == version_1;
    }
    bool boolean() noexcept {
        const auto value = integer<std::uint8_t>();
        if (value > 1) known_ = false;
        return value == 1;
    }
    [[nodiscard]] bool complete() const noexcept { return known_ && finished(); }

  private:
    bool known_;
};

void write_bool(ByteWriter& writer, bool value) {
    writer.integer<std::uint8_t>(value ? 1 : 0);
}

// reservation = amount i64, account_generation u32, key_generation u32, price_version u32
void write_reservation(ByteWriter& writer, const Reservation& reservation) {
    writer.integer(reservation.amount);
    writer.integer(reservation.account_generation);
    writer.integer(reservation.key_generation);
    writer.integer(reservation.price_version);
}

Reservation read_reservation(ByteReader& reader) noexcept {
    Reservation reservation;
    reservation.amount = reader.integer<Nano>();
    reservation.account_generation = reader.integer<std::uint32_t>();
    reservation.key_generation = reader.integer<std::uint32_t>();
    reservation.price_version = reader.integer<std::uint32_t>();
    return reservation;
}

// sealed body = id[16], bytes u64, digest[32], key version u32, expires_ms i64
void write_sealed_body(ByteWriter& writer, const SealedBody& body) {
    writer.opaque(body.id);
    writer.integer(body.bytes);
    writer.opaque(body.digest);
    writer.integer(body.kek_version);
    writer.integer(body.expires_ms);
}
SealedBody read_sealed_body(ByteReader& reader) noexcept {
    SealedBody body;
    body.id = reader.opaque<BodyId>();
    body.bytes = reader.integer<std::uint64_t>();
    body.digest = reader.opaque<BodyDigest>();
    body.kek_version = reader.integer<std::uint32_t>();
    body.expires_ms = reader.integer<std::int64_t>();
    return body;
}

}  // namespace

// open = version u8, request id[16], account u64, key u64, idempotency id[16], fingerprint id[32],
//        session id[16], reservation, model u32, stream bool, answer id[16], created_ms i64,
//        input_units_estimate u64, input_price i64, output_price i64
void encode(const OpenRequest& record, std::string& target) {
    ByteWriter writer(target);
    writer.integer(version_1);
    writer.opaque(record.request_id);
    writer.integer(record.account);
    writer.integer(record.key);
    writer.opaque(record.idempotency);
    writer.opaque(record.fingerprint);
    writer.opaque(record.session);
    write_reservation(writer, record.reservation);
    writer.integer(record.model);
    write_bool(writer, record.stream);
    writer.opaque(record.answer);
    writer.integer(record.created_ms);
    writer.integer(record.input_units_estimate);
    writer.integer(record.input_price);
    writer.integer(record.output_price);
}

Result<OpenRequest> decode_open_request(Bytes bytes) noexcept {
    RecordReader reader(bytes);
    OpenRequest record;
    record.request_id = reader.opaque<RequestId>();
    record.account = reader.integer<AccountId>();
    record.key = reader.integer<KeyId>();
    record.idempotency = reader.opaque<IdempotencyId>();
    record.fingerprint = reader.opaque<Fingerprint>();
    record.session = reader.opaque<SessionId>();
    record.reservation = read_reservation(reader);
    record.model = reader.integer<std::uint32_t>();
    record.stream = reader.boolean();
    record.answer = reader.opaque<BodyId>();
    record.created_ms = reader.integer<std::int64_t>();
    record.input_units_estimate = reader.integer<std::uint64_t>();
    record.input_price = reader.integer<Nano>();
    record.output_price = reader.integer<Nano>();
    if (!reader.complete()) return corrupt_record;
    return record;
}

// answer = version u8, expires_ms i64, request id[16], fingerprint id[32], session id[16], status
// u16,
//          stream bool, complete bool, content_type (u32 size, octets), answer id[16], chunks_count
//          u32, events_count u64, body_bytes u64, charged i64, created_ms i64
// expires_ms comes first: the compaction filter reads it without decoding the rest
// (expiry_of_answer).
void encode(const Answer& record, std::string& target) {
    ByteWriter writer(target);
    writer.integer(version_1);
    writer.integer(record.expires_ms);
    writer.opaque(record.request_id);
    writer.opaque(record.fingerprint);
    writer.opaque(record.session);
    writer.integer(record.status);
    write_bool(writer, record.stream);
    write_bool(writer, record.complete);
    writer.string(record.content_type);
    writer.opaque(record.answer);
    writer.integer(record.chunks_count);
    writer.integer(record.events_count);
    writer.integer(record.body_bytes);
    writer.integer(record.charged);
    writer.integer(record.created_ms);
}

Result<Answer> decode_answer(Bytes bytes) noexcept {
    RecordReader reader(bytes);
    Answer record;
    record.expires_ms = reader.integer<std::int64_t>();
    record.request_id = reader.opaque<RequestId>();
    record.fingerprint = reader.opaque<Fingerprint>();
    record.session = reader.opaque<SessionId>();
    record.status = reader.integer<std::uint16_t>();
    record.stream = reader.boolean();
    record.complete = reader.boolean();
    record.content_type = std::string(reader.string());
    record.answer = reader.opaque<BodyId>();
    record.chunks_count = reader.integer<std::uint32_t>();
    record.events_count = reader.integer<std::uint64_t>();
    record.body_bytes = reader.integer<std::uint64_t>();
    record.charged = reader.integer<Nano>();
    record.created_ms = reader.integer<std::int64_t>();
    if (!reader.complete()) return corrupt_record;
    return record;
}

std::optional<std::int64_t> expiry_of_answer(Bytes record) noexcept {
    ByteReader reader(record);
    if (reader.integer<std::uint8_t>() != version_1) return std::nullopt;
    const auto expires_ms = reader.integer<std::int64_t>();
    if (!reader.ok()) return std::nullopt;
    return expires_ms;
}

// settlement = version u8, request id[16], account u64, key u64, idempotency id[16], reservation,
// amount i64,
//              overrun i64, model u32, units u64[8] in the order of Unit, usage_source u8, outcome
//              u8, status u16, answer id[16], answer_bytes u64, created_ms i64, settled_ms i64;
//              since version 2: session[16], bodies u8 (1: answer, 2: request), a sealed body for
//              each
void encode(const Settlement& record, std::string& target) {
    ByteWriter writer(target);
    writer.integer(version_2);
    writer.opaque(record.request_id);
    writer.integer(record.account);
    writer.integer(record.key);
    writer.opaque(record.idempotency);
    write_reservation(writer, record.reservation);
    writer.integer(record.amount);
    writer.integer(record.overrun);
    writer.integer(record.model);
    static_assert(units_count == 8, "a new unit kind changes the layout: take version 2");
    for (const std::uint64_t units : record.units) writer.integer(units);
    writer.integer(record.usage_source);
    writer.integer(record.outcome);
    writer.integer(record.status);
    writer.opaque(record.answer);
    writer.integer(record.answer_bytes);
    writer.integer(record.created_ms);
    writer.integer(record.settled_ms);
    writer.opaque(record.session);
    const bool answer = !record.sealed_answer.id.is_zero();
    const bool request = !record.sealed_request.id.is_zero();
    writer.integer(
        static_cast<std::uint8_t>((answer ? has_answer : 0) | (request ? has_request : 0)));
    if (answer) write_sealed_body(writer, record.sealed_answer);
    if (request) write_sealed_body(writer, record.sealed_request);
}

Result<Settlement> decode_settlement(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    Settlement record;
    const auto version = reader.integer<std::uint8_t>();
    record.request_id = reader.opaque<RequestId>();
    record.account = reader.integer<AccountId>();
    record.key = reader.integer<KeyId>();
    record.idempotency = reader.opaque<IdempotencyId>();
    record.reservation = read_reservation(reader);
    record.amount = reader.integer<Nano>();
    record.overrun = reader.integer<Nano>();
    record.model = reader.integer<std::uint32_t>();
    for (std::uint64_t& units : record.units) units = reader.integer<std::uint64_t>();
    record.usage_source = reader.enumerator(UsageSource::none);
    record.outcome = reader.enumerator(Outcome::budget_cut);
    record.status = reader.integer<std::uint16_t>();
    record.answer = reader.opaque<BodyId>();
    record.answer_bytes = reader.integer<std::uint64_t>();
    record.created_ms = reader.integer<std::int64_t>();
    record.settled_ms = reader.integer<std::int64_t>();
    if (version == version_2) {
        record.session = reader.opaque<SessionId>();
        const auto bodies = reader.integer<std::uint8_t>();
        if (bodies > (has_answer | has_request)) return corrupt_record;
        const bool answer = (bodies & has_answer) != 0, request = (bodies & has_request) != 0;
        if (answer) record.sealed_answer = read_sealed_body(reader);
        if (request) record.sealed_request = read_sealed_body(reader);
        if (record.sealed_answer.id.is_zero() == answer ||
            record.sealed_request.id.is_zero() == request)
            return corrupt_record;
    }
    if (!reader.finished() || version < version_1 || version > version_2) return corrupt_record;
    return record;
}

// lease = version u8, generation u32, granted i64, settled i64, returned i64
// Always the same size: the lease table overwrites its row inside a batch (Batch::replace_value).
void encode(const LeaseCounters& record, std::string& target) {
    ByteWriter writer(target);
    writer.integer(version_1);
    writer.integer(record.generation);
    writer.integer(record.granted);
    writer.integer(record.settled);
    writer.integer(record.returned);
}

Result<LeaseCounters> decode_lease_counters(Bytes bytes) noexcept {
    RecordReader reader(bytes);
    LeaseCounters record;
    record.generation = reader.integer<std::uint32_t>();
    record.granted = reader.integer<Nano>();
    record.settled = reader.integer<Nano>();
    record.returned = reader.integer<Nano>();
    if (!reader.complete()) return corrupt_record;
    return record;
}

// mark = version u8, applied u64, chain id[32]
void encode(const OutboxMark& record, std::string& target) {
    ByteWriter writer(target);
    writer.integer(version_1);
    writer.integer(record.applied);
    writer.opaque(record.chain);
}

Result<OutboxMark> decode_outbox_mark(Bytes bytes) noexcept {
    RecordReader reader(bytes);
    OutboxMark record;
    record.applied = reader.integer<std::uint64_t>();
    record.chain = reader.opaque<ChainHash>();
    if (!reader.complete()) return corrupt_record;
    return record;
}

// body key = version u8, stored_ms i64, key record (all that follows; its layout is the vault's)
void encode(const BodyKey& record, std::string& target) {
    ByteWriter writer(target);
    writer.integer(version_1);
    writer.integer(record.stored_ms);
    writer.raw_bytes(record.key_record);
}

Result<BodyKey> decode_body_key(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    BodyKey record;
    const auto version = reader.integer<std::uint8_t>();
    record.stored_ms = reader.integer<std::int64_t>();
    if (!reader.ok() || version != version_1) return corrupt_record;
    record.key_record = reader.rest();
    return record;
}

// buddy = version u8, expires_ms i64, owner_life u64, chunks_count u32, open (u32 size, octets),
//         answer (u32 size, octets; empty while it runs)
// expires_ms comes first, as in an answer.
void encode(const BuddyCopy& record, std::string& target) {
    ByteWriter writer(target);
    writer.integer(version_1);
    writer.integer(record.expires_ms);
    writer.integer(record.owner_life);
    writer.integer(record.chunks_count);
    writer.string(encode(record.open));
    writer.string(record.answer ? encode(*record.answer) : std::string());
}

Result<BuddyCopy> decode_buddy_copy(Bytes bytes) noexcept {
    RecordReader reader(bytes);
    BuddyCopy record;
    record.expires_ms = reader.integer<std::int64_t>();
    record.owner_life = reader.integer<std::uint64_t>();
    record.chunks_count = reader.integer<std::uint32_t>();
    const Bytes open = reader.string(), answer = reader.string();
    if (!reader.complete()) return corrupt_record;
    auto decoded = decode_open_request(open);
    if (!decoded) return decoded.error();
    record.open = *decoded;
    if (answer.empty()) return record;
    auto ended = decode_answer(answer);
    if (!ended) return ended.error();
    record.answer = std::move(*ended);
    return record;
}

std::optional<std::int64_t> expiry_of_buddy_copy(Bytes record) noexcept {
    return expiry_of_answer(record);
}

namespace {
template <class Record>
std::string encoded(const Record& record) {
    std::string target;
    encode(record, target);
    return target;
}
}  // namespace

std::string encode(const OpenRequest& record) {
    return encoded(record);
}
std::string encode(const Answer& record) {
    return encoded(record);
}
std::string encode(const Settlement& record) {
    return encoded(record);
}
std::string encode(const LeaseCounters& record) {
    return encoded(record);
}
std::string encode(const BuddyCopy& record) {
    return encoded(record);
}

}  // namespace nodex::storage
