// Respond: every byte a client gets from an exchange: heads with the X-Nodex fields, errors,
// heartbeats; and the log line of the request.
#include <algorithm>

#include "edge/base/log.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"
#include "edge/http/sse.h"

namespace nodex::gateway {
namespace {

void add_field(std::string& target, Bytes name, Bytes value) {
    target.append(name).append(": ").append(value).append("\r\n");
}

// OpenAI's duration format: "12ms", "6m0s", "1.5s".
std::string duration_text(Nanoseconds duration) {
    const std::int64_t ms = duration / millisecond;
    if (ms < 1'000) return std::to_string(ms) + "ms";
    if (ms < 60'000) return std::to_string(ms / 1'000) + "s";
    return std::to_string(ms / 60'000) + "m" + std::to_string(ms % 60'000 / 1'000) + "s";
}

void add_rate_fields(std::string& target, Bytes what,
                     const replication::RateBucket::Verdict& verdict) {
    const std::string suffix(what);
    add_field(target, "x-ratelimit-limit-" + suffix, std::to_string(verdict.limit));
    add_field(target, "x-ratelimit-remaining-" + suffix, std::to_string(verdict.remaining));
    add_field(target, "x-ratelimit-reset-" + suffix, duration_text(verdict.reset_ns));
}

void add_cors_fields(std::string& target, const Settings& settings) {
    if (settings.cors_origin.empty()) return;
    add_field(target, "access-control-allow-origin", settings.cors_origin);
    add_field(target, "access-control-expose-headers",
              "x-nodex-request-id, x-nodex-session-id, x-nodex-node, x-nodex-idempotency-key, "
              "x-nodex-idempotent-replay, x-request-id, request-id, retry-after, retry-after-ms, "
              "x-should-retry, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, "
              "x-ratelimit-reset-requests, x-ratelimit-limit-tokens, "
              "x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens");
}

// What SDKs decide by. Claude Code repeats even a 401 for minutes when it is not told.
void add_retry_fields(std::string& target, const api::ApiError& error) {
    add_field(target, "x-should-retry", api::should_retry(error.code) ? "true" : "false");
    if (error.retry_after_ms < 0) return;
    add_field(target, "retry-after", std::to_string((error.retry_after_ms + 999) / 1'000));
    add_field(target, "retry-after-ms", std::to_string(error.retry_after_ms));
}

constexpr Bytes event_stream_type = "text/event-stream; charset=utf-8";

}  // namespace

// The status of a code as this operator wants it.
static int configured_status(api::Code code, const Settings& settings) noexcept {
    if (code == api::Code::insufficient_balance) return settings.insufficient_balance_status;
    if (code == api::Code::insufficient_quota) return settings.insufficient_quota_status;
    return api::status_of(code);
}

// Under 429 there is one money code, insufficient_quota: Codex stops at once on that one only.
static api::ApiError told_as(api::ApiError error, int status) {
    if (error.code != api::Code::insufficient_balance || status != 429) return error;
    if (error.message.empty()) error.message = api::default_message(error.code);
    error.code = api::Code::insufficient_quota;
    return error;
}

void Exchange::write_fields(std::string& target, int status, Bytes content_type,
                            const api::ApiError* error) noexcept {
    const bool paid = route_ == Route::chat_completions;
    if (!content_type.empty()) add_field(target, "content-type", content_type);
    add_field(target, "x-nodex-request-id", request_id_hex_);
    add_field(target, "x-request-id", request_id_hex_);
    add_field(target, "x-nodex-node", settings_->node);
    add_cors_fields(target, *settings_);
    if (paid) {
        if (session_text_.empty()) name_session();  // refused before it had one
        add_field(target, "x-nodex-session-id", session_text_);
        if (!key_text_.empty()) {
            add_field(target, "x-nodex-idempotency-key", key_text_);
            add_field(target, "x-nodex-idempotent-replay", replay_ ? "true" : "false");
        }
        if (rate_requests_) add_rate_fields(target, "requests", *rate_requests_);
        if (rate_tokens_) add_rate_fields(target, "tokens", *rate_tokens_);
    }
    if (anthropic_) add_field(target, "request-id", request_id_hex_);
    if (content_type == event_stream_type) {
        add_field(target, "cache-control", "no-cache");
        add_field(target, "x-accel-buffering", "no");
    }
    if (error == nullptr) return;
    add_retry_fields(target, *error);
    if (status == 401) add_field(target, "www-authenticate", "Bearer");
    if (status == 405)
        add_field(target, "allow",
                  route_ == Route::chat_completions ? "POST, OPTIONS" : "GET, HEAD, OPTIONS");
    if (status == 426) add_field(target, "upgrade", "HTTP/1.1");
}

// An error answer; once a stream has begun, an in-protocol error and the end.
void Exchange::refuse(const api::ApiError& given) noexcept {
    gateway_.metrics().errors[static_cast<std::size_t>(given.code)].add();
    error_code_ = given.code;
    const int status = configured_status(given.code, *settings_);
    const api::ApiError error = told_as(given, status);
    if (stream_begun_) {
        outgoing_.clear();
        http::append_event(outgoing_, 0, {}, api::error_body(error, request_id_hex_));
        connection_->write(outgoing_);
        bytes_out_ += outgoing_.size();
        return finish_response();
    }
    const bool anthropic = anthropic_ && route_ != Route::chat_completions;
    const std::string body = anthropic ? api::anthropic_error_body(error, request_id_hex_)
                                       : api::error_body(error, request_id_hex_);
    std::string fields;
    write_fields(fields, status, json_type, &error);
    status_ = status;
    bytes_out_ += body.size();
    gateway_.loop().timers().cancel(heartbeat_timer_);
    enter(Phase::answering);
    connection_->respond(status, fields, body);
    response_done();
}

// There is no exchange: none is free, or the message could not be read.
void Gateway::refuse(ServerConnection& connection, int status,
                     const api::ApiError& error) noexcept {
    const std::string id = to_hex(next_request_id().view());
    metrics_->errors[static_cast<std::size_t>(error.code)].add();
    metrics_->requests.add();
    std::string fields;
    add_field(fields, "content-type", json_type);
    add_field(fields, "x-nodex-request-id", id);
    add_field(fields, "x-request-id", id);
    add_field(fields, "x-nodex-node", settings_->node);
    add_cors_fields(fields, *settings_);
    add_retry_fields(fields, error);
    connection.respond(status, fields, api::error_body(error, id));
}

void Exchange::respond(int status, Bytes content_type, Bytes body) noexcept {
    std::string fields;
    write_fields(fields, status, content_type, nullptr);
    status_ = status;
    bytes_out_ += body.size();
    enter(Phase::answering);
    connection_->respond(status, fields, body);
    response_done();
}

void Exchange::begin_stream() noexcept {
    NX_ASSERT(!stream_begun_);
    std::string fields;
    write_fields(fields, 200, event_stream_type, nullptr);
    status_ = 200;
    stream_begun_ = true;
    connection_->begin({200, fields, -1});
}

void Exchange::finish_response() noexcept {
    gateway_.loop().timers().cancel(heartbeat_timer_);
    enter(Phase::answering);
    connection_->finish();
    response_done();
}

// --- what our run delivers ---

bool Exchange::can_take() const noexcept {
    return connection_ == nullptr || connection_->writable();
}

void Exchange::deliver(Bytes events) noexcept {
    NX_ASSERT(phase_ == Phase::running);
    if (!stream_begun_) {
        begin_stream();
        gateway_.metrics().first_event_ns.record(
            static_cast<std::uint64_t>(gateway_.loop().clock().now_ns() - body_complete_ns_));
    }
    connection_->write(events);
    bytes_out_ += events.size();
    last_write_ns_ = gateway_.loop().now_ns();
}

void Exchange::run_finished(bool complete, Nano charged) noexcept {
    run_ = nullptr;
    charged_ = charged;
    if (!complete) error_code_ = api::Code::upstream_lost;
    finish_response();
}

void Exchange::run_answered(int status, Bytes content_type, Bytes body, Nano charged) noexcept {
    run_ = nullptr;
    charged_ = charged;
    respond(status, content_type, body);
}

void Exchange::run_failed(const api::ApiError& error) noexcept {
    run_ = nullptr;
    refuse(error);
}

// --- heartbeats: a comment whenever a stream has been silent for an interval ---

void Exchange::arm_heartbeat() noexcept {
    last_write_ns_ = gateway_.loop().now_ns();
    start_timer<&Exchange::heartbeat>(gateway_.loop().timers(), heartbeat_timer_,
                                      last_write_ns_ + settings_->heartbeat_interval, this);
}

void Exchange::heartbeat() noexcept {
    if (connection_ == nullptr || phase_ == Phase::answering) return;
    const Nanoseconds silent_since = last_write_ns_;
    const Nanoseconds interval = settings_->heartbeat_interval;
    if (gateway_.loop().now_ns() - silent_since >= interval) {
        if (!stream_begun_) {
            begin_stream();
            if (phase_ == Phase::running) run_->client_head_sent();
        }
        if (connection_->writable()) {
            std::string comment;
            http::append_comment(comment, "heartbeat");
            connection_->write(comment);
        }
        last_write_ns_ = gateway_.loop().now_ns();
    }
    start_timer<&Exchange::heartbeat>(gateway_.loop().timers(), heartbeat_timer_,
                                      last_write_ns_ + interval, this);
}

// --- one line a request: no prompt, no key, client text escaped ---

void Exchange::log_request() noexcept {
    const Nanoseconds now = gateway_.loop().clock().now_ns();
    Metrics& metrics = gateway_.metrics();
    metrics.total_ns.record(static_cast<std::uint64_t>(now - began_ns_));
    if (status_ >= 100 && status_ < 600)
        metrics.status_class[static_cast<std::size_t>(status_ / 100)].add();
    std::string& line = outgoing_;
    line = "{\"time_ms\":";
    line += std::to_string(gateway_.loop().clock().wall_ms());
    const auto text = [&line](Bytes field, Bytes value) {
        line.append(",\"").append(field).append("\":\"");
        log::append_escaped(line, value);
        line += '"';
    };
    const auto number = [&line](Bytes field, std::int64_t value) {
        line.append(",\"").append(field).append("\":").append(std::to_string(value));
    };
    text("request_id", request_id_hex_);
    text("route", name(route_));
    number("status", status_);
    if (error_code_ != api::Code::count) text("code", api::name(error_code_));
    if (key_ != nullptr) {
        number("account", static_cast<std::int64_t>(raw(key_->account)));
        number("key_id", static_cast<std::int64_t>(raw(key_->id)));
    }
    if (route_ == Route::chat_completions) {
        if (model_ != nullptr) text("model", model_->id);
        text("session", session_text_);
        line += chat_.stream ? ",\"stream\":true" : ",\"stream\":false";
        line += replay_ ? ",\"replay\":true" : ",\"replay\":false";
        number("charged_nano", charged_);
    }
    number("bytes", static_cast<std::int64_t>(bytes_out_));
    number("total_us", (now - began_ns_) / microsecond);
    line += '}';
    log::access(line);
}

}  // namespace nodex::gateway
