// The verbs of a channel, its phases and the end of its turn.
#include "edge/channel/channel.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>
#include <utility>

#include "edge/base/limits.h"
#include "edge/channel/channel_state.h"
#include "edge/io/uring_errors.h"

namespace nodex {
namespace {

constexpr bool may_follow(ChannelPhase from, ChannelPhase to) noexcept {
    constexpr std::array<std::array<bool, 5>, 5> table{{
        //                 idle   connecting handshaking open closing
        /* idle */        {{false, true, true, false, false}},
        /* connecting */  {{false, false, true, false, true}},
        /* handshaking */ {{false, false, false, true, true}},
        /* open */        {{false, false, false, false, true}},
        /* closing */     {{true, false, false, false, false}},
    }};
    return table[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}
static_assert(!may_follow(ChannelPhase::closing, ChannelPhase::open));

}  // namespace

const char* name(ChannelPhase phase) noexcept {
    switch (phase) {
        case ChannelPhase::idle: return "idle";
        case ChannelPhase::connecting: return "connecting";
        case ChannelPhase::handshaking: return "handshaking";
        case ChannelPhase::open: return "open";
        case ChannelPhase::closing: return "closing";
    }
    return "unknown";
}

Channel::Channel(Loop& loop, ChannelOwner& owner) noexcept : state_(std::make_unique<State>(loop, owner)) {}
Channel::~Channel() { NX_ASSERT(state_->phase == ChannelPhase::idle); }

void Channel::accept(int fd, std::shared_ptr<tls::ServerContext> context) noexcept {
    NX_ASSERT(fd >= 0);
    State& state = *state_;
    state.start(fd, limits::handshake_deadline);
    if (context != nullptr) state.session = tls::Session::accept(std::move(context));
    state.enter(ChannelPhase::handshaking);
    state.begin_handshake();
}

void Channel::connect(const SocketAddress& address, std::shared_ptr<tls::ClientContext> context,
                      const std::string& host, Nanoseconds timeout_ns) noexcept {
    State& state = *state_;
    Io& io = state.loop.io();
    const Result<int> fd = io.open_socket(address);
    state.start(fd ? *fd : -1, timeout_ns);
    state.enter(ChannelPhase::connecting);
    if (!fd) {
        state.enter(ChannelPhase::closing);
        state.closing = Closing::releasing;
        state.ending = fd.error();
        return state.at_turn_end();
    }
    if (context != nullptr) state.session = tls::Session::connect(std::move(context), host);
    io.connect(state.sending, state.fd, address, then<&State::connect_done>(&state));
}

void Channel::State::start(int descriptor, Nanoseconds timeout_ns) noexcept {
    NX_ASSERT(phase == ChannelPhase::idle);
    NX_ASSERT(queued.empty() && wire.empty() && held.empty() && session == nullptr);
    fd = descriptor;
    closing = Closing::none;
    inbound = Inbound::flowing;
    peer_end = PeerEnd::none;
    tell_when_writable = false;
    ending = {};
    wire_plain_bytes = 0;
    wire_bytes_sent = 0;
    start_timer<&State::deadline_passed>(loop.timers(), deadline, loop.now_ns() + timeout_ns, this);
}

void Channel::State::enter(ChannelPhase next) noexcept {
    NX_ASSERT(may_follow(phase, next));
    phase = next;
    const bool still_shaking = next == ChannelPhase::connecting || next == ChannelPhase::handshaking;
    if (!still_shaking) loop.timers().cancel(deadline);  // closing has deadlines of its own: channel_close.cc
}

void Channel::State::connect_done(std::int32_t result) noexcept {
    if (phase == ChannelPhase::closing) return close_step();
    NX_ASSERT(phase == ChannelPhase::connecting);
    if (result < 0) return cut(error_of(Operation::connect, result));
    enter(ChannelPhase::handshaking);
    begin_handshake();
}

// A plain channel has nothing to shake hands about; its opening waits for the end of the turn, because
// this also runs inside accept().
void Channel::State::begin_handshake() noexcept {
    if (session != nullptr) {
        std::string none;
        const Status begun = session->feed({}, none);
        if (!begun) return close_with(begun.error());
    }
    read();
    at_turn_end();
}

void Channel::State::opened() noexcept {
    enter(ChannelPhase::open);
    if (inbound == Inbound::paused) loop.io().cancel(reading);
    owner.channel_opened();
}

void Channel::State::at_turn_end() noexcept { nodex::at_turn_end<&State::settle>(loop, turn_task, this); }

// Idempotent: looks at what there is to do, so that verbs need only ask for it.
void Channel::State::settle() noexcept {
    if (closing == Closing::releasing && fd < 0) return finish();
    if (phase == ChannelPhase::handshaking && session == nullptr) opened();
    if (phase == ChannelPhase::open && inbound == Inbound::flowing) hand_on_held();
    read();
    flush();
}

void Channel::State::deadline_passed() noexcept {
    switch (closing) {
        case Closing::none: return cut({ErrorCode::timed_out, ErrorSource::self, true, 0});
        case Closing::flushing: return flush_watched();
        case Closing::lingering:  // not a reset: the kernel may still be sending to a slow reader
            closing = Closing::joining;
            return close_join();
        case Closing::joining:
        case Closing::releasing: return;
    }
}

void Channel::close() noexcept { state_->close_with({}); }
void Channel::abort(Error reason) noexcept { state_->cut(reason); }

ChannelPhase Channel::phase() const noexcept { return state_->phase; }
const tls::Session* Channel::tls() const noexcept { return state_->session.get(); }

std::string Channel::peer_address() const {
    if (state_->fd < 0) return {};
    const SocketAddress peer = state_->loop.io().peer_of(state_->fd);
    char text[INET6_ADDRSTRLEN] = {};
    if (peer.size == 0) return {};
    if (peer.storage.ss_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, &peer.storage, sizeof v4);
        (void)inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    } else if (peer.storage.ss_family == AF_INET6) {
        sockaddr_in6 v6;
        std::memcpy(&v6, &peer.storage, sizeof v6);
        (void)inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    }
    return text;
}

}  // namespace nodex
