// The names are those of the customers' API and of the admin interface (deploy/api.md).
#include "tools/nodex/readable.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>

#include "tools/nodex/times.h"

namespace nodex::cli {

namespace {

enum class Reading : std::uint8_t {
    seconds,       // since 1970; 0 is never
    milliseconds,  // the same, in milliseconds
    limit,         // 0: there is none
    choice,        // a list; empty: nothing is left out
};

struct Rule {
    std::string_view name;
    Reading reading;
};

constexpr std::array rules{
    Rule{"created", Reading::seconds},    Rule{"last_updated", Reading::seconds},
    Rule{"expires_at", Reading::seconds}, Rule{"first", Reading::seconds},
    Rule{"last", Reading::seconds},       Rule{"settled_ms", Reading::milliseconds},
    Rule{"rpm", Reading::limit},          Rule{"tpm", Reading::limit},
    Rule{"concurrency", Reading::limit},  Rule{"models", Reading::choice},
};

std::optional<Reading> reading_of(std::string_view name) {
    const auto rule =
        std::find_if(rules.begin(), rules.end(), [&](const Rule& one) { return one.name == name; });
    return rule == rules.end() ? std::nullopt : std::optional(rule->reading);
}

std::string time_text(const Json& value, std::int64_t units_a_second) {
    std::int64_t units = 0;
    const std::string& digits = value.text();
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), units);
    if (error != std::errc() || end != digits.data() + digits.size()) return digits;
    if (units == 0) return "never";
    return utc_text(units / units_a_second).value_or(digits);
}

std::string joined(const Json& list, const char* when_empty) {
    if (list.items().empty()) return when_empty;
    std::string text;
    for (const Json& item : list.items()) text += (text.empty() ? "" : ", ") + item.text();
    return text;
}

}  // namespace

std::string readable(const JsonMember& member) {
    const Json& value = member.value;
    const std::optional<Reading> reading = reading_of(member.name);
    if (value.kind() == Json::Kind::array)
        return joined(value, reading == Reading::choice ? "all" : "none");
    if (value.kind() == Json::Kind::null) return "none";
    if (value.kind() != Json::Kind::number) return value.text();
    if (reading == Reading::seconds) return time_text(value, 1);
    if (reading == Reading::milliseconds) return time_text(value, 1'000);
    if (reading == Reading::limit && value.text() == "0") return "none";
    return value.text();
}

std::string readable_name(const JsonMember& member) {
    constexpr std::string_view unit = "_ms";
    if (reading_of(member.name) != Reading::milliseconds) return member.name;
    return member.name.substr(0, member.name.size() - unit.size());
}

bool is_noise(const JsonMember& member) {
    return member.name == "object" && member.value.kind() == Json::Kind::string;
}

}  // namespace nodex::cli
