// Queries: the operator's commands on API keys. The key itself is in the answer of key.create and
// nowhere else.
#include "edge/base/limits.h"
#include "edge/crypto/api_key.h"
#include "replication/central/queries.h"

namespace nodex::replication {
namespace {

const char* name(IdempotencyPolicy policy) noexcept {
    switch (policy) {
        case IdempotencyPolicy::required: return "required";
        case IdempotencyPolicy::sdk: return "sdk";
        case IdempotencyPolicy::generate: return "generate";
    }
    return "sdk";
}
const char* name(ledger::BudgetPeriod period) noexcept {
    switch (period) {
        case ledger::BudgetPeriod::lifetime: return "lifetime";
        case ledger::BudgetPeriod::day: return "day";
        case ledger::BudgetPeriod::month: return "month";
    }
    return "lifetime";
}

template <class Enum>
std::optional<Enum> parse_name(Bytes text, Enum last) noexcept {
    for (int value = 0; value <= static_cast<int>(last); ++value)
        if (text == name(static_cast<Enum>(value))) return static_cast<Enum>(value);
    return std::nullopt;
}

// A number from 0 (no limit) to `most`; absent keeps the target.
template <class Number>
CommandResult read_limit(const JsonObject& args, Bytes argument, std::int64_t most,
                         Number& target) {
    if (args.kind(argument) == JsonObject::Kind::absent) return std::nullopt;
    const std::optional<std::int64_t> value = args.integer(argument);
    if (!value || *value < 0 || *value > most)
        return bad_argument(argument, "a whole number, 0 for no limit");
    target = static_cast<Number>(*value);
    return std::nullopt;
}

KeySettings settings_of(const ledger::Key& key) {
    KeySettings settings;
    settings.name = key.name;
    settings.policy = key.policy;
    settings.expires_ms = key.expires_ms;
    if (key.has_budget) settings.budget = key.budget;
    settings.period = key.period;
    settings.limits = key.limits;
    settings.models = key.models;
    return settings;
}

}  // namespace

CommandResult Queries::read_models(const JsonObject& args, KeySettings& settings) {
    if (args.kind("models") == JsonObject::Kind::absent) return std::nullopt;
    const std::optional<std::vector<std::string>> ids = args.strings("models");
    if (!ids || ids->size() > limits::key_models_max)
        return bad_argument("models", "a list of at most 1,000 catalogue ids");
    settings.models.clear();
    for (const std::string& id : *ids) {
        Result<std::optional<ledger::Model>> model = ledger_.model(id);
        if (!model) return refusal(model.error());
        if (!*model) return Refusal{404, "not_found", "no such model: " + id};
        settings.models.push_back((*model)->entry.number);
    }
    return std::nullopt;
}

// Absent arguments keep what `settings` holds; budget null takes the budget away.
CommandResult Queries::read_settings(const JsonObject& args, KeySettings& settings) {
    using Kind = JsonObject::Kind;
    if (args.kind("name") != Kind::absent) {
        const std::optional<Bytes> text = args.string("name");
        if (!text || text->size() > limits::admin_text_bytes_max)
            return bad_argument("name", "at most 200 octets of text");
        settings.name = std::string(*text);
    }
    if (args.kind("budget") == Kind::null) {
        settings.budget.reset();
    } else if (args.kind("budget") != Kind::absent) {
        settings.budget = parse_amount(args.string("budget").value_or(""));
        if (!settings.budget || *settings.budget < 0)
            return bad_argument("budget", "a decimal string, or null for none");
    }
    if (args.kind("budget_period") != Kind::absent) {
        const auto period =
            parse_name(args.string("budget_period").value_or(""), ledger::BudgetPeriod::last);
        if (!period) return bad_argument("budget_period", "lifetime, day or month");
        settings.period = *period;
    }
    if (args.kind("policy") != Kind::absent) {
        const auto policy =
            parse_name(args.string("policy").value_or(""), IdempotencyPolicy::generate);
        if (!policy) return bad_argument("policy", "required, sdk or generate");
        settings.policy = *policy;
    }
    if (args.kind("expires_at") != Kind::absent) {
        const std::optional<std::int64_t> seconds = args.integer("expires_at");
        if (!seconds || *seconds < 0 || *seconds > INT64_MAX / 1'000)
            return bad_argument("expires_at", "a Unix time, 0 for never");
        settings.expires_ms = *seconds * 1'000;
    }
    if (CommandResult bad =
            read_limit(args, "rpm", UINT32_MAX, settings.limits.requests_per_minute))
        return bad;
    if (CommandResult bad = read_limit(args, "tpm", INT64_MAX, settings.limits.tokens_per_minute))
        return bad;
    if (CommandResult bad =
            read_limit(args, "concurrency", UINT32_MAX, settings.limits.concurrency))
        return bad;
    return read_models(args, settings);
}

void Queries::write_key(const ledger::Key& key, JsonWriter& result) {
    result.integer("key_id", static_cast<std::int64_t>(raw(key.id)));
    result.integer("account", static_cast<std::int64_t>(raw(key.account)));
    result.string("name", key.name);
    result.string("state", replication::name(key.state));
    result.string("policy", name(key.policy));
    if (key.has_budget)
        result.amount("budget", key.budget);
    else
        result.null("budget");
    result.string("budget_period", name(key.period));
    result.amount("budget_spent", key.budget_spent);
    result.amount("held", key.held);
    result.amount("total_spent", key.spent);
    result.integer("expires_at", key.expires_ms / 1'000);
    result.integer("rpm", key.limits.requests_per_minute);
    result.integer("tpm", static_cast<std::int64_t>(key.limits.tokens_per_minute));
    result.integer("concurrency", key.limits.concurrency);
    result.open_array("models");
    for (const std::uint32_t model : key.models) result.integer({}, model);
    result.close_array();
    result.integer("created", key.created_ms / 1'000);
}

CommandResult Queries::key_create(const JsonObject& args, std::int64_t now_ms, JsonWriter& result) {
    const std::initializer_list<Bytes> known = {
        "account", "name",       "budget", "budget_period", "policy",
        "models",  "expires_at", "rpm",    "tpm",           "concurrency"};
    if (const CommandResult unknown = only(args, known)) return unknown;
    const std::optional<AccountId> account = account_argument(args);
    if (!account) return bad_argument("account", "an account number");
    KeySettings settings;
    if (CommandResult refused = read_settings(args, settings)) return refused;
    if (settings.name.empty()) return bad_argument("name", "1 to 200 octets of text");
    const std::string text = crypto::make_api_key(random_);
    const KeyHash hash = crypto::hash_api_key(key_hash_secret_, text);
    Result<ledger::Key> key = ledger_.create_key(*account, hash, settings, now_ms);
    if (!key) return refusal(key.error());
    result.string("key", text);
    write_key(*key, result);
    return std::nullopt;
}

CommandResult Queries::key_list(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account", "after"})) return unknown;
    const std::optional<AccountId> account = account_argument(args);
    if (!account) return bad_argument("account", "an account number");
    const std::int64_t after = args.integer("after").value_or(0);
    if (after < 0) return bad_argument("after", "a key number");
    Result<std::vector<ledger::Key>> keys =
        ledger_.keys(*account, static_cast<KeyId>(after), limits::page_rows_max + 1);
    if (!keys) return refusal(keys.error());
    const bool more = keys->size() > limits::page_rows_max;
    if (more) keys->pop_back();
    result.open_array("keys");
    for (const ledger::Key& key : *keys) {
        result.open_object();
        write_key(key, result);
        result.close_object();
    }
    result.close_array();
    result.boolean("has_more", more);
    return std::nullopt;
}

CommandResult Queries::key_update(const JsonObject& args, std::int64_t now_ms, JsonWriter& result) {
    const std::initializer_list<Bytes> known = {
        "key_id", "name",       "budget", "budget_period", "policy",
        "models", "expires_at", "rpm",    "tpm",           "concurrency"};
    if (const CommandResult unknown = only(args, known)) return unknown;
    const std::optional<KeyId> id = key_argument(args);
    if (!id) return bad_argument("key_id", "a key number");
    Result<std::optional<ledger::Key>> current = ledger_.key(*id);
    if (!current) return refusal(current.error());
    if (!*current) return refusal({ErrorCode::not_found, ErrorSource::client});
    KeySettings settings = settings_of(**current);
    if (CommandResult refused = read_settings(args, settings)) return refused;
    Result<ledger::Key> key = ledger_.update_key(*id, settings, now_ms, (*current)->feed_version);
    if (!key) return refusal(key.error());
    write_key(*key, result);
    return std::nullopt;
}

CommandResult Queries::set_key_state(const JsonObject& args, KeyState state, std::int64_t now_ms,
                                     JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"key_id"})) return unknown;
    const std::optional<KeyId> id = key_argument(args);
    if (!id) return bad_argument("key_id", "a key number");
    Result<ledger::Key> key = ledger_.set_key_state(*id, state, now_ms);
    if (!key) return refusal(key.error());
    write_key(*key, result);
    return std::nullopt;
}
CommandResult Queries::key_suspend(const JsonObject& args, std::int64_t now_ms,
                                   JsonWriter& result) {
    return set_key_state(args, KeyState::suspended, now_ms, result);
}
CommandResult Queries::key_resume(const JsonObject& args, std::int64_t now_ms, JsonWriter& result) {
    return set_key_state(args, KeyState::active, now_ms, result);
}
CommandResult Queries::key_revoke(const JsonObject& args, std::int64_t now_ms, JsonWriter& result) {
    return set_key_state(args, KeyState::revoked, now_ms, result);
}

}  // namespace nodex::replication
