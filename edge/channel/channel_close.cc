// Closing: ask, join, release. Nothing is released while the kernel holds it; the owner hears of the end
// once, last.
#include <utility>

#include "edge/base/limits.h"
#include "edge/channel/channel_state.h"
#include "edge/io/uring_errors.h"

namespace nodex {

// Orderly. What is queued and close_notify leave at the end of the turn, together if they fit.
void Channel::State::close_with(Error reason) noexcept {
    if (phase == ChannelPhase::idle || phase == ChannelPhase::closing) return;
    if (phase == ChannelPhase::connecting) return cut(reason);
    ending = reason;
    enter(ChannelPhase::closing);
    closing = Closing::flushing;
    std::string().swap(held);
    taken_bytes = sent_bytes();
    taken_ns = loop.now_ns();
    watch_flush();
    at_turn_end();
}

// A large answer may take a slow reader minutes: only one that takes nothing at all is cut, as while open.
void Channel::State::watch_flush() noexcept {
    start_timer<&State::deadline_passed>(loop.timers(), deadline,
                                         loop.now_ns() + limits::stalled_reader_check_interval, this);
}

void Channel::State::flush_watched() noexcept {
    if (sent_bytes() != taken_bytes) {
        taken_bytes = sent_bytes();
        taken_ns = loop.now_ns();
    }
    if (loop.now_ns() - taken_ns >= limits::stalled_reader_deadline) return cut(ending);
    watch_flush();
}

// From here on nobody can tell how far the reader is, so the wait is short.
void Channel::State::linger() noexcept {
    loop.io().end_sending(fd);
    closing = Closing::lingering;
    start_timer<&State::deadline_passed>(loop.timers(), deadline, loop.now_ns() + limits::close_deadline,
                                         this);
}

// At once. A reset, so that the peer cannot take what it has for the whole.
void Channel::State::cut(Error reason) noexcept {
    if (phase == ChannelPhase::idle || closing == Closing::joining || closing == Closing::releasing) return;
    if (phase != ChannelPhase::closing) {
        ending = reason;
        enter(ChannelPhase::closing);
    }
    closing = Closing::joining;
    std::string().swap(held);
    std::string().swap(queued);
    loop.io().reset_on_close(fd);
    close_join();
}

// Called whenever something a closing channel waits for has ended.
void Channel::State::close_step() noexcept {
    switch (closing) {
        case Closing::none:
        case Closing::releasing: return;
        case Closing::joining: return close_join();
        case Closing::flushing: {
            const bool unsent = !queued.empty() || (session != nullptr && !session->output().empty());
            const bool unclosed = session != nullptr && session->phase() == tls::Phase::open;
            if (sending.in_flight()) return;
            if (unsent || unclosed) return at_turn_end();
            linger();
            [[fallthrough]];
        }
        case Closing::lingering:
            if (peer_end == PeerEnd::none) return read();
            closing = Closing::joining;
            return close_join();
    }
}

void Channel::State::close_join() noexcept {
    NX_ASSERT(closing == Closing::joining);
    Io& io = loop.io();
    io.cancel(reading);
    io.cancel(sending);
    if (reading.in_flight() || sending.in_flight()) return;
    closing = Closing::releasing;
    io.close(reading, fd, then<&State::close_done>(this));
}

// The descriptor is gone whatever the kernel says; error_of() asserts that it was ours.
void Channel::State::close_done(std::int32_t result) noexcept {
    if (result < 0) (void)error_of(Operation::close, result);
    fd = -1;
    finish();
}

void Channel::State::finish() noexcept {
    NX_ASSERT(!reading.in_flight() && !sending.in_flight());
    closing = Closing::none;
    session.reset();
    std::string().swap(queued);
    std::string().swap(wire);
    enter(ChannelPhase::idle);
    owner.channel_closed(ending);  // the owner may reuse or destroy the channel: nothing after this line
}

}  // namespace nodex
