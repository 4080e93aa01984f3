// HTTP/1.1 messages as this node sees them. Views borrow the parser's head buffer.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "edge/base/bytes.h"

namespace nodex::http {

enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };
const char* name(Method method) noexcept;

struct FieldLine {
    Bytes name;   // as sent; compare with equals_ignore_case
    Bytes value;  // OWS trimmed
};

// A parsed and checked request head: one valid Host, framing free of doubt, origin-form target.
struct RequestHead {
    Method method = Method::other;
    Bytes target;  // "/v1/models?limit=5"
    Bytes path;    // target up to '?', not decoded
    Bytes query;   // after '?', "" when absent
    bool http10 = false;
    bool keep_alive = true;  // by version and Connection
    bool expect_continue = false;
    bool chunked = false;
    std::optional<std::uint64_t> content_length;  // absent: no body unless chunked
    std::vector<FieldLine> fields;                // at most limits::fields_count_max

    [[nodiscard]] bool has_body() const noexcept { return chunked || content_length.value_or(0) > 0; }
    // First field of that name, or nothing. `field_name` in lower case.
    [[nodiscard]] std::optional<Bytes> field(Bytes field_name) const noexcept;
    [[nodiscard]] std::size_t count(Bytes field_name) const noexcept;
};

struct ResponseHead {
    int status = 0;  // 200..599; 1xx are swallowed by the parser
    bool keep_alive = true;
    bool chunked = false;
    std::optional<std::uint64_t> content_length;
    std::vector<FieldLine> fields;
    [[nodiscard]] std::optional<Bytes> field(Bytes field_name) const noexcept;
};

// Why a request was refused by the parser: the status to answer with, then close.
enum class Refusal : std::uint8_t {
    none,
    malformed,            // 400
    target_too_long,      // 414
    head_too_large,       // 431 (bytes or fields)
    body_too_large,       // 413
    version_unsupported,  // 400: no parse error is a 5xx, which would blame the server
    method_not_allowed,   // 405: CONNECT, TRACE
    expectation_failed,   // 417
    coding_unsupported,   // 400: a transfer coding other than chunked
    timed_out,            // 408: head or body deadline (raised by the connection, never by the parser)
};
int status_of(Refusal refusal) noexcept;
const char* name(Refusal refusal) noexcept;  // stable, for logs

}  // namespace nodex::http
