// Receiving: one multishot receive, decrypted and handed on at once; nothing is kept but what arrives while
// the owner has paused.
#include <cerrno>
#include <utility>

#include "edge/base/limits.h"
#include "edge/channel/channel_state.h"
#include "edge/io/uring_errors.h"

namespace nodex {
namespace {

// Plaintext on its way from the session to the owner. One a thread instead of one a channel: an idle
// connection then owns no buffer for it.
thread_local std::string decrypted;

}  // namespace

void Channel::pause() noexcept {
    State& state = *state_;
    state.inbound = Inbound::paused;
    if (state.phase == ChannelPhase::open) state.loop.io().cancel(state.reading);
}

void Channel::resume() noexcept {
    State& state = *state_;
    if (state.inbound == Inbound::flowing) return;
    state.inbound = Inbound::flowing;
    if (state.phase == ChannelPhase::open) state.at_turn_end();
}

// Receives whenever somebody wants the bytes: the handshake, an owner that has not paused, or a closing
// channel that waits for the peer's end and drops what comes before it.
void Channel::State::read() noexcept {
    if (reading.in_flight() || fd < 0 || peer_end != PeerEnd::none) return;
    const bool wanted = phase == ChannelPhase::handshaking ||
                        (phase == ChannelPhase::open && inbound == Inbound::flowing) ||
                        closing == Closing::flushing || closing == Closing::lingering;
    if (wanted) loop.io().recv(reading, fd, then<&State::read_done>(this));
}

void Channel::State::read_done(std::int32_t result) noexcept {
    if (result > 0) return received(reading.received());
    NX_ASSERT(!reading.in_flight());
    if (closing == Closing::joining) return close_step();
    // The ring was out of buffers, or a pause is over (or not): settle() decides whether to receive again.
    if (result == -ENOBUFS || result == -ECANCELED) return at_turn_end();
    if (result == 0) return stream_ended();
    cut(error_of(Operation::recv, result));
}

void Channel::State::received(Bytes bytes) noexcept {
    if (phase == ChannelPhase::closing) return;
    if (session != nullptr) return decrypt(bytes);
    if (phase == ChannelPhase::handshaking) opened();
    hand_on(bytes);
}

void Channel::State::decrypt(Bytes ciphertext) noexcept {
    if (peer_end != PeerEnd::none) return;  // after close_notify nothing counts
    std::string plaintext = std::exchange(decrypted, {});
    plaintext.clear();
    const Status fed = session->feed(ciphertext, plaintext);
    if (!session->output().empty()) at_turn_end();
    const bool shaken = session->phase() == tls::Phase::open || !plaintext.empty();
    if (phase == ChannelPhase::handshaking && shaken) opened();
    if (!plaintext.empty()) hand_on(plaintext);
    decrypted = std::move(plaintext);
    if (fed || phase == ChannelPhase::closing) return;
    if (fed.error().code == ErrorCode::peer_closed && phase == ChannelPhase::open) return peer_ended();
    close_with(fed.error());  // orderly, because an alert may be waiting to be sent
}

void Channel::State::hand_on(Bytes plaintext) noexcept {
    if (phase != ChannelPhase::open) return;  // the owner closed meanwhile
    // Behind a pause: at most what the kernel had received when it began. Behind a resume() in this turn,
    // too: what is held goes first, at the end of the turn.
    if (inbound == Inbound::paused || !held.empty())
        held.append(plaintext);
    else
        owner.channel_received(plaintext);
}

// In pieces, so that an owner whose window is full again is not given a whole burst on top of it.
void Channel::State::hand_on_held() noexcept {
    const std::string bytes = std::exchange(held, {});
    Bytes rest = bytes;
    while (!rest.empty() && phase == ChannelPhase::open && inbound == Inbound::flowing) {
        const Bytes piece = rest.substr(0, limits::recv_buffer_bytes);
        rest.remove_prefix(piece.size());
        owner.channel_received(piece);
    }
    if (!rest.empty() && phase == ChannelPhase::open) held.assign(rest);
    if (peer_end == PeerEnd::seen) tell_end();
}

// FIN. Under TLS anybody can send one, so without close_notify it is not an orderly end.
void Channel::State::stream_ended() noexcept {
    if (phase == ChannelPhase::handshaking && session == nullptr) opened();
    const bool cut_short = session != nullptr && peer_end == PeerEnd::none && phase != ChannelPhase::closing;
    if (cut_short) return cut({ErrorCode::connection_reset, ErrorSource::kernel, true, 0});
    peer_ended();
}

void Channel::State::peer_ended() noexcept {
    if (peer_end != PeerEnd::none) return;  // close_notify, then FIN
    peer_end = PeerEnd::seen;
    if (phase == ChannelPhase::closing) return close_step();
    tell_end();
}

void Channel::State::tell_end() noexcept {
    if (phase != ChannelPhase::open || inbound == Inbound::paused || !held.empty()) return;
    peer_end = PeerEnd::told;
    owner.channel_ended();
}

}  // namespace nodex
