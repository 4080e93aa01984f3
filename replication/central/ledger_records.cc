// Layouts of the ledger's records: a version octet, then the fields in the order of their structs.
// One list of fields a record serves both directions, so that an encoder and its decoder cannot
// drift apart.
#include "replication/central/ledger_records.h"

#include <type_traits>

#include "edge/base/limits.h"
#include "replication/central/ledger_errors.h"
#include "replication/feed_records.h"

namespace nodex::replication::ledger {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint64_t house_bit = std::uint64_t{1} << 63;

enum class Flag : std::uint8_t { no, yes };  // any other octet is malformed

// Both directions of one field list.
struct Write {
    ByteWriter writer;
    template <class Value>
    void field(const Value& value) {
        if constexpr (std::is_same_v<Value, bool>)
            writer.integer(static_cast<std::uint8_t>(value));
        else if constexpr (std::is_integral_v<Value> || std::is_enum_v<Value>)
            writer.integer(value);
        else if constexpr (std::is_same_v<Value, std::string>)
            writer.string(value);
        else if constexpr (std::is_same_v<Value, Currency>)
            writer.raw_bytes(text(value));
        else
            writer.opaque(value);
    }
    template <class Enum>
    void choice(const Enum& value, Enum) {
        writer.integer(value);
    }
};
struct Read {
    ByteReader reader;
    template <class Value>
    void field(Value& value) {
        if constexpr (std::is_same_v<Value, bool>)
            value = reader.enumerator(Flag::yes) == Flag::yes;
        else if constexpr (std::is_integral_v<Value> || std::is_enum_v<Value>)
            value = reader.integer<Value>();
        else if constexpr (std::is_same_v<Value, std::string>)
            value = std::string(reader.string());
        else if constexpr (std::is_same_v<Value, Currency>) {
            const Bytes bytes = reader.raw_bytes(value.size());
            if (reader.ok()) std::memcpy(value.data(), bytes.data(), value.size());
        } else
            value = reader.opaque<Value>();
    }
    template <class Enum>
    void choice(Enum& value, Enum last) {
        value = reader.enumerator(last);
    }
};

template <class Codec, class Record>
void each_account(Codec& codec, Record& account) {
    codec.field(account.id);
    codec.field(account.name);
    codec.field(account.currency);
    codec.choice(account.state, AccountState::closed);
    codec.field(account.posted);
    codec.field(account.held);
    codec.field(account.spent);
    codec.field(account.shreds);
    codec.field(account.created_ms);
    codec.field(account.updated_ms);
    codec.field(account.feed_version);
}

template <class Codec, class Record>
void each_key(Codec& codec, Record& key) {
    codec.field(key.id);
    codec.field(key.account);
    codec.field(key.name);
    codec.field(key.hash);
    codec.choice(key.state, KeyState::revoked);
    codec.choice(key.policy, IdempotencyPolicy::generate);
    codec.field(key.expires_ms);
    codec.field(key.has_budget);
    codec.field(key.budget);
    codec.choice(key.period, BudgetPeriod::last);
    codec.field(key.period_index);
    codec.field(key.budget_spent);
    codec.field(key.held);
    codec.field(key.spent);
    codec.field(key.limits.requests_per_minute);
    codec.field(key.limits.tokens_per_minute);
    codec.field(key.limits.concurrency);
    codec.field(key.created_ms);
    codec.field(key.feed_version);
}

template <class Codec, class Record>
void each_generation(Codec& codec, Record& generation) {
    codec.field(generation.number);
    codec.field(generation.open);
    codec.field(generation.granted);
    codec.field(generation.settled);
    codec.field(generation.returned);
    codec.field(generation.late_left);
    codec.field(generation.expires_ms);
}

template <class Codec, class Record>
void each_row(Codec& codec, Record& row) {
    codec.field(row.index);
    codec.field(row.time_ms);
    codec.choice(row.kind, RowKind::last);
    codec.field(row.debit);
    codec.field(row.credit);
    codec.field(row.amount);
    codec.field(row.currency);
    codec.field(row.customer);
    codec.field(row.key);
    codec.field(row.request);
    codec.field(row.pop);
    codec.field(row.model);
    codec.field(row.price_version);
    for (auto& units : row.units) codec.field(units);
    codec.choice(row.usage_source, storage::UsageSource::none);
    codec.choice(row.outcome, storage::Outcome::budget_cut);
    codec.field(row.status);
    codec.field(row.created_ms);
    codec.field(row.reference);
}

template <class Codec, class Record>
void each_charge(Codec& codec, Record& charge) {
    codec.field(charge.request);
    codec.field(charge.amount);
    codec.field(charge.row);
}

template <class Codec, class Record>
void each_price_list(Codec& codec, Record& list) {
    codec.field(list.version);
    codec.field(list.model);
    for (auto& unit_price : list.prices) codec.field(unit_price);
    codec.field(list.created_ms);
}

template <class Codec, class Record>
void each_mark(Codec& codec, Record& mark) {
    codec.field(mark.applied);
    codec.field(mark.chain);
    codec.field(mark.contact_ms);
}

template <class Codec, class Record>
void each_claim(Codec& codec, Record& claim) {
    codec.choice(claim.state, ClaimState::last);
    codec.field(claim.fingerprint);
    codec.field(claim.attempt);
    codec.field(claim.owner);
    codec.field(claim.incarnation);
    codec.field(claim.request);
    codec.field(claim.number);
    codec.field(claim.answer);
    codec.field(claim.status);
    codec.field(claim.charged);
    codec.field(claim.ttl_ms);
    codec.field(claim.created_ms);
    codec.field(claim.expires_ms);
}

template <class Codec, class Record>
void each_head(Codec& codec, Record& head) {
    codec.field(head.accounts);
    codec.field(head.keys);
    codec.field(head.models);
    codec.field(head.price_version);
    codec.field(head.feed_version);
    codec.field(head.rows);
    codec.field(head.row_chain);
    codec.field(head.epoch);
}

template <class Codec, class Record>
void each_sealed_body(Codec& codec, Record& body) {
    codec.field(body.id);
    codec.field(body.bytes);
    codec.field(body.digest);
    codec.field(body.kek_version);
    codec.field(body.expires_ms);
}

template <class Codec, class Record>
void each_reference(Codec& codec, Record& reference) {
    codec.field(reference.request);
    codec.field(reference.account);
    codec.field(reference.key);
    codec.field(reference.session);
    codec.field(reference.pop);
    codec.field(reference.incarnation);
    codec.field(reference.model);
    codec.field(reference.status);
    codec.choice(reference.outcome, storage::Outcome::budget_cut);
    codec.field(reference.charged);
    codec.field(reference.created_ms);
    codec.field(reference.settled_ms);
    codec.field(reference.deleted);
    each_sealed_body(codec, reference.answer);
    each_sealed_body(codec, reference.sent);
}

template <class Codec, class Record>
void each_erasure(Codec& codec, Record& erasure) {
    codec.field(erasure.owner);
    codec.field(erasure.answer);
    codec.field(erasure.sent);
    codec.field(erasure.ordered_ms);
    codec.field(erasure.expires_ms);
}

template <class Codec, class Record>
void each_restoration(Codec& codec, Record& restoration) {
    codec.field(restoration.epoch);
    codec.field(restoration.outbox_last);
    codec.field(restoration.until_ms);
}

template <class Codec, class Record>
void each_pop_state(Codec& codec, Record& state) {
    codec.field(state.reported_ms);
    codec.field(state.epoch);
    codec.field(state.report);
}

template <class Codec, class Record>
void each_body_key(Codec& codec, Record& key) {
    codec.field(key.number);
    codec.field(key.created_ms);
    codec.field(key.wrapped);
}

Write start(std::string& target) {
    Write codec{ByteWriter(target)};
    codec.field(version);
    return codec;
}
Read start(Bytes bytes, bool& known) noexcept {
    Read codec{ByteReader(bytes)};
    known = codec.reader.integer<std::uint8_t>() == version;
    return codec;
}

template <auto Each, class Record>
std::string encode_record(const Record& record) {
    std::string target;
    Write codec = start(target);
    Each(codec, record);
    return target;
}
template <auto Each, class Record>
Status decode_record(Bytes bytes, Record& record) noexcept {
    bool known = false;
    Read codec = start(bytes, known);
    Each(codec, record);
    if (!known || !codec.reader.finished()) return corrupt();
    return {};
}

}  // namespace

