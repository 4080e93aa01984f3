// Dispatch: the provider call, and another endpoint as long as no byte went to the client.
#include <algorithm>

#include "edge/api/provider_error.h"
#include "edge/base/log.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"
#include "edge/gateway/run.h"

namespace nodex::gateway {
namespace {

constexpr Bytes chat_path = "/chat/completions";

// The centre takes a lease's money back when the longest request under it must have ended. What is
// left of that is for the centre's word on the key and for the settlement.
constexpr Nanoseconds attempts_deadline = limits::request_deadline - 30 * second;

bool is_media_type(std::optional<Bytes> value, Bytes type) noexcept {
    return value && equals_ignore_case(value->substr(0, type.size()), type);
}

// Retry-After in seconds; dates and nonsense count as absent.
std::int64_t provider_retry_after_ms(const http::ResponseHead& head) noexcept {
    const auto field = head.field("retry-after");
    const auto seconds = field ? parse_decimal(*field) : std::nullopt;
    return seconds && *seconds <= 3'600 ? static_cast<std::int64_t>(*seconds) * 1'000 : -1;
}

}  // namespace

void Run::start(RunOrder order, Exchange* client) {
    NX_ASSERT(phase_ == Phase::idle && order.writer);
    order_ = std::move(order);
    client_ = client;
    enter(Phase::dispatching);
    if (client_ == nullptr) return fail({api::Code::upstream_lost, {}, {}, -1});
    if (gateway_.stopping()) return fail(stopped());
    attempts_end_ns_ = gateway_.loop().now_ns() + attempts_deadline;
    endpoints_ = gateway_.upstream().choose(order_.model.id);
    refusal_ = {api::Code::upstream_unavailable, {}, {}, -1};
    if (order_.claims != replication::ClaimMode::local) ask_centre();
    if (gate_ == Gate::shut && order_.claims == replication::ClaimMode::strict)
        return;  // open_gate() goes on
    attempt();
}

// One attempt at the next endpoint; a single endpoint gets a second one. None once the time of all
// is over.
void Run::attempt() noexcept {
    const bool exhausted =
        endpoint_next_ >= endpoints_.size() && (endpoints_.size() != 1 || attempts_ >= 2);
    attempt_started_ns_ = gateway_.loop().now_ns();
    if (exhausted || attempts_ >= limits::provider_attempts_max ||
        attempt_started_ns_ >= attempts_end_ns_)
        return fail(refusal_);
    endpoint_ = endpoints_[std::min(endpoint_next_, endpoints_.size() - 1)];
    ++endpoint_next_;
    if (attempts_++ > 0) gateway_.metrics().provider_retries.add();
    gateway_.metrics().provider_attempts.add();
    const upstream::EndpointConfig& endpoint = gateway_.upstream().endpoint(endpoint_);
    endpoint_name_ = endpoint.name;
    provider_status_ = 0;
    unreadable_ = provider_done_ = paused_ = false;
    finished_.reset();
    usage_.reset();
    buffer_.clear();
    sse_.reset();
    const auto mapped = endpoint.models.find(order_.model.id);
    const Bytes model =
        mapped != endpoint.models.end() ? Bytes(mapped->second) : Bytes(order_.model.id);
    call_.start(endpoint_, chat_path, api::provider_body(order_.chat, order_.body, model),
                order_.chat.stream, order_.request_id, attempts_end_ns_);
}

// The attempt is over without an answer that could be passed on; nothing of it was delivered.
void Run::attempt_failed(api::Code code, Bytes message, std::int64_t retry_after,
                         bool retry) noexcept {
    refusal_ = {code, std::string(message), {}, retry_after};
    log::write(log::Level::debug, "provider_attempt_failed",
               {{"request_id", order_.request_id},
                {"provider", endpoint_name_},
                {"code", api::name(code)}});
    if (retry && nothing_delivered() && client_or_watch()) return attempt();
    fail(refusal_);
}

void Run::call_head(const http::ResponseHead& head) noexcept {
    gateway_.metrics().provider_head_ns.record(
        static_cast<std::uint64_t>(gateway_.loop().now_ns() - attempt_started_ns_));
    provider_status_ = head.status;
    retry_after_ms_ = provider_retry_after_ms(head);
    const bool healthy =
        head.status < 500 && head.status != 401 && head.status != 403 && head.status != 429;
    gateway_.upstream().report(endpoint_, healthy);
    if (head.status != 200) return;  // the body says why; see read_refusal()
    const bool plain = !head.field("content-encoding") ||
                       equals_ignore_case(*head.field("content-encoding"), "identity");
    const Bytes wanted = order_.chat.stream ? "text/event-stream" : "application/json";
    if (plain && is_media_type(head.field("content-type"), wanted)) return;
    call_.cancel();
    attempt_failed(api::Code::gateway_error,
                   "The provider answered in a form that was not asked for.", -1, true);
}

// A status other than 200. The client's own mistakes are told with the provider's text; everything
// that is between us and the provider (credentials, quota, redirects, server errors) is not.
void Run::read_refusal() noexcept {
    const int status = provider_status_;
    if (status == 400 || status == 409 || status == 413 || status == 422) {
        std::string message = api::provider_error_message(gateway_.json(), buffer_);
        if (message.size() > limits::refusal_text_bytes_max)
            message.resize(limits::refusal_text_bytes_max);
        if (message.empty()) message = "The provider refused the request.";
        return attempt_failed(api::Code::invalid_request_error, message, -1, false);
    }
    if (status == 429)
        return attempt_failed(api::Code::upstream_unavailable,
                              "The provider is at its limit right now.", retry_after_ms_, true);
    if (status == 503 || status == 529 || status == 500)
        return attempt_failed(api::Code::upstream_unavailable, {}, retry_after_ms_, true);
    // A gateway of the provider's gave up waiting: as with a deadline of ours, the model may run.
    if (status == 504 || status == 408)
        return attempt_failed(api::Code::upstream_timeout, {}, -1, status != 504);
    attempt_failed(api::Code::gateway_error, {}, -1, true);
}

void Run::call_failed(Error error, bool sent) noexcept {
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;
    const bool timed_out = error.code == ErrorCode::timed_out;
    // All connections that this core may have to the provider are in use: ours to say, and when to come back,
    // or a crowd of clients asks again and again at once.
    if (error.code == ErrorCode::limit_exceeded && error.source == ErrorSource::self)
        return attempt_failed(api::Code::overloaded, {}, 1'000, true);
    // The model has run: another one would give as much again.
    const bool too_large = error.code == ErrorCode::limit_exceeded && provider_status_ == 200;
    if (too_large && phase_ == Phase::dispatching)
        return attempt_failed(api::Code::gateway_error,
                              "The provider's answer is larger than this node accepts.", -1, false);
    if (phase_ == Phase::relaying)
        return lose_stream(timed_out ? api::Code::upstream_timeout : api::Code::upstream_lost);
    // A model that is slow to begin may be running: a second one would cost twice.
    const bool retry = !(timed_out && sent);
    api::Code code = timed_out ? api::Code::upstream_timeout : api::Code::upstream_unavailable;
    if (error.code == ErrorCode::malformed) code = api::Code::gateway_error;
    attempt_failed(code, {}, -1, retry);
}

}  // namespace nodex::gateway
