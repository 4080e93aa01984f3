// Queries: the envelope of commands, their table, and what customers ask: balance and usage.
#include "replication/central/queries.h"

#include <map>

#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

QueryReply reply_of(const Refusal& refusal) {
    JsonWriter writer;
    writer.open_object();
    writer.open_object("error");
    writer.string("code", refusal.code);
    writer.string("message", refusal.message);
    writer.close_object();
    writer.close_object();
    return {static_cast<std::uint16_t>(refusal.status), writer.take()};
}

const char* name(storage::UsageSource source) noexcept {
    switch (source) {
        case storage::UsageSource::provider: return "provider";
        case storage::UsageSource::counted: return "counted";
        case storage::UsageSource::none: return "none";
    }
    return "none";
}

const char* name(storage::Outcome outcome) noexcept {
    switch (outcome) {
        case storage::Outcome::ok: return "ok";
        case storage::Outcome::client_gone: return "client_gone";
        case storage::Outcome::upstream_error: return "upstream_error";
        case storage::Outcome::upstream_lost: return "upstream_lost";
        case storage::Outcome::budget_cut: return "budget_cut";
    }
    return "unknown";
}

void write_row(const ledger::Row& row, const std::map<std::uint32_t, std::string>& models,
               JsonWriter& writer) {
    const auto model = models.find(row.model);
    writer.open_object();
    writer.string("object", "usage");
    writer.integer("row", static_cast<std::int64_t>(row.index));
    writer.string("kind", ledger::name(row.kind));
    writer.integer("created", row.created_ms / 1'000);
    writer.integer("settled_ms", row.time_ms);
    writer.string("request_id", to_hex(row.request.view()));
    writer.string("model", model == models.end() ? Bytes() : Bytes(model->second));
    writer.integer("key_id", static_cast<std::int64_t>(raw(row.key)));
    writer.integer("pop", raw(row.pop));
    writer.integer("status", row.status);
    writer.string("outcome", name(row.outcome));
    writer.string("usage_source", name(row.usage_source));
    writer.open_object("units");
    for (std::size_t kind = 0; kind < row.units.size(); ++kind)
        if (row.units[kind] != 0)
            writer.integer(unit_name(kind), static_cast<std::int64_t>(row.units[kind]));
    writer.close_object();
    writer.integer("price_version", row.price_version);
    // A duplicate costs the customer nothing: the row's amount is the house's.
    writer.amount("amount", row.kind == ledger::RowKind::charge ? row.amount : 0);
    writer.string("currency", ledger::text(row.currency));
    writer.close_object();
}

}  // namespace

Refusal bad_argument(Bytes argument, Bytes expected) {
    return {400, "invalid_argument", std::string(argument) + " must be " + std::string(expected)};
}

CommandResult only(const JsonObject& args, std::initializer_list<Bytes> names) {
    for (const Bytes given : args.names()) {
        bool known = false;
        for (const Bytes allowed : names) known = known || given == allowed;
        if (!known)
            return Refusal{400, "unknown_argument", "unknown argument: " + std::string(given)};
    }
    return std::nullopt;
}

std::optional<AccountId> account_argument(const JsonObject& args) noexcept {
    const std::optional<std::int64_t> id = args.integer("account");
    if (!id || *id <= 0) return std::nullopt;
    return static_cast<AccountId>(*id);
}
std::optional<KeyId> key_argument(const JsonObject& args) noexcept {
    const std::optional<std::int64_t> id = args.integer("key_id");
    if (!id || *id <= 0) return std::nullopt;
    return static_cast<KeyId>(*id);
}

const char* name(AccountState state) noexcept {
    switch (state) {
        case AccountState::active: return "active";
        case AccountState::blocked: return "blocked";
        case AccountState::closed: return "closed";
    }
    return "unknown";
}
const char* name(KeyState state) noexcept {
    switch (state) {
        case KeyState::active: return "active";
        case KeyState::suspended: return "suspended";
        case KeyState::revoked: return "revoked";
    }
    return "unknown";
}

Bytes unit_name(std::size_t kind) noexcept {
    constexpr std::array<Bytes, storage::units_count> names = {
        "input",  "cached_input", "cache_write_5m", "cache_write_1h",
        "output", "reasoning",    "image",          "other"};
    NX_ASSERT(kind < names.size());
    return names[kind];
}

Refusal Queries::refusal(Error error) {
    if (is_unavailable(error))
        return {503, "unavailable",
                "the ledger's store cannot be reached now, and whether the command was carried out "
                "is not known: look before repeating it"};
    if (error.source == ErrorSource::storage) {
        storage_failed_ = true;
        return {503, "storage_failed", "the ledger's store failed"};
    }
    switch (error.code) {
        case ErrorCode::not_found: return {404, "not_found", "no such account, key or model"};
        case ErrorCode::already_exists:
            return {409, "already_exists", "used before with other contents"};
        case ErrorCode::forbidden: return {409, "wrong_state", "its state does not allow this"};
        case ErrorCode::stale:
            return {409, "changed_meanwhile", "somebody changed it at this moment: say it again"};
        case ErrorCode::insufficient_funds:
            return {409, "insufficient_funds",
                    "less than what is spent or held by running requests"};
        case ErrorCode::overflow:
            return {400, "amount_too_large", "the amount leaves the range of an account"};
        default: return {400, "invalid_argument", "an argument is out of range"};
    }
}

