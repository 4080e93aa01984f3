// The grammar that request and response heads share: lines, field lines and the framing facts among them.
// Pure. Stricter than llhttp, which hides folded lines, empty names and CR LF LF.
#pragma once
#include "edge/http/message.h"

namespace nodex::http {

bool is_token(Bytes text) noexcept;        // RFC 9110 section 5.6.2: one or more tchar
bool is_field_value(Bytes text) noexcept;  // 0x20-0x7e, HTAB, 0x80-0xff; may be empty
bool is_digits(Bytes text) noexcept;       // one or more of 0-9

// What the field lines of one head say about framing and the connection. Views into the head.
struct FieldFacts {
    Bytes host;
    Bytes content_length;
    Bytes transfer_encoding;
    Bytes expect;
    unsigned host_count = 0;
    unsigned content_length_count = 0;
    unsigned transfer_encoding_count = 0;
    unsigned expect_count = 0;
    bool says_close = false;       // Connection lists "close"
    bool says_keep_alive = false;  // Connection lists "keep-alive"
};

enum class FieldFault : std::uint8_t { none, malformed, too_many };

// Reads `block`, the field lines with their CR LF each, without the empty line at the end.
//   fields  is filled, at most limits::fields_count_max; capacity is reused
//   facts   is filled
// malformed: a folded line, an empty name, a space before the colon, a byte outside the grammar, a bare CR or
// LF.
FieldFault read_field_lines(Bytes block, std::vector<FieldLine>& fields, FieldFacts& facts) noexcept;

}  // namespace nodex::http
