// Phases, deadlines, and every way in which a connection ends.
#include <algorithm>

#include "edge/connection/connection_state.h"

namespace nodex {
namespace {

using Phase = ServerConnection::Phase;

constexpr bool may_follow(Phase from, Phase to) noexcept {
    switch (from) {
        case Phase::idle: return to == Phase::handshaking;
        case Phase::handshaking: return to == Phase::reading_head || to == Phase::closing;
        case Phase::reading_head:
            return to == Phase::reading_body || to == Phase::responding || to == Phase::closing;
        case Phase::reading_body:
            return to == Phase::responding || to == Phase::reading_head || to == Phase::closing;
        case Phase::responding:
            return to == Phase::reading_head || to == Phase::reading_body || to == Phase::closing;
        case Phase::closing: return to == Phase::idle;
    }
    return false;
}

}  // namespace

// The only place that changes the phase; it sets the deadline of the new one.
void ServerConnection::State::enter(Phase next) noexcept {
    // A refusal inside a body is answered from responding too, and that is where an early answer already is.
    if (next == phase) {
        NX_ASSERT(next == Phase::responding);
        return;
    }
    NX_ASSERT(may_follow(phase, next));
    phase = next;
    release_ns = INT64_MAX;
    deadline_ns = INT64_MAX;
    switch (phase) {
        case Phase::reading_head:
            deadline_ns = loop.now_ns() + (served ? keep_alive : limits::first_byte_deadline);
            release_ns = loop.now_ns() + limits::idle_release_delay;
            head_wait = HeadWait::quiet;
            break;
        case Phase::reading_body:
            deadline_ns = loop.now_ns() + limits::body_deadline;
            window_bytes = 0;
            break;
        case Phase::idle:
        case Phase::handshaking:     // the channel's own deadline
        case Phase::responding:      // the handler's; a reader that stalls is watched in every phase
        case Phase::closing: break;  // the channel's own deadline
    }
}

// Sets the timer to the earliest thing to look at. It never moves a timer that fires before that.
void ServerConnection::State::watch() noexcept {
    if (phase == Phase::idle || phase == Phase::closing || phase == Phase::handshaking) return;
    Nanoseconds next_ns = std::min(deadline_ns, release_ns);
    if (channel.outbound_bytes() > 0) {
        if (!stall_watched) {
            stall_watched = true;
            progress_ns = loop.now_ns();
            progress_bytes = channel.sent_bytes();
        }
        next_ns = std::min(next_ns, loop.now_ns() + limits::stalled_reader_check_interval);
    }
    if (next_ns == INT64_MAX || (timer.armed() && timer_ns <= next_ns)) return;
    timer_ns = next_ns;
    start_timer<&State::deadline_passed>(loop.timers(), timer, timer_ns, this);
}

void ServerConnection::State::deadline_passed() noexcept {
    if (phase == Phase::idle || phase == Phase::closing) return;
    if (reader_stalls()) return abandon({.code = ErrorCode::timed_out, .source = ErrorSource::client});
    if (loop.now_ns() >= release_ns) {
        NX_ASSERT(head_wait == HeadWait::quiet);
        head_wait = HeadWait::released;
        release_ns = INT64_MAX;
        parser.release_buffers();
        channel.release_buffers();
        std::string().swap(held);
    }
    if (loop.now_ns() >= deadline_ns) phase_deadline_passed();
    if (phase != Phase::closing) watch();
}

bool ServerConnection::State::reader_stalls() noexcept {
    if (channel.outbound_bytes() == 0) {
        stall_watched = false;
        return false;
    }
    if (!stall_watched || channel.sent_bytes() != progress_bytes) {
        stall_watched = true;
        progress_bytes = channel.sent_bytes();
        progress_ns = loop.now_ns();
        return false;
    }
    return loop.now_ns() - progress_ns >= limits::stalled_reader_deadline;
}

void ServerConnection::State::phase_deadline_passed() noexcept {
    if (phase == Phase::reading_head) {
        if (head_wait == HeadWait::begun) return refuse(http::Refusal::timed_out);
        return close();
    }
    NX_ASSERT(phase == Phase::reading_body);
    constexpr std::uint64_t window_bytes_min =
        static_cast<std::uint64_t>(limits::body_deadline / second) * limits::body_rate_min_bytes_per_s;
    if (window_bytes < window_bytes_min) return refuse(http::Refusal::timed_out);
    deadline_ns = loop.now_ns() + limits::body_deadline;
    window_bytes = 0;
}

// The client has ended its direction. All SDKs close fully when they give up, and that looks the same from
// here; so a client that ends before its answer has begun, or inside a stream, is gone (its provider must be
// told to stop). Only an answer of known length is written to its end, for clients that half-close after the
// request.
void ServerConnection::State::channel_ended() noexcept {
    if (phase == Phase::closing) return;
    peer_ended = true;
    const bool finishing =
        answer == Answer::begun && (format == BodyFormat::sized || format == BodyFormat::none);
    if (finishing) {
        keep_open = false;
        return;
    }
    if (answer == Answer::awaited || answer == Answer::begun)
        return abandon({.code = ErrorCode::peer_closed, .source = ErrorSource::client});
    if (held.empty()) close();
    // Else whole requests may wait, received before the end: take_held answers them or finds that there are
    // none.
}

void ServerConnection::State::abandon(Error reason) noexcept {
    const bool told = answer == Answer::awaited || answer == Answer::begun;
    answer = Answer::none;
    abort(reason);
    if (told) handler.request_abandoned(self, reason);
    self.exchange = nullptr;
}

void ServerConnection::State::abort(Error reason) noexcept {
    enter(Phase::closing);
    loop.timers().cancel(timer);
    channel.abort(reason);
}

// Orderly: what is queued is still sent.
void ServerConnection::State::close() noexcept {
    enter(Phase::closing);
    loop.timers().cancel(timer);
    channel.close();
}

void ServerConnection::State::channel_closed(Error error) noexcept {
    loop.timers().cancel(timer);
    if (phase != Phase::closing) {
        const bool told = answer == Answer::awaited || answer == Answer::begun;
        enter(Phase::closing);
        const Error reason = error.code != ErrorCode::none
                                 ? error
                                 : Error{.code = ErrorCode::peer_closed, .source = ErrorSource::client};
        answer = Answer::none;
        if (told) handler.request_abandoned(self, reason);
    }
    tell_responses_sent();
    self.exchange = nullptr;
    parser.reset();
    parser.release_buffers();
    std::string().swap(held);
    enter(Phase::idle);
    owner.connection_closed(self);  // may destroy us
}

}  // namespace nodex