const Queries::Command* Queries::find_command(Bytes command_name) noexcept {
    static constexpr Command commands[] = {
        {"account.create", &Queries::account_create},
        {"account.list", &Queries::account_list},
        {"account.show", &Queries::account_show},
        {"account.block", &Queries::account_block},
        {"account.unblock", &Queries::account_unblock},
        {"account.close", &Queries::account_close},
        {"account.shred", &Queries::account_shred},
        {"account.claims", &Queries::account_claims},
        {"balance.topup", &Queries::balance_top_up},
        {"balance.adjust", &Queries::balance_adjust},
        {"balance.show", &Queries::balance_show},
        {"key.create", &Queries::key_create},
        {"key.list", &Queries::key_list},
        {"key.update", &Queries::key_update},
        {"key.suspend", &Queries::key_suspend},
        {"key.resume", &Queries::key_resume},
        {"key.revoke", &Queries::key_revoke},
        {"account.rotate-key", &Queries::account_rotate_key},
        {"catalog.set", &Queries::catalog_set},
        {"catalog.list", &Queries::catalog_list},
        {"catalog.show", &Queries::catalog_show},
        {"usage.list", &Queries::usage_list},
        {"ledger.verify", &Queries::ledger_verify},
        {"session.list", &Queries::session_list},
        {"session.show", &Queries::session_show},
        {"request.show", &Queries::request_show},
        {"pop.list", &Queries::pop_list},
        {"body.delete", &Queries::body_delete},
        {"body.status", &Queries::body_status},
        {"ledger.raise-epoch", &Queries::ledger_raise_epoch},
    };
    for (const Command& command : commands)
        if (command.name == command_name) return &command;
    return nullptr;
}

QueryReply Queries::admin(Bytes json, std::int64_t now_ms, bool outdated) {
    Result<JsonObject> request = JsonObject::parse(json);
    if (!request) return reply_of({400, "invalid_json", "the request is not a JSON object"});
    const std::optional<Bytes> command_name = request->string("command");
    const Command* command = command_name ? find_command(*command_name) : nullptr;
    if (command == nullptr) return reply_of({400, "unknown_command", "no such command"});
    if (outdated && !command->name.starts_with("ledger."))
        return reply_of({409, "ledger_outdated",
                         "POPs are registered with a later ledger than this one. Restored from a "
                         "backup: nodex admin ledger raise-epoch"});
    std::optional<JsonObject> args = request->object("args");
    if (!args) {
        if (request->kind("args") != JsonObject::Kind::absent)
            return reply_of(bad_argument("args", "an object"));
        Result<JsonObject> none = JsonObject::parse("{}");
        args.emplace(std::move(*none));
    }
    JsonWriter writer;
    writer.open_object();
    writer.open_object("result");
    if (const CommandResult refused = (this->*command->run)(*args, now_ms, writer))
        return reply_of(*refused);
    writer.close_object();
    writer.close_object();
    return {200, writer.take()};
}

QueryReply Queries::balance(Bytes json) {
    Result<JsonObject> request = JsonObject::parse(json);
    if (!request) return reply_of({400, "invalid_json", "the request is not a JSON object"});
    JsonWriter writer;
    writer.open_object();
    if (const CommandResult refused = write_balance(*request, writer)) return reply_of(*refused);
    writer.close_object();
    return {200, writer.take()};
}

QueryReply Queries::usage(Bytes json) {
    Result<JsonObject> request = JsonObject::parse(json);
    if (!request) return reply_of({400, "invalid_json", "the request is not a JSON object"});
    JsonWriter writer;
    writer.open_object();
    if (const CommandResult refused = write_usage(*request, writer)) return reply_of(*refused);
    writer.close_object();
    return {200, writer.take()};
}

