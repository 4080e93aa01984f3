// The table of client-visible errors (deploy/api.md has it too) and their envelope. Types are OpenAI's.
#include "edge/api/errors.h"

#include <array>

#include "edge/api/json_text.h"

namespace nodex::api {
namespace {

constexpr const char* invalid_request = "invalid_request_error";
constexpr const char* quota = "insufficient_quota";
constexpr const char* server = "server_error";

struct Row {
    Code code;
    int status;
    bool should_retry;  // SDKs retry 408, 409, 429 and 5xx unless told otherwise
    const char* name;
    const char* type;
    const char* message;
};

constexpr std::array<Row, static_cast<std::size_t>(Code::count)> rows = {{
    {Code::unauthenticated, 401, false, "unauthenticated", invalid_request,
     "You did not provide an API key. Send it in the header 'Authorization: Bearer KEY' or 'x-api-key: "
     "KEY'."},
    {Code::invalid_api_key, 401, false, "invalid_api_key", invalid_request,
     "The API key is not known here. Check that it was copied whole."},
    {Code::key_expired, 403, false, "key_expired", invalid_request,
     "The API key has expired. Create a new key."},
    {Code::key_revoked, 403, false, "key_revoked", invalid_request,
     "The API key was revoked. Create a new key."},
    {Code::key_suspended, 403, false, "key_suspended", invalid_request,
     "The API key is suspended. Ask the owner of the account to activate it."},
    {Code::account_blocked, 403, false, "account_blocked", invalid_request,
     "The account is blocked. Contact support."},
    {Code::account_unavailable, 503, true, "account_unavailable", server,
     "This location cannot keep or read the account's answers yet. Retry shortly with the same idempotency "
     "key."},
    {Code::model_forbidden, 403, false, "model_forbidden", invalid_request,
     "The API key may not use this model. GET /v1/models lists the models it may use."},
    {Code::model_not_found, 404, false, "model_not_found", invalid_request,
     "The model does not exist. GET /v1/models lists the models on sale."},
    {Code::not_found, 404, false, "not_found", invalid_request,
     "There is nothing at this URL. Check the path and the method."},
    {Code::method_not_allowed, 405, false, "method_not_allowed", invalid_request,
     "This URL does not take this method; the Allow header lists those it takes."},
    {Code::invalid_request_error, 400, false, "invalid_request_error", invalid_request,
     "The request is not valid."},
    {Code::unsupported_media_type, 415, false, "unsupported_media_type", invalid_request,
     "Send the body as 'Content-Type: application/json' without a Content-Encoding."},
    {Code::idempotency_key_required, 400, false, "idempotency_key_required", invalid_request,
     "This API key requires an 'X-Idempotency-Key' header on paid requests: a value of your own, unique for "
     "each logical request and repeated on its retries."},
    {Code::idempotency_key_reused, 422, false, "idempotency_key_reused", invalid_request,
     "This idempotency key was used with a different request. Use a new key for a new request."},
    {Code::idempotency_key_invalid, 400, false, "idempotency_key_invalid", invalid_request,
     "An idempotency key is 1 to 255 visible ASCII characters, sent once."},
    {Code::idempotency_key_in_use, 409, true, "idempotency_key_in_use", invalid_request,
     "A request with this idempotency key is being answered at another location. Retry shortly with the same "
     "key."},
    {Code::claim_unavailable, 503, true, "claim_unavailable", server,
     "Whether this request runs at another location already could not be confirmed right now. Retry shortly "
     "with the same idempotency key."},
    {Code::invalid_last_event_id, 400, false, "invalid_last_event_id", invalid_request,
     "'Last-Event-ID' does not name an event of this stream. Send the id of the last event you received."},
    {Code::stream_expired, 410, false, "stream_expired", invalid_request,
     "The stream is no longer kept and cannot be resumed. Send the request again with a new idempotency "
     "key."},
    {Code::position_lost, 503, true, "position_lost", server,
     "The events after this position cannot be reached: the location that made them does not answer, and the "
     "copy of its stream ends before. Retry later with the same idempotency key and 'Last-Event-ID', or send "
     "the request again with a new idempotency key."},
    {Code::insufficient_balance, 402, false, "insufficient_balance", quota,
     "The balance of the account does not cover the most this request can cost. Add funds or lower "
     "max_tokens."},
    {Code::insufficient_quota, 403, false, "insufficient_quota", quota,
     "The budget of this API key does not cover the most this request can cost. Raise the budget or lower "
     "max_tokens."},
    {Code::budget_unavailable, 503, true, "budget_unavailable", server,
     "The budget could not be confirmed right now. Retry shortly with the same idempotency key."},
    {Code::rate_limited, 429, true, "rate_limited", "rate_limit_exceeded",
     "Too many requests. Retry after the time in the retry-after header."},
    {Code::body_too_large, 413, false, "body_too_large", invalid_request,
     "The request body is larger than the limit. Send less content or smaller images."},
    {Code::uri_too_long, 414, false, "uri_too_long", invalid_request,
     "The URL is longer than the limit. Send a shorter one."},
    {Code::header_too_large, 431, false, "header_too_large", invalid_request,
     "The request header is larger than the limit. Send fewer or shorter fields."},
    {Code::expectation_failed, 417, false, "expectation_failed", invalid_request,
     "Only 'Expect: 100-continue' is supported."},
    {Code::version_unsupported, 400, false, "version_unsupported", invalid_request,
     "Only HTTP/1.1 and HTTP/1.0 are supported."},
    {Code::transfer_coding_unsupported, 400, false, "transfer_coding_unsupported", invalid_request,
     "The request uses a transfer coding that is not supported. Send Content-Length or plain chunks."},
    {Code::not_implemented, 426, false, "not_implemented", invalid_request,
     "WebSocket transport is not offered here; use HTTP."},
    {Code::request_timeout, 408, true, "request_timeout", invalid_request,
     "The request did not arrive in time. Retry it."},
    {Code::upstream_unavailable, 503, true, "upstream_unavailable", server,
     "The model provider cannot be reached right now. Retry shortly with the same idempotency key."},
    {Code::upstream_timeout, 504, true, "upstream_timeout", server,
     "The model provider did not answer in time. Retry with the same idempotency key."},
    {Code::upstream_error, 502, true, "upstream_error", server,
     "The model provider failed. Retry with the same idempotency key."},
    // What was delivered is charged and a retry with the same key replays it: repeating cannot help.
    {Code::upstream_lost, 502, false, "upstream_lost", server,
     "The answer was cut off and cannot be completed; what was delivered is charged. Send the request again "
     "with a new idempotency key."},
    {Code::gateway_error, 502, true, "gateway_error", server,
     "The model provider's answer could not be read. Retry with the same idempotency key."},
    {Code::overloaded, 503, true, "overloaded", server,
     "The service is overloaded. Retry after the time in the retry-after header."},
    {Code::storage_unavailable, 503, true, "storage_unavailable", server,
     "This node cannot take paid requests right now. Retry with the same idempotency key."},
    {Code::internal_error, 500, false, "internal_error", server,
     "The service failed. Report the request_id to support if it happens again."},
}};

constexpr bool rows_are_in_order() {
    for (std::size_t index = 0; index < rows.size(); ++index)
        if (static_cast<std::size_t>(rows[index].code) != index) return false;
    return true;
}
static_assert(rows_are_in_order(), "a row's place in the table is its code");

const Row& row_of(Code code) noexcept {
    const auto index = static_cast<std::size_t>(code);
    NX_ASSERT(index < rows.size());
    return rows[index];
}

const char* anthropic_type_of(int status) noexcept {
    switch (status) {
        case 401: return "authentication_error";
        case 402: return "billing_error";
        case 403: return "permission_error";
        case 404: return "not_found_error";
        case 409: return "conflict_error";
        case 413: return "request_too_large";
        case 429: return "rate_limit_error";
        case 504: return "timeout_error";
        default: return status < 500 ? "invalid_request_error" : "api_error";
    }
}

}  // namespace

const char* name(Code code) noexcept { return row_of(code).name; }
const char* type_of(Code code) noexcept { return row_of(code).type; }
int status_of(Code code) noexcept { return row_of(code).status; }
const char* default_message(Code code) noexcept { return row_of(code).message; }
bool should_retry(Code code) noexcept { return row_of(code).should_retry; }

std::string error_body(const ApiError& error, Bytes request_id) {
    const Row& row = row_of(error.code);
    const Bytes message = error.message.empty() ? Bytes(row.message) : Bytes(error.message);
    std::string body;
    body.reserve(message.size() + error.param.size() + request_id.size() + 128);
    body += "{\"error\":{\"message\":";
    append_json_string(body, message);
    body += ",\"type\":\"";
    body += row.type;
    body += "\",\"param\":";
    append_json_string_or_null(body, error.param);
    body += ",\"code\":\"";
    body += row.name;
    body += "\",\"request_id\":";
    append_json_string_or_null(body, request_id);
    body += "}}";
    return body;
}

std::string anthropic_error_body(const ApiError& error, Bytes request_id) {
    const Row& row = row_of(error.code);
    std::string body = "{\"type\":\"error\",\"error\":{\"type\":\"";
    body += anthropic_type_of(row.status);
    body += "\",\"message\":";
    append_json_string(body, error.message.empty() ? Bytes(row.message) : Bytes(error.message));
    body += "},\"request_id\":";
    append_json_string_or_null(body, request_id);
    body += '}';
    return body;
}

}  // namespace nodex::api