std::string encode(const Account& account) {
    std::string target;
    Write codec = start(target);
    each_account(codec, account);
    codec.choice(account.claims, ClaimMode::last);
    return target;
}
// Records of before claims end earlier.
Status decode(Bytes bytes, Account& account) noexcept {
    bool known = false;
    Read codec = start(bytes, known);
    each_account(codec, account);
    if (!codec.reader.rest().empty()) codec.choice(account.claims, ClaimMode::last);
    return known && codec.reader.finished() ? Status{} : Status(corrupt());
}
// Most records have no time, and those of before it end there too.
std::string encode(const Charge& charge) {
    std::string target;
    Write codec = start(target);
    each_charge(codec, charge);
    if (charge.until_ms != 0) codec.field(charge.until_ms);
    return target;
}
Status decode(Bytes bytes, Charge& charge) noexcept {
    bool known = false;
    Read codec = start(bytes, known);
    each_charge(codec, charge);
    charge.until_ms = 0;
    const bool timed = !codec.reader.rest().empty();
    if (timed) codec.field(charge.until_ms);
    const bool canonical = !timed || charge.until_ms != 0;
    return known && canonical && codec.reader.finished() ? Status{} : Status(corrupt());
}
std::string encode(const Row& row) {
    return encode_record<each_row<Write, const Row>>(row);
}
Status decode(Bytes bytes, Row& row) noexcept {
    return decode_record<each_row<Read, Row>>(bytes, row);
}
std::string encode(const PriceList& list) {
    return encode_record<each_price_list<Write, const PriceList>>(list);
}
Status decode(Bytes bytes, PriceList& list) noexcept {
    return decode_record<each_price_list<Read, PriceList>>(bytes, list);
}
std::string encode(const Mark& mark) {
    return encode_record<each_mark<Write, const Mark>>(mark);
}
Status decode(Bytes bytes, Mark& mark) noexcept {
    return decode_record<each_mark<Read, Mark>>(bytes, mark);
}
std::string encode(const Claim& claim) {
    return encode_record<each_claim<Write, const Claim>>(claim);
}
Status decode(Bytes bytes, Claim& claim) noexcept {
    return decode_record<each_claim<Read, Claim>>(bytes, claim);
}
std::string encode(const Reference& reference) {
    return encode_record<each_reference<Write, const Reference>>(reference);
}
Status decode(Bytes bytes, Reference& reference) noexcept {
    return decode_record<each_reference<Read, Reference>>(bytes, reference);
}
std::string encode(const Erasure& erasure) {
    return encode_record<each_erasure<Write, const Erasure>>(erasure);
}
Status decode(Bytes bytes, Erasure& erasure) noexcept {
    return decode_record<each_erasure<Read, Erasure>>(bytes, erasure);
}
std::string encode(const Restoration& restoration) {
    return encode_record<each_restoration<Write, const Restoration>>(restoration);
}
Status decode(Bytes bytes, Restoration& restoration) noexcept {
    return decode_record<each_restoration<Read, Restoration>>(bytes, restoration);
}
std::string encode(const PopState& state) {
    return encode_record<each_pop_state<Write, const PopState>>(state);
}
Status decode(Bytes bytes, PopState& state) noexcept {
    return decode_record<each_pop_state<Read, PopState>>(bytes, state);
}
std::string encode(const Head& head) {
    return encode_record<each_head<Write, const Head>>(head);
}
Status decode(Bytes bytes, Head& head) noexcept {
    return decode_record<each_head<Read, Head>>(bytes, head);
}

