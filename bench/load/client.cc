// A load connection's life.
#include "bench/load/client.h"

#include <array>
#include <utility>

namespace nodex::bench {
namespace {

using Phase = ClientPhase;

constexpr bool may_follow(Phase from, Phase to) noexcept {
    constexpr std::array<std::array<bool, 5>, 5> table{{
        //           closed opening ready  busy   closing
        /* closed */  {{false, true, false, false, false}},
        /* opening */ {{true, false, true, false, true}},
        /* ready */   {{true, false, false, true, true}},
        /* busy */    {{true, false, true, false, true}},
        /* closing */ {{true, false, false, false, false}},
    }};
    return table[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}
static_assert(!may_follow(Phase::closed, Phase::busy));

constexpr Nanoseconds connect_timeout = 10 * second;
constexpr Error ours{ErrorCode::cancelled, ErrorSource::self};

// A chunk that carries text: a first chunk with only a role in it is not a token.
bool carries_text(Bytes data) noexcept {
    constexpr Bytes content = "\"content\":\"";
    const auto found = data.find(content);
    if (found == Bytes::npos) return false;
    const Bytes text = data.substr(found + content.size());
    return !text.empty() && text.front() != '"';
}

Failure failure_of(Error error) noexcept {
    if (error.source == ErrorSource::tls) return Failure::tls;
    if (error.code == ErrorCode::timed_out) return Failure::timed_out;
    return Failure::connect;
}

}  // namespace

Client::Client(ClientContext& context, ClientOwner& owner) noexcept
    : context_(context), owner_(owner), channel_(context.loop, *this) {}

void Client::enter(Phase next) noexcept {
    NX_ASSERT(may_follow(phase_, next));
    phase_ = next;
    context_.loop.timers().cancel(timer_);
}

void Client::open() noexcept {
    enter(Phase::opening);
    opened_ = failed_ = false;
    now_ns_ = context_.loop.clock().now_ns();
    parser_ = http::ResponseParser();
    channel_.connect(context_.address, context_.tls, context_.options.target.host, connect_timeout);
}

void Client::open_at(Nanoseconds at_ns) noexcept {
    NX_ASSERT(phase_ == Phase::closed);
    start_timer<&Client::open>(context_.loop.timers(), timer_, at_ns, this);
}

void Client::channel_opened() noexcept {
    if (phase_ == Phase::closing) return;
    context_.recorder.connected(context_.loop.clock().now_ns() - now_ns_);
    enter(Phase::ready);
    opened_ = true;
    owner_.client_opened(*this);
    owner_.client_ready(*this);
}

void Client::send(Nanoseconds intended_ns, bool waited) noexcept {
    enter(Phase::busy);
    intended_ns_ = intended_ns;
    event_ns_ = 0;
    answer_ = Answer::plain;
    complete_ = events_done_ = events_broken_ = token_seen_ = malformed_ = false;
    std::string& message = context_.request.message;
    if (context_.request.key_offset != std::string::npos)
        message.replace(context_.request.key_offset, unique_key_bytes,
                        unique_key(context_.run, context_.next_number++));
    events_.reset();
    parser_.begin(context_.options.body.empty() ? http::Method::get : http::Method::post);
    const Nanoseconds now_ns = context_.loop.clock().now_ns();
    const Nanoseconds deadline_ns = now_ns + context_.options.timeout;
    start_timer<&Client::timeout_passed>(context_.loop.timers(), timer_, deadline_ns, this);
    context_.recorder.sent(intended_ns, now_ns, waited);
    channel_.write(message);
}

void Client::timeout_passed() noexcept { fail(Failure::timed_out); }

void Client::close() noexcept {
    if (phase_ == Phase::closing) return;
    if (phase_ == Phase::closed) return context_.loop.timers().cancel(timer_);
    enter(Phase::closing);
    channel_.abort(ours);
}

// --- the answer ---

void Client::channel_received(Bytes bytes) noexcept {
    if (phase_ == Phase::closing) return;
    if (phase_ != Phase::busy) return fail(Failure::malformed);  // nobody asked
    now_ns_ = context_.loop.clock().now_ns();
    const Status fed = parser_.feed(bytes, *this);
    if (!fed || malformed_) return fail(Failure::malformed);
    if (complete_) finish();
}

void Client::response_head(const http::ResponseHead& head) noexcept {
    context_.recorder.status(head.status);
    if (head.status != context_.options.expect_status)
        answer_ = Answer::unexpected;
    else if (head.field("content-type").value_or("").starts_with("text/event-stream"))
        answer_ = Answer::events;
}

void Client::response_body(Bytes bytes) noexcept {
    if (answer_ != Answer::events || malformed_) return;
    if (!events_.feed(bytes, *this)) malformed_ = true;
}

void Client::server_event(const http::ServerEvent& event) noexcept {
    if (event.data == "[DONE]") {
        events_done_ = true;
        return;
    }
    context_.recorder.event(event_ns_, now_ns_);
    event_ns_ = now_ns_;
    if (event.data.starts_with("{\"error\"")) events_broken_ = true;
    if (token_seen_ || !carries_text(event.data)) return;
    token_seen_ = true;
    context_.recorder.first_token(intended_ns_, now_ns_);
}

void Client::finish() noexcept {
    NX_ASSERT(phase_ == Phase::busy);
    Recorder& recorder = context_.recorder;
    if (answer_ == Answer::unexpected)
        recorder.failed(Failure::status, intended_ns_);
    else if (events_broken_)
        recorder.failed(Failure::error_event, intended_ns_);
    else if (answer_ == Answer::events && !events_done_)
        recorder.failed(Failure::incomplete, intended_ns_);
    else
        recorder.answered(intended_ns_, now_ns_);
    const bool reusable = parser_.reusable();
    if (reusable)
        enter(Phase::ready);
    else
        close();
    owner_.request_ended(*this);
    if (phase_ == Phase::ready) owner_.client_ready(*this);
}

void Client::fail(Failure failure) noexcept {
    const bool busy = phase_ == Phase::busy;
    context_.recorder.failed(failure, busy ? intended_ns_ : context_.loop.clock().now_ns());
    failed_ = true;
    close();
    if (busy) owner_.request_ended(*this);
}

void Client::channel_ended() noexcept {
    if (phase_ == Phase::busy) {
        now_ns_ = context_.loop.clock().now_ns();
        if (parser_.finish(*this) && complete_) return finish();
        return fail(Failure::closed);
    }
    close();  // the server's keep-alive deadline
}

void Client::channel_closed(Error error) noexcept {
    const bool busy = phase_ == Phase::busy;
    if (phase_ != Phase::closing) {
        const Failure failure = phase_ == Phase::opening ? failure_of(error) : Failure::closed;
        context_.recorder.failed(failure, busy ? intended_ns_ : context_.loop.clock().now_ns());
        failed_ = true;
    }
    enter(Phase::closed);
    if (busy) owner_.request_ended(*this);
    owner_.client_closed(*this, error);
}

}  // namespace nodex::bench
