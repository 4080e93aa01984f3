// Sending: what was written in one turn leaves in one send. Two buffers: `queued` fills while `wire` is sent.
#include <algorithm>
#include <utility>

#include "edge/base/limits.h"
#include "edge/channel/channel_state.h"
#include "edge/io/uring_errors.h"

namespace nodex {
namespace {

// A connection that has nothing to send keeps no more than this in each of its buffers: answers are larger
// than that, idle connections are many, and taking a buffer again costs far less than the send. Events of a
// stream are smaller, so they find their buffers.
constexpr std::size_t retained_bytes_max = 1'024;

void release_above(std::string& buffer, std::size_t bytes) noexcept {
    if (buffer.empty() && buffer.capacity() > bytes) std::string().swap(buffer);
}

// Growing by doubling would leave a stalled reader's ciphertext with as much room again behind it.
void reserve_for_records(std::string& output, std::size_t plain_bytes) {
    constexpr std::size_t record_plain_bytes = 16 * 1024;
    constexpr std::size_t record_extra_bytes = 64;  // header, nonce, tag: at most 29 with our suites
    output.reserve(output.size() + plain_bytes + (plain_bytes / record_plain_bytes + 1) * record_extra_bytes);
}

}  // namespace

void Channel::write(Bytes bytes) noexcept {
    State& state = *state_;
    if (state.phase == ChannelPhase::idle || state.phase == ChannelPhase::closing || bytes.empty()) return;
    state.queued.append(bytes);
    if (!writable()) state.tell_when_writable = true;
    state.at_turn_end();
}

void Channel::release_buffers() noexcept { state_->trim_buffers(0); }

bool Channel::writable() const noexcept { return outbound_bytes() < limits::outbound_high_bytes; }
std::size_t Channel::outbound_bytes() const noexcept { return state_->outbound_bytes(); }
std::uint64_t Channel::sent_bytes() const noexcept { return state_->sent_bytes(); }

// The part of `wire` that is still to go stands for at most as many written octets.
std::size_t Channel::State::outbound_bytes() const noexcept {
    if (wire.empty()) return queued.size();
    return queued.size() + std::min(wire_plain_bytes, wire.size() - sending.sent());
}

std::uint64_t Channel::State::sent_bytes() const noexcept {
    return wire_bytes_sent + (wire.empty() ? 0 : sending.sent());
}

void Channel::State::flush() noexcept {
    if (sending.in_flight() || fd < 0) return;
    const bool wanted = phase == ChannelPhase::handshaking || phase == ChannelPhase::open ||
                        closing == Closing::flushing;
    if (!wanted) return;
    if (!fill_wire()) return close_step();
    loop.io().send(sending, fd, wire, then<&State::flush_done>(this));
}

// Moves what may leave now into `wire`; false if that is nothing. When closing, close_notify is the last of
// it.
bool Channel::State::fill_wire() noexcept {
    NX_ASSERT(wire.empty() && wire_plain_bytes == 0);
    if (session == nullptr) {
        if (phase == ChannelPhase::handshaking) return false;
        wire_plain_bytes = queued.size();
        wire.swap(queued);
        return !wire.empty();
    }
    if (!queued.empty() && phase != ChannelPhase::handshaking) {
        const bool usable = session->phase() == tls::Phase::open;
        if (queued.size() > limits::outbound_low_bytes) reserve_for_records(session->output(), queued.size());
        const Status written = usable ? session->write(queued) : Status();
        if (usable && written) wire_plain_bytes = queued.size();
        queued.clear();
        // Encrypted, it is in `wire` now, for as long as the reader likes: not twice.
        release_above(queued, limits::outbound_low_bytes);
        if (!written) {
            cut(written.error());
            return false;
        }
    }
    if (closing == Closing::flushing) session->close();
    wire.swap(session->output());
    // The buffer of the last send comes back as the next one's: empty, but as large as that send was.
    release_above(session->output(), limits::outbound_low_bytes);
    return !wire.empty();
}

void Channel::State::flush_done(std::int32_t result) noexcept {
    wire_bytes_sent += sending.sent();
    wire_plain_bytes = 0;
    wire.clear();
    if (closing == Closing::joining) return close_step();
    if (result < 0) return cut(error_of(Operation::send, result));
    tell_writable();
    const bool more = !queued.empty() || (session != nullptr && !session->output().empty());
    if (more || phase == ChannelPhase::closing) return at_turn_end();
    trim_buffers(retained_bytes_max);
}

void Channel::State::trim_buffers(std::size_t kept_bytes) noexcept {
    release_above(wire, kept_bytes);  // in flight it is not empty
    release_above(queued, kept_bytes);
    if (session != nullptr) release_above(session->output(), kept_bytes);
}

void Channel::State::tell_writable() noexcept {
    if (!tell_when_writable || phase != ChannelPhase::open) return;
    if (outbound_bytes() > limits::outbound_low_bytes) return;
    tell_when_writable = false;
    owner.channel_writable();
}

}  // namespace nodex