std::string encode(const Key& key) {
    std::string target;
    Write codec = start(target);
    each_key(codec, key);
    codec.field(static_cast<std::uint32_t>(key.models.size()));
    for (const std::uint32_t model : key.models) codec.field(model);
    return target;
}
Status decode(Bytes bytes, Key& key) noexcept {
    bool known = false;
    Read codec = start(bytes, known);
    each_key(codec, key);
    const auto count = codec.reader.integer<std::uint32_t>();
    if (!known || codec.reader.rest().size() != std::size_t{count} * sizeof(std::uint32_t))
        return corrupt();
    key.models.resize(count);
    for (std::uint32_t& model : key.models) codec.field(model);
    return codec.reader.finished() ? Status{} : Status(corrupt());
}

std::string encode(const Lease& lease) {
    std::string target;
    Write codec = start(target);
    codec.field(static_cast<std::uint8_t>(lease.generations.size()));
    for (const Lease::Generation& generation : lease.generations)
        each_generation(codec, generation);
    return target;
}
Status decode(Bytes bytes, Lease& lease) noexcept {
    bool known = false;
    Read codec = start(bytes, known);
    const auto count = codec.reader.integer<std::uint8_t>();
    if (!known || count > Lease::generations_max) return corrupt();
    lease.generations.resize(count);
    for (Lease::Generation& generation : lease.generations) each_generation(codec, generation);
    return codec.reader.finished() ? Status{} : Status(corrupt());
}