CommandResult Queries::write_balance(const JsonObject& args, JsonWriter& result) {
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    Result<std::optional<ledger::Account>> account = ledger_.account(*id);
    if (!account) return refusal(account.error());
    if (!*account) return refusal({ErrorCode::not_found, ErrorSource::client});
    result.amount("balance", (*account)->posted);
    result.string("currency", ledger::text((*account)->currency));
    result.amount("total_spent", (*account)->spent);
    result.integer("last_updated", (*account)->updated_ms / 1'000);
    const std::optional<KeyId> key_id = key_argument(args);
    if (!key_id) return std::nullopt;
    Result<std::optional<ledger::Key>> key = ledger_.key(*key_id);
    if (!key) return refusal(key.error());
    if (!*key || (*key)->account != *id)
        return refusal({ErrorCode::not_found, ErrorSource::client});
    result.open_object("key");
    result.integer("key_id", static_cast<std::int64_t>(raw(*key_id)));
    if ((*key)->has_budget)
        result.amount("budget", (*key)->budget);
    else
        result.null("budget");
    result.amount("spent", (*key)->has_budget ? (*key)->budget_spent : (*key)->spent);
    result.close_object();
    return std::nullopt;
}

CommandResult Queries::read_filter(const JsonObject& args, UsageFilter& filter) {
    const std::initializer_list<Bytes> known = {"account", "key_id", "model", "from",
                                                "to",      "limit",  "cursor"};
    if (const CommandResult unknown = only(args, known)) return unknown;
    const std::optional<AccountId> account = account_argument(args);
    if (!account) return bad_argument("account", "an account number");
    filter.account = *account;
    filter.rows_max = limits::page_rows_default;
    if (args.kind("key_id") != JsonObject::Kind::absent) {
        filter.key = key_argument(args);
        if (!filter.key) return bad_argument("key_id", "a key number");
    }
    if (args.kind("model") != JsonObject::Kind::absent) {
        const std::optional<Bytes> id = args.string("model");
        if (!id) return bad_argument("model", "a catalogue id");
        Result<std::optional<ledger::Model>> model = ledger_.model(*id);
        if (!model) return refusal(model.error());
        if (!*model) return refusal({ErrorCode::not_found, ErrorSource::client});
        filter.model = (*model)->entry.number;
    }
    for (const auto& [argument, target] :
         {std::pair(Bytes("from"), &filter.from_ms), {Bytes("to"), &filter.to_ms}}) {
        if (args.kind(argument) == JsonObject::Kind::absent) continue;
        const std::optional<std::int64_t> seconds = args.integer(argument);
        if (!seconds || *seconds < 0 || *seconds > INT64_MAX / 1'000)
            return bad_argument(argument, "a Unix time");
        *target = *seconds * 1'000;
    }
    if (args.kind("limit") != JsonObject::Kind::absent) {
        const std::optional<std::int64_t> limit = args.integer("limit");
        if (!limit || *limit < 1 || *limit > limits::page_rows_max)
            return bad_argument("limit", "1 to 1000");
        filter.rows_max = static_cast<unsigned>(*limit);
    }
    if (args.kind("cursor") != JsonObject::Kind::absent) {
        const std::optional<Bytes> cursor = args.string("cursor");
        if (!cursor) return bad_argument("cursor", "next_cursor of an earlier page");
        filter.cursor = std::string(*cursor);
    }
    return std::nullopt;
}

CommandResult Queries::write_usage(const JsonObject& args, JsonWriter& result) {
    UsageFilter filter;
    if (CommandResult refused = read_filter(args, filter)) return refused;
    Result<UsagePage> page = ledger_.usage(filter);
    if (!page) return refusal(page.error());
    Result<std::vector<ledger::Model>> models = ledger_.models();
    if (!models) return refusal(models.error());
    std::map<std::uint32_t, std::string> ids;
    for (const ledger::Model& model : *models) ids.emplace(model.entry.number, model.entry.id);
    result.string("object", "list");
    result.open_array("data");
    for (const ledger::Row& row : page->rows) write_row(row, ids, result);
    result.close_array();
    result.boolean("has_more", page->more);
    result.string_or_null("next_cursor", page->cursor);
    return std::nullopt;
}

CommandResult Queries::usage_list(const JsonObject& args, std::int64_t, JsonWriter& result) {
    return write_usage(args, result);
}

CommandResult Queries::ledger_raise_epoch(const JsonObject& args, std::int64_t now_ms,
                                          JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"above"})) return unknown;
    const std::int64_t above = args.integer("above").value_or(0);
    if (above < 0) return bad_argument("above", "an epoch");
    const Result<std::uint64_t> epoch =
        ledger_.raise_epoch(now_ms, std::max(epoch_seen_, static_cast<std::uint64_t>(above)));
    if (!epoch) return refusal(epoch.error());
    result.integer("epoch", static_cast<std::int64_t>(*epoch));
    return std::nullopt;
}

CommandResult Queries::ledger_verify(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {})) return unknown;
    Result<LedgerAudit> audit = ledger_.verify();
    if (!audit) return refusal(audit.error());
    result.boolean("sound", audit->sound());
    result.integer("rows", static_cast<std::int64_t>(audit->rows));
    result.integer("accounts", static_cast<std::int64_t>(audit->accounts));
    result.integer("differences", static_cast<std::int64_t>(audit->differences));
    result.boolean("chain_matches", audit->chain_matches);
    result.boolean("sums_to_zero", audit->sums_to_zero);
    result.string("first_problem", audit->first_problem);
    return std::nullopt;
}

}  // namespace nodex::replication
