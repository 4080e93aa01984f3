// The table is the documentation: `nodex admin --help` and the requests are both made from it.
#include "tools/nodex/admin.h"

#include <algorithm>
#include <array>

namespace nodex::cli {

namespace {

constexpr const char* admin_url = "http://localhost";  // the socket decides who answers
constexpr std::size_t amount_places_max = 9;           // nano-units

constexpr Field account{"account", "ACCOUNT", Form::identifier, true, "account id"};
constexpr Field key_id{"key_id", "KEY_ID", Form::identifier, true, "key id (not the key itself)"};
constexpr Field model_id{"id", "MODEL", Form::text, true, "model id"};

constexpr std::array account_create{
    Field{"name", "NAME", Form::text, true, "name for people"},
    Field{"currency", "--currency", Form::text, false, "three letters, USD when left out"}};
constexpr std::array only_account{account};
constexpr std::array balance_change{
    account,
    Field{"amount", "AMOUNT", Form::amount, true, "in units of the currency, such as 12.50"},
    Field{"reference", "--reference", Form::text, true,
          "names this payment; the same reference is applied once"}};

constexpr Field key_name{"name", "NAME", Form::text, true, "name for people"};
constexpr Field key_budget{"budget", "--budget", Form::amount, false,
                           "most that the key may spend"};
constexpr Field key_policy{"policy", "--policy", Form::text, false,
                           "idempotency keys: required, sdk (default) or generate"};
constexpr Field key_models{"models", "--model", Form::list, false,
                           "may be repeated; all when left out"};
constexpr Field key_expiry{"expires_at", "--expires-at", Form::identifier, false,
                           "unix time in seconds"};
constexpr Field key_rpm{"rpm", "--rpm", Form::whole, false, "requests a minute"};
constexpr Field key_tpm{"tpm", "--tpm", Form::whole, false, "tokens a minute"};
constexpr Field key_concurrency{"concurrency", "--concurrency", Form::whole, false,
                                "requests at the same time"};
constexpr std::array key_create{account,    key_name, key_budget, key_policy,     key_models,
                                key_expiry, key_rpm,  key_tpm,    key_concurrency};
constexpr std::array key_update{
    key_id,         Field{"name", "--name", Form::text, false, "name for people"},
    key_budget,     key_policy,
    key_models,     key_expiry,
    key_rpm,        key_tpm,
    key_concurrency};
constexpr std::array only_key{key_id};

constexpr std::array catalog_set{
    model_id,
    Field{"context_tokens", "--context-tokens", Form::whole, true, "input and output together"},
    Field{"output_tokens_max", "--output-tokens-max", Form::whole, true,
          "most that one answer may have"},
    Field{"prices.input", "--input-price", Form::amount, true, "per million tokens"},
    Field{"prices.cached_input", "--cached-input-price", Form::amount, false, "per million tokens"},
    Field{"prices.output", "--output-price", Form::amount, true, "per million tokens"},
    Field{"prices.reasoning", "--reasoning-price", Form::amount, false, "per million tokens"},
    Field{"aliases", "--alias", Form::list, false, "other names; may be repeated"},
    Field{"display_name", "--display-name", Form::text, false, "name for people"},
    Field{"owned_by", "--owned-by", Form::text, false, "who makes the model"},
    Field{"on_sale", "--on-sale", Form::yes_no, false, "yes or no"}};
constexpr std::array only_model{model_id};

constexpr std::array usage_list{
    account,
    Field{"key_id", "--key-id", Form::identifier, false, "only this key"},
    Field{"model", "--model", Form::text, false, "only this model"},
    Field{"from", "--from", Form::identifier, false, "unix time in seconds"},
    Field{"to", "--to", Form::identifier, false, "unix time in seconds"},
    Field{"limit", "--limit", Form::whole, false, "rows a page"},
    Field{"cursor", "--cursor", Form::text, false, "next_cursor of the page before"}};

constexpr std::array commands{
    Command{"account", "create", "open an account", account_create, false},
    Command{"account", "list", "all accounts", {}, false},
    Command{"account", "show", "one account", only_account, false},
    Command{"account", "block", "refuse its requests until unblocked", only_account, false},
    Command{"account", "unblock", "serve its requests again", only_account, false},
    Command{"account", "close", "refuse its requests for good", only_account, true},
    Command{"account", "shred", "destroy its body key: stored bodies become unreadable",
            only_account, true},
    Command{"balance", "topup", "add money", balance_change, false},
    Command{"balance", "adjust", "correct by an amount that may be below zero", balance_change,
            false},
    Command{"balance", "show", "balance, held and spent", only_account, false},
    Command{"key", "create", "make an API key; it is shown once", key_create, false},
    Command{"key", "list", "an account's keys", only_account, false},
    Command{"key", "update", "change what is named, keep the rest", key_update, false},
    Command{"key", "suspend", "refuse it until resumed", only_key, false},
    Command{"key", "resume", "accept it again", only_key, false},
    Command{"key", "revoke", "refuse it for good", only_key, false},
    Command{"catalog", "set", "add a model or a new version of its prices", catalog_set, false},
    Command{"catalog", "list", "models and prices", {}, false},
    Command{"catalog", "show", "one model", only_model, false},
    Command{"usage", "list", "what an account was charged for", usage_list, false},
    Command{"ledger", "verify", "recompute every balance from the ledger's rows", {}, false},
};

bool all_digits(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_amount(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    const std::size_t point = text.find('.');
    if (point == std::string_view::npos) return all_digits(text);
    const std::string_view places = text.substr(point + 1);
    return all_digits(text.substr(0, point)) && all_digits(places) &&
           places.size() <= amount_places_max;
}

std::string wrong(const Field& field, std::string_view value, std::string_view wanted) {
    return std::string(field.option) + " is '" + std::string(value) + "', wanted " +
           std::string(wanted);
}

std::variant<Json, std::string> json_of(const Field& field,
                                        const std::vector<std::string>& values) {
    const std::string& value = values.front();
    switch (field.form) {
        case Form::identifier: return Json::identifier(value);
        case Form::text: return Json::string(value);
        case Form::whole: {
            Json number = Json::identifier(value);
            if (number.kind() != Json::Kind::number) return wrong(field, value, "a whole number");
            return number;
        }
        case Form::amount:
            if (!is_amount(value))
                return wrong(field, value, "a decimal with at most 9 places, such as 12.50");
            return Json::string(value);
        case Form::yes_no:
            if (value != "yes" && value != "no") return wrong(field, value, "yes or no");
            return Json::boolean(value == "yes");
        case Form::list: {
            Json list = Json::array();
            for (const std::string& item : values) list.push(Json::string(item));
            return list;
        }
    }
    return Json();
}

// "prices.input" sets args["prices"]["input"]; one level is all that the interface has.
void set_nested(Json& args, std::string_view name, Json value) {
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) {
        args.set(name, std::move(value));
        return;
    }
    const std::string_view outer = name.substr(0, dot);
    const Json* present = args.find(outer);
    Json inner = present != nullptr ? *present : Json::object();
    inner.set(name.substr(dot + 1), std::move(value));
    args.set(outer, std::move(inner));
}

// Fills in method-independent parts; false when the address is none of a Unix socket.
bool address(const Settings& settings, HttpRequest& request) {
    constexpr std::string_view scheme = "unix:";
    if (!settings.admin.starts_with(scheme) || settings.admin.size() == scheme.size()) return false;
    request.unix_socket = settings.admin.substr(scheme.size());
    return true;
}

Exit complain_address(const Settings& settings) {
    const std::string message = "the admin address is '" + settings.admin + "', wanted unix:PATH";
    return complain(settings, Exit::usage, "usage", message);
}

}  // namespace

std::span<const Command> admin_commands() noexcept {
    return commands;
}

std::variant<Json, std::string> admin_args(const std::vector<Typed>& typed) {
    Json args = Json::object();
    for (const Typed& one : typed) {
        if (one.values.empty()) continue;
        std::variant<Json, std::string> value = json_of(*one.field, one.values);
        if (auto* problem = std::get_if<std::string>(&value)) return std::move(*problem);
        set_nested(args, one.field->name, std::get<Json>(std::move(value)));
    }
    return args;
}

Exit run_admin(const Settings& settings, const Command& command, Json args) {
    HttpRequest request;
    if (!address(settings, request)) return complain_address(settings);
    request.method = "POST";
    request.url = std::string(admin_url) + "/admin";
    Json body = Json::object();
    body.set("command", Json::string(std::string(command.group) + "." + command.verb));
    body.set("args", std::move(args));
    request.body = body.compact();
    const HttpAnswer answer = http_call(request);
    const std::optional<Json> reply = Json::parse(answer.body);
    const Json* result = reply ? reply->find("result") : nullptr;
    if (answer.status != 200 || !answer.failure.empty() || result == nullptr)
        return complain_answer(settings, answer, settings.admin);
    return show(settings, *result);
}

Exit run_admin_status(const Settings& settings) {
    HttpRequest request;
    if (!address(settings, request)) return complain_address(settings);
    request.url = std::string(admin_url) + "/admin/status";
    const HttpAnswer answer = http_call(request);
    const std::optional<Json> reply = Json::parse(answer.body);
    if (answer.status != 200 || !answer.failure.empty() || !reply)
        return complain_answer(settings, answer, settings.admin);
    return show(settings, *reply);
}

}  // namespace nodex::cli
