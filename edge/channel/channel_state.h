// What a channel is made of; shared by the files of this folder only.
//
//   channel.cc        verbs, phases, the end of a turn
//   channel_read.cc   receive, decrypt, hand on, pause
//   channel_write.cc  queue, encrypt, send
//   channel_close.cc  ask, join, release
#pragma once
#include "edge/channel/channel.h"

namespace nodex {

// How far a closing channel is. Only in ChannelPhase::closing.
//   flushing --> lingering --> joining --> releasing        (flushing may go to joining: that is a cut)
enum class Closing : std::uint8_t {
    none,
    flushing,   // what is queued, then close_notify, still goes out
    lingering,  // the kernel has all, our FIN too; waiting for the peer's end, so that no reset overtakes it
    joining,    // cancelled; waiting until the kernel holds neither receive nor send
    releasing,  // the descriptor is being closed
};

enum class Inbound : std::uint8_t { flowing, paused };
enum class PeerEnd : std::uint8_t { none, seen, told };  // told: the owner has heard of it

struct Channel::State {
    State(Loop& its_loop, ChannelOwner& its_owner) noexcept : loop(its_loop), owner(its_owner) {}

    // channel.cc
    void enter(ChannelPhase next) noexcept;
    void start(int descriptor, Nanoseconds timeout_ns) noexcept;
    void connect_done(std::int32_t result) noexcept;
    void begin_handshake() noexcept;
    void opened() noexcept;
    void at_turn_end() noexcept;  // asks for settle()
    void settle() noexcept;       // does what verbs asked for: callbacks, receives, one send
    void deadline_passed() noexcept;

    // channel_read.cc
    void read() noexcept;
    void read_done(std::int32_t result) noexcept;
    void received(Bytes bytes) noexcept;
    void decrypt(Bytes ciphertext) noexcept;
    void hand_on(Bytes plaintext) noexcept;
    void hand_on_held() noexcept;
    void stream_ended() noexcept;
    void peer_ended() noexcept;
    void tell_end() noexcept;

    // channel_write.cc
    void flush() noexcept;
    bool fill_wire() noexcept;
    void flush_done(std::int32_t result) noexcept;
    void tell_writable() noexcept;
    void trim_buffers(std::size_t kept_bytes) noexcept;
    [[nodiscard]] std::size_t outbound_bytes() const noexcept;
    [[nodiscard]] std::uint64_t sent_bytes() const noexcept;

    // channel_close.cc
    void close_with(Error reason) noexcept;  // orderly: flushes first
    void cut(Error reason) noexcept;         // at once: the peer sees a reset
    void close_step() noexcept;
    void linger() noexcept;
    void watch_flush() noexcept;
    void flush_watched() noexcept;
    void close_join() noexcept;
    void close_done(std::int32_t result) noexcept;
    void finish() noexcept;

    Loop& loop;
    ChannelOwner& owner;
    int fd = -1;  // >= 0 except in idle, and in closing when no socket could be made
    ChannelPhase phase = ChannelPhase::idle;
    Closing closing = Closing::none;
    Inbound inbound = Inbound::flowing;
    PeerEnd peer_end = PeerEnd::none;
    bool tell_when_writable = false;  // writable() has become false since the last channel_writable
    Error ending{};                   // told by channel_closed

    Completion reading;  // the receive; at the very end the close
    Completion sending;  // the connect, then one send at a time
    Timer deadline;      // of connecting and handshaking; of lingering; flushing: the next look at the reader
    TurnTask turn_task;

    std::unique_ptr<tls::Session> session;  // null: plain
    std::string queued;                     // written, not yet handed to the kernel or encrypted
    std::string wire;                       // what `sending` sends; not touched while it is in flight
    std::size_t wire_plain_bytes = 0;       // how much of what was written `wire` stands for
    std::uint64_t wire_bytes_sent = 0;      // by finished sends
    std::string held;                       // plaintext that arrived after pause()
    Nanoseconds taken_ns = 0;               // flushing: when the reader last took some, as far as seen
    std::uint64_t taken_bytes = 0;          // sent_bytes() then
};

}  // namespace nodex
