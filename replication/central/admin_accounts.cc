// Queries: the operator's commands on accounts and their balances.
#include <utility>

#include "edge/base/limits.h"
#include "replication/central/queries.h"

namespace nodex::replication {
namespace {

constexpr std::pair<ClaimMode, const char*> claim_modes[] = {
    {ClaimMode::node, "node"},
    {ClaimMode::overlap, "overlap"},
    {ClaimMode::strict, "strict"},
    {ClaimMode::local, "local"},
};
Bytes claim_mode_name(ClaimMode mode) noexcept {
    for (const auto& [each, text] : claim_modes)
        if (each == mode) return text;
    return "unknown";
}

void write_account(const ledger::Account& account, JsonWriter& result) {
    result.integer("account", static_cast<std::int64_t>(raw(account.id)));
    result.string("name", account.name);
    result.string("currency", ledger::text(account.currency));
    result.string("state", name(account.state));
    result.amount("balance", account.posted);
    result.amount("held", account.held);
    result.amount("total_spent", account.spent);
    result.string("claims", claim_mode_name(account.claims));
    result.integer("created", account.created_ms / 1'000);
    result.integer("last_updated", account.updated_ms / 1'000);
}

}  // namespace

CommandResult Queries::account_create(const JsonObject& args, std::int64_t now_ms,
                                      JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"name", "currency"})) return unknown;
    const std::optional<Bytes> account_name = args.string("name");
    if (!account_name || account_name->empty() ||
        account_name->size() > limits::admin_text_bytes_max)
        return bad_argument("name", "1 to 200 octets of text");
    const bool given = args.kind("currency") != JsonObject::Kind::absent;
    const std::optional<ledger::Currency> currency =
        ledger::parse_currency(given ? args.string("currency").value_or("") : Bytes("USD"));
    if (!currency) return bad_argument("currency", "three capital letters");
    Result<ledger::Account> account =
        ledger_.create_account(std::string(*account_name), *currency, now_ms);
    if (!account) return refusal(account.error());
    write_account(*account, result);
    return std::nullopt;
}

CommandResult Queries::account_list(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"after"})) return unknown;
    const std::int64_t after = args.integer("after").value_or(0);
    if (after < 0) return bad_argument("after", "an account number");
    Result<std::vector<ledger::Account>> accounts =
        ledger_.accounts(static_cast<AccountId>(after), limits::page_rows_max + 1);
    if (!accounts) return refusal(accounts.error());
    const bool more = accounts->size() > limits::page_rows_max;
    if (more) accounts->pop_back();
    result.open_array("accounts");
    for (const ledger::Account& account : *accounts) {
        result.open_object();
        write_account(account, result);
        result.close_object();
    }
    result.close_array();
    result.boolean("has_more", more);
    return std::nullopt;
}

CommandResult Queries::account_show(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account"})) return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    Result<std::optional<ledger::Account>> account = ledger_.account(*id);
    if (!account) return refusal(account.error());
    if (!*account) return refusal({ErrorCode::not_found, ErrorSource::client});
    write_account(**account, result);
    return std::nullopt;
}

CommandResult Queries::set_state(const JsonObject& args, AccountState state, std::int64_t now_ms,
                                 JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account"})) return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    Result<ledger::Account> account = ledger_.set_account_state(*id, state, now_ms);
    if (!account) return refusal(account.error());
    write_account(*account, result);
    return std::nullopt;
}
CommandResult Queries::account_block(const JsonObject& args, std::int64_t now_ms,
                                     JsonWriter& result) {
    return set_state(args, AccountState::blocked, now_ms, result);
}
CommandResult Queries::account_unblock(const JsonObject& args, std::int64_t now_ms,
                                       JsonWriter& result) {
    return set_state(args, AccountState::active, now_ms, result);
}
CommandResult Queries::account_close(const JsonObject& args, std::int64_t now_ms,
                                     JsonWriter& result) {
    return set_state(args, AccountState::closed, now_ms, result);
}

CommandResult Queries::account_claims(const JsonObject& args, std::int64_t now_ms,
                                      JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account", "mode"})) return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    const Bytes wanted = args.string("mode").value_or("");
    for (const auto& [mode, text] : claim_modes) {
        if (wanted != text) continue;
        Result<ledger::Account> account = ledger_.set_account_claims(*id, mode, now_ms);
        if (!account) return refusal(account.error());
        write_account(*account, result);
        return std::nullopt;
    }
    return bad_argument("mode", "node, overlap, strict or local");
}

CommandResult Queries::account_shred(const JsonObject& args, std::int64_t now_ms,
                                     JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account"})) return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    Result<ledger::Account> account = ledger_.shred_account(*id, now_ms);
    if (!account) return refusal(account.error());
    write_account(*account, result);
    result.integer("shreds", account->shreds);
    return std::nullopt;
}

CommandResult Queries::account_rotate_key(const JsonObject& args, std::int64_t now_ms,
                                          JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account"})) return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    if (body_keys_ == nullptr || !body_keys_->ready())
        return Refusal{503, "unavailable", "this centre gives out no body keys"};
    const Result<ledger::BodyKeys> keys = body_keys_->rotate(*id, now_ms);
    if (!keys && keys.error().code == ErrorCode::limit_exceeded)
        return Refusal{409, "too_many_versions",
                       "earlier versions are still in use; the oldest ends 35 days after its "
                       "successor was made. A restored ledger makes one version a second"};
    if (!keys) return refusal(keys.error());
    result.integer("account", static_cast<std::int64_t>(raw(*id)));
    result.integer("key_version", keys->versions.back().number);
    result.integer("versions", static_cast<std::int64_t>(keys->versions.size()));
    return std::nullopt;
}

CommandResult Queries::balance_top_up(const JsonObject& args, std::int64_t now_ms,
                                      JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account", "amount", "reference"}))
        return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    const std::optional<Nano> amount = parse_amount(args.string("amount").value_or(""));
    if (!amount || *amount <= 0)
        return bad_argument("amount", "a positive decimal string such as \"12.50\"");
    const std::optional<Bytes> reference = args.string("reference");
    if (!reference || reference->empty() || reference->size() > limits::admin_text_bytes_max)
        return bad_argument("reference", "1 to 200 octets that name the payment");
    Result<Ledger::TopUp> top_up = ledger_.top_up(*id, *amount, std::string(*reference), now_ms);
    if (!top_up) return refusal(top_up.error());
    result.boolean("applied", top_up->applied);
    write_account(top_up->account, result);
    return std::nullopt;
}

CommandResult Queries::balance_adjust(const JsonObject& args, std::int64_t now_ms,
                                      JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account", "amount", "reason"})) return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    const std::optional<Nano> amount = parse_amount(args.string("amount").value_or(""));
    if (!amount || *amount == 0) return bad_argument("amount", "a decimal string other than zero");
    const Bytes reason = args.string("reason").value_or("");
    if (reason.size() > limits::admin_text_bytes_max)
        return bad_argument("reason", "at most 200 octets");
    Result<ledger::Account> account = ledger_.adjust(*id, *amount, std::string(reason), now_ms);
    if (!account) return refusal(account.error());
    write_account(*account, result);
    return std::nullopt;
}

CommandResult Queries::balance_show(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account", "key_id"})) return unknown;
    return write_balance(args, result);
}

}  // namespace nodex::replication
