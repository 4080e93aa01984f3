// Writes server-sent events and their ids.
#include <array>
#include <charconv>
#include <cstring>

#include "edge/http/sse.h"

namespace nodex::http {
namespace {

constexpr Bytes id_prefix = "evt_";
constexpr std::size_t id_digits_min = 5;
constexpr std::size_t id_digits_max = 19;

void append_event_id(std::string& target, std::uint64_t number) {
    std::array<char, 20> digits;
    const std::to_chars_result end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    const auto digits_count = static_cast<std::size_t>(end.ptr - digits.data());
    target.append(id_prefix);
    if (digits_count < id_digits_min) target.append(id_digits_min - digits_count, '0');
    target.append(digits.data(), digits_count);
}

bool has_line_end(Bytes text) noexcept {
    return !text.empty() && (std::memchr(text.data(), '\n', text.size()) != nullptr ||
                             std::memchr(text.data(), '\r', text.size()) != nullptr);
}

}  // namespace

void append_event(std::string& target, std::uint64_t number, Bytes type, Bytes data) {
    NX_ASSERT(!has_line_end(type));
    if (number > 0) {
        target.append("id: ");
        append_event_id(target, number);
        target.append(1, '\n');
    }
    if (!type.empty()) target.append("event: ").append(type).append(1, '\n');
    // Each line end of the data starts a new data line: a client's bytes can never forge a field of ours.
    while (has_line_end(data)) {
        const std::size_t end = data.find_first_of("\r\n");
        target.append("data: ").append(data.substr(0, end)).append(1, '\n');
        const bool pair = data.substr(end, 2) == "\r\n";
        data.remove_prefix(end + (pair ? 2 : 1));
    }
    target.append("data: ").append(data).append("\n\n");
}

void append_comment(std::string& target, Bytes text) {
    NX_ASSERT(!has_line_end(text));
    target.append(": ").append(text).append("\n\n");
}

Result<std::uint64_t> parse_event_id(Bytes text) noexcept {
    constexpr Error malformed{.code = ErrorCode::malformed, .source = ErrorSource::client};
    if (text.substr(0, id_prefix.size()) != id_prefix) return malformed;
    const Bytes digits = text.substr(id_prefix.size());
    if (digits.size() < id_digits_min || digits.size() > id_digits_max) return malformed;
    if (digits.size() > id_digits_min && digits.front() == '0') return malformed;  // one spelling a number
    const std::optional<std::uint64_t> number = parse_decimal(digits);
    if (!number) return malformed;
    return *number;
}

std::string event_id(std::uint64_t number) {
    std::string text;
    append_event_id(text, number);
    return text;
}

}  // namespace nodex::http
