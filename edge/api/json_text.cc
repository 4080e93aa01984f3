// JSON strings: runs of plain octets are copied at once, the rest is escaped or replaced.
#include "edge/api/json_text.h"

#include <array>

namespace nodex::api {
namespace {

constexpr Bytes replacement_character = "\xef\xbf\xbd";  // U+FFFD

// True for octets that stand for themselves: printable ASCII except quote and backslash.
constexpr std::array<bool, 256> plain_octets = [] {
    std::array<bool, 256> plain{};
    for (std::size_t octet = 0x20; octet < 0x7f; ++octet) plain[octet] = octet != '"' && octet != '\\';
    return plain;
}();

bool is_continuation(Bytes text, std::size_t at, unsigned low, unsigned high) noexcept {
    if (at >= text.size()) return false;
    const unsigned octet = static_cast<unsigned char>(text[at]);
    return octet >= low && octet <= high;
}

// The length of the well-formed UTF-8 sequence at `at` (Unicode 15, table 3-7), 0 when there is none.
std::size_t sequence_size(Bytes text, std::size_t at) noexcept {
    const unsigned lead = static_cast<unsigned char>(text[at]);
    if (lead >= 0xc2 && lead <= 0xdf) return is_continuation(text, at + 1, 0x80, 0xbf) ? 2 : 0;
    if (lead >= 0xe0 && lead <= 0xef) {
        const unsigned low = lead == 0xe0 ? 0xa0 : 0x80;    // no overlong forms
        const unsigned high = lead == 0xed ? 0x9f : 0xbf;   // no surrogates
        return is_continuation(text, at + 1, low, high) && is_continuation(text, at + 2, 0x80, 0xbf) ? 3 : 0;
    }
    if (lead >= 0xf0 && lead <= 0xf4) {
        const unsigned low = lead == 0xf0 ? 0x90 : 0x80;
        const unsigned high = lead == 0xf4 ? 0x8f : 0xbf;   // nothing above U+10FFFF
        return is_continuation(text, at + 1, low, high) && is_continuation(text, at + 2, 0x80, 0xbf) &&
                       is_continuation(text, at + 3, 0x80, 0xbf)
                   ? 4
                   : 0;
    }
    return 0;
}

void append_escaped(std::string& target, char c) {
    static constexpr char digits[] = "0123456789abcdef";
    switch (c) {
        case '"': target += "\\\""; return;
        case '\\': target += "\\\\"; return;
        case '\b': target += "\\b"; return;
        case '\f': target += "\\f"; return;
        case '\n': target += "\\n"; return;
        case '\r': target += "\\r"; return;
        case '\t': target += "\\t"; return;
        default: break;
    }
    const auto octet = static_cast<unsigned char>(c);
    target += "\\u00";
    target += digits[octet >> 4];
    target += digits[octet & 15];
}

}  // namespace

void append_json_string(std::string& target, Bytes text) {
    target += '"';
    std::size_t at = 0;
    while (at < text.size()) {
        std::size_t run_end = at;
        while (run_end < text.size() && plain_octets[static_cast<unsigned char>(text[run_end])]) ++run_end;
        target.append(text, at, run_end - at);
        at = run_end;
        if (at == text.size()) break;
        if (static_cast<unsigned char>(text[at]) < 0x80) {
            append_escaped(target, text[at]);
            ++at;
        } else if (const std::size_t size = sequence_size(text, at); size > 0) {
            target.append(text, at, size);
            at += size;
        } else {
            target += replacement_character;
            ++at;
        }
    }
    target += '"';
}

void append_json_string_or_null(std::string& target, Bytes text) {
    if (text.empty())
        target += "null";
    else
        append_json_string(target, text);
}

}  // namespace nodex::api
