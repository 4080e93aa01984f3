// The grammar that request and response heads share.
#include "edge/http/field_lines.h"

#include <algorithm>
#include <array>

#include "edge/base/limits.h"

namespace nodex::http {
namespace {

constexpr std::uint8_t token_bit = 1;
constexpr std::uint8_t value_bit = 2;

constexpr std::array<std::uint8_t, 256> make_classes() {
    std::array<std::uint8_t, 256> classes{};
    for (unsigned c = 0; c < 256; ++c) {
        const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (alnum || Bytes("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != Bytes::npos)
            classes[c] |= token_bit;
        if (c == '\t' || (c >= 0x20 && c != 0x7f)) classes[c] |= value_bit;
    }
    classes[0] = 0;  // find() above must never make NUL a token
    return classes;
}
constexpr std::array<std::uint8_t, 256> classes = make_classes();

bool is(char c, std::uint8_t bit) noexcept {
    return (classes[static_cast<unsigned char>(c)] & bit) != 0;
}
bool is_space(char c) noexcept {
    return c == ' ' || c == '\t';
}

Bytes trim(Bytes text) noexcept {
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

// Connection = #token; an unknown token is no business of ours.
void read_connection(Bytes value, FieldFacts& facts) noexcept {
    while (!value.empty()) {
        const std::size_t comma = std::min(value.find(','), value.size());
        const Bytes token = trim(value.substr(0, comma));
        if (equals_ignore_case(token, "close")) facts.says_close = true;
        if (equals_ignore_case(token, "keep-alive")) facts.says_keep_alive = true;
        value.remove_prefix(std::min(comma + 1, value.size()));
    }
}

// The length of the name decides first: most fields are passed over with one comparison of a number.
void note_fact(const FieldLine& line, FieldFacts& facts) noexcept {
    switch (line.name.size()) {
        case 4:
            if (!equals_ignore_case(line.name, "host")) return;
            ++facts.host_count;
            facts.host = line.value;
            return;
        case 6:
            if (!equals_ignore_case(line.name, "expect")) return;
            ++facts.expect_count;
            facts.expect = line.value;
            return;
        case 10:
            if (equals_ignore_case(line.name, "connection")) read_connection(line.value, facts);
            return;
        case 14:
            if (!equals_ignore_case(line.name, "content-length")) return;
            ++facts.content_length_count;
            facts.content_length = line.value;
            return;
        case 17:
            if (!equals_ignore_case(line.name, "transfer-encoding")) return;
            ++facts.transfer_encoding_count;
            facts.transfer_encoding = line.value;
            return;
        default: return;
    }
}

}  // namespace

bool is_token(Bytes text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is(c, token_bit); });
}

bool is_field_value(Bytes text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return is(c, value_bit); });
}

bool is_digits(Bytes text) noexcept {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

FieldFault read_field_lines(Bytes block, std::vector<FieldLine>& fields, FieldFacts& facts) noexcept {
    fields.clear();
    const char* at = block.data();
    const char* const end = at + block.size();
    while (at != end) {
        const char* const name = at;
        while (at != end && is(*at, token_bit)) ++at;
        // A line that starts with a space, a colon or a CR stops here with an empty name.
        if (at == name || at == end || *at != ':') return FieldFault::malformed;
        const auto name_size = static_cast<std::size_t>(at - name);
        const char* const value = ++at;
        while (at != end && is(*at, value_bit)) ++at;
        if (end - at < 2 || at[0] != '\r' || at[1] != '\n') return FieldFault::malformed;
        if (fields.size() == limits::fields_count_max) return FieldFault::too_many;
        fields.push_back({Bytes(name, name_size), trim(Bytes(value, static_cast<std::size_t>(at - value)))});
        note_fact(fields.back(), facts);
        at += 2;
    }
    return FieldFault::none;
}

}  // namespace nodex::http
