// Reading [[nodex: key=value key ...]] by a table of names.
#include "tools/provider/directives.h"

#include <variant>

namespace nodex::provider {
namespace {

constexpr Bytes opening = "[[nodex:";
constexpr Bytes closing = "]]";

using Target = std::variant<std::optional<std::uint64_t> Directives::*, std::uint64_t Directives::*,
                            bool Directives::*, std::string Directives::*>;
struct Row {
    Bytes name;
    Target target;
    std::uint64_t most = 0;  // of a number
};

constexpr std::uint64_t bytes_most = 128 * 1024 * 1024;  // twice the most that an edge takes
constexpr std::uint64_t ms_most = 24 * 3'600 * 1'000;
constexpr std::uint64_t events_most = 1'000'000;

const Row rows[] = {
    {"tokens", &Directives::tokens, events_most},
    {"first_token_ms", &Directives::first_token_ms, ms_most},
    {"pace_ms", &Directives::pace_ms, ms_most},
    {"answer_bytes", &Directives::answer_bytes, bytes_most},
    {"id", &Directives::id},
    {"status", &Directives::status, 599},
    {"retry_after", &Directives::retry_after, ms_most},
    {"slow_head", &Directives::slow_head, ms_most},
    {"body_text", &Directives::body_text},
    {"hang", &Directives::hang},
    {"redirect", &Directives::redirect},
    {"bad_status_line", &Directives::bad_status_line},
    {"hang_after", &Directives::hang_after, events_most},
    {"cut_after", &Directives::cut_after, events_most},
    {"reset_after", &Directives::reset_after, events_most},
    {"error_event_after", &Directives::error_event_after, events_most},
    {"silence_after", &Directives::silence_after, events_most},
    {"silence_ms", &Directives::silence_ms, ms_most},
    {"cut_bytes", &Directives::cut_bytes, bytes_most},
    {"chunk_bytes", &Directives::chunk_bytes, bytes_most},
    {"extra_bytes", &Directives::extra_bytes, bytes_most},
    {"huge_event", &Directives::huge_event, bytes_most},
    {"split_utf8", &Directives::split_utf8},
    {"crlf", &Directives::crlf},
    {"comments", &Directives::comments},
    {"no_usage", &Directives::no_usage},
    {"no_done", &Directives::no_done},
    {"bad_json", &Directives::bad_json},
    {"wrong_content_type", &Directives::wrong_content_type},
    {"gzip_lie", &Directives::gzip_lie},
};

std::string complaint(const char* what, Bytes word) {
    return std::string("Directive '").append(word).append("': ").append(what);
}

std::string set_number(const Row& row, Bytes value, Bytes word, Directives& directives) {
    const std::optional<std::uint64_t> number = parse_decimal(value);
    if (!number || *number > row.most) return complaint("expected a number within its bounds.", word);
    if (row.name == "status" && *number < 200) return complaint("expected 200 to 599.", word);
    if (row.name == "chunk_bytes" && *number == 0) return complaint("expected at least 1.", word);
    if (const auto* optional = std::get_if<std::optional<std::uint64_t> Directives::*>(&row.target))
        directives.*(*optional) = *number;
    if (const auto* plain = std::get_if<std::uint64_t Directives::*>(&row.target))
        directives.*(*plain) = *number;
    return {};
}

std::string set(Bytes word, Directives& directives) {
    const std::size_t equals = word.find('=');
    const Bytes name = word.substr(0, equals);
    const Bytes value = equals == Bytes::npos ? Bytes() : word.substr(equals + 1);
    for (const Row& row : rows) {
        if (row.name != name) continue;
        if (const auto* flag = std::get_if<bool Directives::*>(&row.target)) {
            if (equals != Bytes::npos) return complaint("takes no value.", word);
            directives.*(*flag) = true;
            return {};
        }
        if (equals == Bytes::npos) return complaint("needs a value.", word);
        if (const auto* text = std::get_if<std::string Directives::*>(&row.target)) {
            directives.*(*text) = value;
            return {};
        }
        return set_number(row, value, word, directives);
    }
    return complaint("unknown; see tools/provider/README.md.", word);
}

}  // namespace

bool has_directives(Bytes text) noexcept { return text.find(opening) != Bytes::npos; }

std::string read_directives(Bytes text, Directives& directives) {
    const std::size_t begin = text.find(opening);
    if (begin == Bytes::npos) return {};
    const std::size_t end = text.find(closing, begin);
    if (end == Bytes::npos) return "Directives are not closed by ']]'.";
    Bytes rest = text.substr(begin + opening.size(), end - begin - opening.size());
    constexpr Bytes spaces = " \n\t";
    while (true) {
        const std::size_t first = rest.find_first_not_of(spaces);
        if (first == Bytes::npos) return {};
        rest.remove_prefix(first);
        const Bytes word = rest.substr(0, rest.find_first_of(spaces));
        if (std::string wrong = set(word, directives); !wrong.empty()) return wrong;
        rest.remove_prefix(word.size());
    }
}

}  // namespace nodex::provider
