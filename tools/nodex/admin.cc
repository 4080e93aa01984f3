// From typed arguments to a request on the admin socket.
#include "tools/nodex/admin.h"

#include <algorithm>

#include "tools/nodex/operator.h"
#include "tools/nodex/times.h"

namespace nodex::cli {

namespace {

constexpr const char* admin_url = "http://localhost";  // the socket decides who answers
constexpr std::size_t amount_places_max = 9;           // nano-units

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

std::variant<Json, std::string> json_of_time(const Field& field, const std::string& value) {
    const bool may_be_never = field.form == Form::time_or_never;
    if (may_be_never && value == "never") return Json::number("0");
    const std::optional<std::int64_t> seconds = unix_seconds(value);
    if (!seconds)
        return wrong(field, value, std::string(time_forms) + (may_be_never ? ", or never" : ""));
    return Json::number(std::to_string(*seconds));
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
        case Form::amount_or_none:
            if (value == "none") return Json();
            if (!is_amount(value)) return wrong(field, value, "a decimal such as 12.50, or none");
            return Json::string(value);
        case Form::yes_no:
            if (value != "yes" && value != "no") return wrong(field, value, "yes or no");
            return Json::boolean(value == "yes");
        case Form::list: {
            Json list = Json::array();
            for (const std::string& item : values) list.push(Json::string(item));
            return list;
        }
        case Form::time:
        case Form::time_or_never: return json_of_time(field, value);
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

constexpr std::string_view scheme = "unix:";

bool has_address(const Settings& settings) {
    return settings.admin.starts_with(scheme) && settings.admin.size() > scheme.size();
}

std::string wrong_address(const Settings& settings) {
    return "the admin address is '" + settings.admin + "', wanted unix:PATH";
}

Exit complain_address(const Settings& settings) {
    return complain(settings, Exit::usage, "usage", wrong_address(settings));
}

// A wrong address is told as the answer's failure.
HttpAnswer admin_call(const Settings& settings, std::string_view path, HttpRequest request) {
    if (!has_address(settings)) {
        HttpAnswer answer;
        answer.failure = wrong_address(settings);
        return answer;
    }
    request.unix_socket = settings.admin.substr(scheme.size());
    request.url = std::string(admin_url) + std::string(path);
    return http_call(request);
}

}  // namespace

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

std::string command_json(std::string_view command, Json args) {
    Json body = Json::object();
    body.set("command", Json::string(command));
    body.set("args", std::move(args));
    return body.compact();
}

std::variant<Json, Exit> ask_admin(const Settings& settings, std::string_view command, Json args) {
    if (!has_address(settings)) return complain_address(settings);
    const std::string body = command_json(command, std::move(args));
    std::variant<HttpAnswer, Exit> told = settings.operator_file.empty()
                                              ? admin_post(settings, "/admin", body)
                                              : call_sealed(settings, body);
    if (const Exit* failed = std::get_if<Exit>(&told)) return *failed;
    const HttpAnswer& answer = std::get<HttpAnswer>(told);
    const std::optional<Json> reply = Json::parse(answer.body);
    const Json* result = reply ? reply->find("result") : nullptr;
    if (answer.status != 200 || !answer.failure.empty() || result == nullptr)
        return complain_answer(settings, answer, settings.admin);
    return *result;
}

Exit run_admin(const Settings& settings, const Command& command, Json args) {
    const std::variant<Json, Exit> answer =
        ask_admin(settings, std::string(command.group) + "." + command.verb, std::move(args));
    if (const Exit* failed = std::get_if<Exit>(&answer)) return *failed;
    return show(settings, std::get<Json>(answer));
}

HttpAnswer admin_get(const Settings& settings, std::string_view path) {
    return admin_call(settings, path, {});
}

HttpAnswer admin_post(const Settings& settings, std::string_view path, std::string json) {
    HttpRequest request;
    request.method = "POST";
    request.body = std::move(json);
    return admin_call(settings, path, std::move(request));
}

HttpAnswer admin_post_sealed(const Settings& settings, std::string_view path, std::string octets) {
    HttpRequest request;
    request.method = "POST";
    request.body = std::move(octets);
    request.body_type = "application/octet-stream";
    return admin_call(settings, path, std::move(request));
}

Exit run_admin_status(const Settings& settings) {
    if (!has_address(settings)) return complain_address(settings);
    const HttpAnswer answer = admin_get(settings, "/admin/status");
    const std::optional<Json> reply = Json::parse(answer.body);
    if (answer.status != 200 || !answer.failure.empty() || !reply)
        return complain_answer(settings, answer, settings.admin);
    return show(settings, *reply);
}

}  // namespace nodex::cli
