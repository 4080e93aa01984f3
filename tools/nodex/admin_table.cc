// The operator commands. The table is the documentation: help, parsing and requests are all made
// from it.
#include <array>

#include "tools/nodex/admin.h"

namespace nodex::cli {

namespace {

constexpr Field account{"account", "ACCOUNT", Form::identifier, true, "account id"};
constexpr Field key_id{"key_id", "KEY_ID", Form::identifier, true, "key id (not the key itself)"};
constexpr Field model_id{"id", "MODEL", Form::text, true, "model id"};

constexpr std::array account_create{
    Field{"name", "NAME", Form::text, true, "name for people"},
    Field{"currency", "--currency", Form::text, false, "three letters, USD when left out"}};
constexpr std::array only_account{account};
constexpr std::array account_page{
    Field{"after", "--after", Form::identifier, false, "accounts after this id"}};
constexpr std::array balance_topup{
    account,
    Field{"amount", "AMOUNT", Form::amount, true, "in units of the currency, such as 12.50"},
    Field{"reference", "--reference", Form::text, true,
          "names this payment; the same reference is applied once"}};
constexpr std::array balance_adjust{
    account, Field{"amount", "AMOUNT", Form::amount, true, "may be below zero, such as -12.50"},
    Field{"reason", "--reason", Form::text, true, "kept with the row"}};

constexpr Field key_name{"name", "NAME", Form::text, true, "name for people"};
constexpr Field key_budget{"budget", "--budget", Form::amount_or_none, false,
                           "most that the key may spend, or none"};
constexpr Field key_budget_period{"budget_period", "--budget-period", Form::text, false,
                                  "lifetime (default), day or month"};
constexpr Field key_policy{"policy", "--policy", Form::text, false,
                           "idempotency keys: required, sdk (default) or generate"};
constexpr Field key_models{"models", "--model", Form::list, false,
                           "may be repeated; all when left out"};
constexpr Field key_expiry{"expires_at", "--expires-at", Form::time_or_never, false,
                           "a day, a time in UTC, unix seconds, or never"};
constexpr Field key_rpm{"rpm", "--rpm", Form::whole, false, "requests a minute"};
constexpr Field key_tpm{"tpm", "--tpm", Form::whole, false, "tokens a minute"};
constexpr Field key_concurrency{"concurrency", "--concurrency", Form::whole, false,
                                "requests at the same time"};
constexpr std::array key_create{account,    key_name,       key_budget, key_budget_period,
                                key_policy, key_models,     key_expiry, key_rpm,
                                key_tpm,    key_concurrency};
constexpr std::array key_update{
    key_id,     Field{"name", "--name", Form::text, false, "name for people"},
    key_budget, key_budget_period,
    key_policy, key_models,
    key_expiry, key_rpm,
    key_tpm,    key_concurrency};
constexpr std::array only_key{key_id};
constexpr std::array key_page{
    account, Field{"after", "--after", Form::identifier, false, "keys after this id"}};

constexpr const char* per_million = "units of the currency per million tokens";
constexpr std::array catalog_set{
    model_id,
    Field{"context_tokens", "--context-tokens", Form::whole, false, "input and output together"},
    Field{"output_tokens_max", "--output-tokens-max", Form::whole, false,
          "most that one answer may have"},
    Field{"image_tokens_max", "--image-tokens-max", Form::whole, false,
          "most that one image counts as input"},
    Field{"prices.input", "--input-price", Form::amount, false, per_million},
    Field{"prices.cached_input", "--cached-input-price", Form::amount, false, "else as input"},
    Field{"prices.cache_write_5m", "--cache-write-5m-price", Form::amount, false, "else as input"},
    Field{"prices.cache_write_1h", "--cache-write-1h-price", Form::amount, false, "else as input"},
    Field{"prices.output", "--output-price", Form::amount, false, per_million},
    Field{"prices.reasoning", "--reasoning-price", Form::amount, false, "else as output"},
    Field{"aliases", "--alias", Form::list, false, "other names; may be repeated"},
    Field{"display_name", "--display-name", Form::text, false, "name for people"},
    Field{"owned_by", "--owned-by", Form::text, false, "who makes the model"},
    Field{"on_sale", "--on-sale", Form::yes_no, false, "yes or no"}};
constexpr std::array only_model{model_id};

constexpr std::array account_claims{
    account,
    Field{"mode", "MODE", Form::text, true,
          "node (as configured there), overlap, strict (before the provider is called) or local"}};

constexpr std::array usage_list{
    account,
    Field{"key_id", "--key-id", Form::identifier, false, "only this key"},
    Field{"model", "--model", Form::text, false, "only this model"},
    Field{"from", "--from", Form::time, false, "a day, a time in UTC, or unix seconds"},
    Field{"to", "--to", Form::time, false, "the same; rows before it"},
    Field{"limit", "--limit", Form::whole, false, "rows a page"},
    Field{"cursor", "--cursor", Form::text, false, "next_cursor of the page before"}};

constexpr Field cursor{"cursor", "--cursor", Form::text, false, "next_cursor of the page before"};
constexpr std::array session_list{account, cursor};
constexpr std::array session_show{
    account, Field{"session", "SESSION", Form::text, true, "as session list tells"}, cursor};
constexpr std::array pop_list{
    Field{"after", "--after", Form::whole, false, "only POPs with a higher number"}};
constexpr std::array request_show{
    Field{"request_id", "REQUEST_ID", Form::text, true, "X-Nodex-Request-Id of the answer"}};

constexpr std::array raise_epoch{
    Field{"above", "--above", Form::identifier, false,
          "highest epoch that a lost ledger had, where the clock may be behind it"}};

constexpr std::array commands{
    Command{"account", "create", "open an account", "\"Example Ltd\" --currency USD",
            account_create, false},
    Command{"account", "list", "all accounts", "--after 100", account_page, false},
    Command{"account", "show", "one account", "1", only_account, false},
    Command{"account", "block", "refuse its requests until unblocked", "1", only_account, false},
    Command{"account", "unblock", "serve its requests again", "1", only_account, false},
    Command{"account", "close", "refuse its requests for good", "1 --yes", only_account, true},
    Command{"account", "claims", "when its requests ask whether their key runs at another POP",
            "1 strict", account_claims, false},
    Command{"account", "shred", "destroy its body key: stored bodies become unreadable", "1 --yes",
            only_account, true},
    Command{"account", "rotate-key", "new body key for what is stored from now on", "1",
            only_account, false},
    Command{"balance", "topup", "add money", "1 100.00 --reference invoice-2026-0001",
            balance_topup, false},
    Command{"balance", "adjust", "correct by an amount that may be below zero",
            "1 -12.50 --reason \"refund of May\"", balance_adjust, false},
    Command{"balance", "show", "balance, held and spent", "1", only_account, false},
    Command{"key", "create", "make an API key; it is shown once",
            "1 production --budget 50 --budget-period month --rpm 600 --expires-at 2027-12-31",
            key_create, false},
    Command{"key", "list", "an account's keys", "1", key_page, false},
    Command{"key", "update", "change what is named, keep the rest", "7 --budget none --rpm 1200",
            key_update, false},
    Command{"key", "suspend", "refuse it until resumed", "7", only_key, false},
    Command{"key", "resume", "accept it again", "7", only_key, false},
    Command{"key", "revoke", "refuse it for good", "7", only_key, false},
    Command{"catalog", "set", "add a model, or change what is named; prices are given together",
            "gpt-5.4 --output-tokens-max 128000 --input-price 1.25 --output-price 10", catalog_set,
            false},
    Command{"catalog", "list", "models and prices", "", {}, false},
    Command{"catalog", "show", "one model", "gpt-5.4", only_model, false},
    Command{"usage", "list", "what an account was charged for", "1 --from 2026-11-01 --limit 100",
            usage_list, false},
    Command{"session", "list", "an account's sessions: requests and what they cost", "1",
            session_list, false},
    Command{"session", "show", "the requests of a session, and where their bodies are",
            "1 ses_b439a9a1b44705829a1c392e02a0a346", session_show, false},
    Command{"request", "show", "one request, and where its bodies are",
            "00010000000100000000000001eb7bfb", request_show, false},
    Command{"pop", "list", "every POP: when it was heard of, lag, outbox, leases", "", pop_list,
            false},
    Command{"ledger", "raise-epoch",
            "after a restore from a backup: POPs register again and ship again what was lost",
            "--yes", raise_epoch, true},
    Command{"ledger", "verify", "recompute every balance from the ledger's rows", "", {}, false},
};

struct Group {
    std::string_view name;
    const char* help;
};
constexpr std::array groups{
    Group{"account", "customers: open, block, close; how their keys are claimed; their body keys"},
    Group{"balance", "a customer's money"},
    Group{"key", "API keys: budget, rate limits, models, state"},
    Group{"catalog", "models and their prices"},
    Group{"usage", "what was charged"},
    Group{"session", "conversations, and where their bodies are"},
    Group{"request", "one request, and where its bodies are"},
    Group{"pop", "the POPs as the centre knows them"},
    Group{"ledger", "the books as a whole"},
};

}  // namespace

std::span<const Command> admin_commands() noexcept {
    return commands;
}

const char* help_of_group(std::string_view group) noexcept {
    for (const Group& one : groups)
        if (one.name == group) return one.help;
    return "";
}

}  // namespace nodex::cli
