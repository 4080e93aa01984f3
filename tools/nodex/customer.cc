// Requests with an API key, and the plain GET commands.
#include "tools/nodex/customer.h"

namespace nodex::cli {

namespace {

// RFC 3986 section 2.3: everything but unreserved characters is escaped.
std::string escaped(std::string_view text) {
    constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string target;
    for (const char c : text) {
        if (plain.find(c) != std::string_view::npos) {
            target += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        target += '%';
        target += digits[octet >> 4];
        target += digits[octet & 15];
    }
    return target;
}

}  // namespace

HttpRequest customer_request(const Settings& settings, std::string_view path) {
    HttpRequest request;
    std::string_view base = settings.base_url;
    while (base.ends_with('/')) base.remove_suffix(1);
    request.url = std::string(base) + std::string(path);
    request.ca_file = settings.ca_file;
    if (!settings.key.empty())
        request.fields.emplace_back("Authorization", "Bearer " + settings.key);
    return request;
}

Exit run_get(const Settings& settings, std::string_view path, const Query& query) {
    std::string target(path);
    char separator = '?';
    for (const auto& [name, value] : query) {
        if (value.empty()) continue;
        target += separator + escaped(name) + '=' + escaped(value);
        separator = '&';
    }
    const HttpAnswer answer = http_call(customer_request(settings, target));
    const std::optional<Json> body = Json::parse(answer.body);
    if (answer.status != 200 || !answer.failure.empty() || !body)
        return complain_answer(settings, answer, settings.base_url);
    return show(settings, *body);
}

}  // namespace nodex::cli
