// Writing JSON text. Whatever octets come in, a legal JSON string goes out.
#pragma once
#include <string>

#include "edge/base/bytes.h"

namespace nodex::api {

// RFC 8259 section 2: insignificant whitespace.
constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

// Appends `text` as a JSON string, quotes included. Control characters are escaped; octets that are not
// UTF-8 become U+FFFD, so that no error text or model name can break the document around it.
void append_json_string(std::string& target, Bytes text);
// The same, or null for "".
void append_json_string_or_null(std::string& target, Bytes text);

}  // namespace nodex::api
