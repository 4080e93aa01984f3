// The errors a client can see: stable codes, their status, the JSON envelope (deploy/api.md, Errors).
#pragma once
#include <cstdint>
#include <string>

#include "edge/base/bytes.h"

namespace nodex::api {

enum class Code : std::uint8_t {
    unauthenticated, invalid_api_key, key_expired, key_revoked, key_suspended, account_blocked,
    account_unavailable,
    model_forbidden, model_not_found, not_found, method_not_allowed, invalid_request_error,
    unsupported_media_type, idempotency_key_required, idempotency_key_reused, idempotency_key_invalid,
    idempotency_key_in_use, claim_unavailable,
    invalid_last_event_id, stream_expired, position_lost,
    insufficient_balance, insufficient_quota, budget_unavailable, rate_limited, body_too_large, uri_too_long,
    header_too_large, expectation_failed, version_unsupported, transfer_coding_unsupported, not_implemented,
    request_timeout,
    upstream_unavailable, upstream_timeout, upstream_error, upstream_lost, gateway_error, overloaded,
    storage_unavailable, internal_error,
    count
};
const char* name(Code code) noexcept;        // "model_not_found"
const char* type_of(Code code) noexcept;     // OpenAI's `type`: "invalid_request_error", "server_error", ...
int status_of(Code code) noexcept;
// The text for people when the place that fails has none of its own: says what to do.
const char* default_message(Code code) noexcept;
// x-should-retry as SDKs obey it: true only where the same request may succeed soon.
bool should_retry(Code code) noexcept;

// One error on its way to a client. `param` and `message` are plain text, escaped when written.
struct ApiError {
    Code code = Code::internal_error;
    std::string message;       // "" -> default_message
    std::string param;         // "" -> null
    std::int64_t retry_after_ms = -1;  // -1: no retry-after fields
};

// {"error":{"message":..,"type":..,"param":..,"code":..,"request_id":..}}
std::string error_body(const ApiError& error, Bytes request_id);
// {"type":"error","error":{"type":..,"message":..},"request_id":..}: what Anthropic's SDKs read; the type
// follows from the status (platform.claude.com/docs, API errors).
std::string anthropic_error_body(const ApiError& error, Bytes request_id);

}  // namespace nodex::api
