// Layouts of feed records: kind u8, then the fields in the order of their structs. A new field
// comes last, and its decoder asks has_more() first.
#include "replication/feed_records.h"

#include "edge/base/codec.h"
#include "replication/decoding.h"

namespace nodex::replication {
namespace {

enum class Kind : std::uint8_t { account, key, model, last = model };
enum class Flag : std::uint8_t { no, yes };  // any other octet is malformed
static_assert(feed_kinds == static_cast<std::uint8_t>(Kind::last) + 1);
constexpr std::size_t list_max = 4'096;  // models of a key, aliases of a model

// The sender is not older than the field that follows.
bool has_more(const ByteReader& reader) noexcept {
    return !reader.rest().empty();
}

template <class Enum>
Enum read_or(ByteReader& reader, Enum last, Enum strictest) noexcept {
    const auto value = reader.integer<std::underlying_type_t<Enum>>();
    return value > static_cast<std::underlying_type_t<Enum>>(last) ? strictest
                                                                   : static_cast<Enum>(value);
}

Result<FeedRecord> decode_account(ByteReader& reader) noexcept {
    AccountRecord account;
    account.id = static_cast<AccountId>(reader.integer<std::uint64_t>());
    account.state = read_or(reader, AccountState::closed, AccountState::blocked);
    account.shreds = reader.integer<std::uint32_t>();
    account.key_version = reader.integer<std::uint32_t>();
    if (has_more(reader)) account.claims = read_or(reader, ClaimMode::last, ClaimMode::strict);
    if (!reader.ok() || raw(account.id) == 0) return malformed();
    FeedRecord record(std::in_place_type<AccountRecord>, account);
    return record;
}

Result<FeedRecord> decode_key(ByteReader& reader) noexcept {
    KeyRecord key;
    key.id = static_cast<KeyId>(reader.integer<std::uint64_t>());
    key.account = static_cast<AccountId>(reader.integer<std::uint64_t>());
    key.hash = reader.opaque<KeyHash>();
    key.state = read_or(reader, KeyState::revoked, KeyState::suspended);
    key.policy = read_or(reader, IdempotencyPolicy::generate, IdempotencyPolicy::required);
    key.expires_ms = reader.integer<std::int64_t>();
    key.has_budget = reader.enumerator(Flag::yes) == Flag::yes;
    key.limits.requests_per_minute = reader.integer<std::uint32_t>();
    key.limits.tokens_per_minute = reader.integer<std::uint64_t>();
    key.limits.concurrency = reader.integer<std::uint32_t>();
    const auto count = reader.integer<std::uint32_t>();
    if (!reader.ok() || count > list_max || count > reader.rest().size() / sizeof(std::uint32_t))
        return malformed();
    for (std::uint32_t i = 0; i < count; ++i) key.models.push_back(reader.integer<std::uint32_t>());
    if (!reader.ok() || raw(key.id) == 0 || raw(key.account) == 0) return malformed();
    FeedRecord record(std::in_place_type<KeyRecord>, std::move(key));
    return record;
}

Result<FeedRecord> decode_model(ByteReader& reader) noexcept {
    ModelEntry model;
    model.number = reader.integer<std::uint32_t>();
    model.id = std::string(reader.string());
    const auto count = reader.integer<std::uint32_t>();
    if (!reader.ok() || count > list_max || count > reader.rest().size() / sizeof(std::uint32_t))
        return malformed();
    for (std::uint32_t i = 0; i < count; ++i) model.aliases.emplace_back(reader.string());
    model.display_name = std::string(reader.string());
    model.owned_by = std::string(reader.string());
    model.created_s = reader.integer<std::int64_t>();
    model.context_tokens = reader.integer<std::uint64_t>();
    model.output_tokens_max = reader.integer<std::uint64_t>();
    model.image_tokens_max = reader.integer<std::uint64_t>();
    model.on_sale = reader.enumerator(Flag::yes) == Flag::yes;
    model.price_version = reader.integer<std::uint32_t>();
    for (Nano& unit_price : model.prices) {
        unit_price = reader.integer<Nano>();
        if (unit_price < 0) return malformed();
    }
    if (!reader.ok() || model.number == 0 || model.id.empty()) return malformed();
    FeedRecord record(std::in_place_type<ModelEntry>, std::move(model));
    return record;
}

}  // namespace

std::string encode(const AccountRecord& account) {
    std::string target;
    ByteWriter writer(target);
    writer.integer(Kind::account);
    writer.integer(account.id);
    writer.integer(account.state);
    writer.integer(account.shreds);
    writer.integer(account.key_version);
    writer.integer(account.claims);
    return target;
}

std::string encode(const KeyRecord& key) {
    NX_ASSERT(key.models.size() <= list_max);
    std::string target;
    ByteWriter writer(target);
    writer.integer(Kind::key);
    writer.integer(key.id);
    writer.integer(key.account);
    writer.opaque(key.hash);
    writer.integer(key.state);
    writer.integer(key.policy);
    writer.integer(key.expires_ms);
    writer.integer(static_cast<std::uint8_t>(key.has_budget));
    writer.integer(key.limits.requests_per_minute);
    writer.integer(key.limits.tokens_per_minute);
    writer.integer(key.limits.concurrency);
    writer.integer(static_cast<std::uint32_t>(key.models.size()));
    for (const std::uint32_t model : key.models) writer.integer(model);
    return target;
}

std::string encode(const ModelEntry& model) {
    NX_ASSERT(model.aliases.size() <= list_max);
    std::string target;
    ByteWriter writer(target);
    writer.integer(Kind::model);
    writer.integer(model.number);
    writer.string(model.id);
    writer.integer(static_cast<std::uint32_t>(model.aliases.size()));
    for (const std::string& alias : model.aliases) writer.string(alias);
    writer.string(model.display_name);
    writer.string(model.owned_by);
    writer.integer(model.created_s);
    writer.integer(model.context_tokens);
    writer.integer(model.output_tokens_max);
    writer.integer(model.image_tokens_max);
    writer.integer(static_cast<std::uint8_t>(model.on_sale));
    writer.integer(model.price_version);
    for (const Nano unit_price : model.prices) writer.integer(unit_price);
    return target;
}

Result<FeedRecord> decode_feed_record(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    const auto kind = reader.integer<Kind>();
    if (!reader.ok()) return malformed();
    if (kind > Kind::last) {
        FeedRecord record(std::in_place_type<UnknownRecord>);
        return record;
    }
    switch (kind) {
        case Kind::account: return decode_account(reader);
        case Kind::key: return decode_key(reader);
        case Kind::model: return decode_model(reader);
    }
    return malformed();
}

}  // namespace nodex::replication