std::string encode(const BodyKeys& keys) {
    std::string target;
    Write codec = start(target);
    codec.field(keys.last);
    codec.field(static_cast<std::uint8_t>(keys.versions.size()));
    for (const BodyKeys::Version& each : keys.versions) each_body_key(codec, each);
    return target;
}
Status decode(Bytes bytes, BodyKeys& keys) noexcept {
    bool known = false;
    Read codec = start(bytes, known);
    codec.field(keys.last);
    const auto count = codec.reader.integer<std::uint8_t>();
    if (!known || count > limits::body_key_versions_max) return corrupt();
    keys.versions.resize(count);
    for (BodyKeys::Version& each : keys.versions) each_body_key(codec, each);
    return codec.reader.finished() ? Status{} : Status(corrupt());
}

std::string encode(const Model& model) {
    std::string target;
    Write codec = start(target);
    codec.field(model.feed_version);
    codec.writer.raw_bytes(encode(model.entry));
    return target;
}
Status decode(Bytes bytes, Model& model) noexcept {
    bool known = false;
    Read codec = start(bytes, known);
    codec.field(model.feed_version);
    if (!known || !codec.reader.ok()) return corrupt();
    Result<FeedRecord> record = decode_feed_record(codec.reader.rest());
    if (!record || !std::holds_alternative<ModelEntry>(*record)) return corrupt();
    model.entry = std::get<ModelEntry>(std::move(*record));
    // A feed may bring fields of a newer version, a row may not: they would be lost when it is
    // written again.
    return encode(model.entry).starts_with(codec.reader.rest()) ? Status{} : Status(corrupt());
}

std::optional<Currency> parse_currency(Bytes bytes) noexcept {
    Currency currency{};
    if (bytes.size() != currency.size()) return std::nullopt;
    for (std::size_t i = 0; i < currency.size(); ++i) {
        if (bytes[i] < 'A' || bytes[i] > 'Z') return std::nullopt;
        currency[i] = bytes[i];
    }
    return currency;
}

AccountId house_account(House house, const Currency& currency) noexcept {
    std::uint64_t letters = 0;
    for (const char letter : currency) letters = letters << 8 | static_cast<unsigned char>(letter);
    const std::uint64_t number = house_bit | std::uint64_t{raw(house)} << 32 | letters;
    return static_cast<AccountId>(number);
}

bool is_house(AccountId account) noexcept {
    return (raw(account) & house_bit) != 0;
}

const char* name(House house) noexcept {
    switch (house) {
        case House::funding: return "house:funding";
        case House::revenue: return "house:revenue";
        case House::duplicate: return "house:duplicate";
        case House::late_loss: return "house:late_loss";
        case House::overrun: return "house:overrun";
        case House::adjustment: return "house:adjustment";
    }
    return "house";
}

const char* name(RowKind kind) noexcept {
    switch (kind) {
        case RowKind::top_up: return "top_up";
        case RowKind::adjustment: return "adjustment";
        case RowKind::charge: return "charge";
        case RowKind::duplicate: return "duplicate";
        case RowKind::late_loss: return "late_loss";
        case RowKind::overrun: return "overrun";
    }
    return "unknown";
}

// Days since 1970 to a month number: the civil calendar by Howard Hinnant's days algorithm.
std::int64_t period_index(BudgetPeriod period, std::int64_t now_ms) noexcept {
    if (period == BudgetPeriod::lifetime) return 0;
    const std::int64_t days = now_ms / 86'400'000;
    if (period == BudgetPeriod::day) return days;
    const std::int64_t shifted = days + 719'468;
    const std::int64_t era = shifted / 146'097;
    const std::int64_t day_of_era = shifted - era * 146'097;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t march_month = (5 * day_of_year + 2) / 153;  // 0 is March
    return (year_of_era + era * 400) * 12 + march_month;
}

}  // namespace nodex::replication::ledger
