// Channel: a stream socket with or without TLS: plain bytes in, plain bytes out, bounded. The only user of
// io/ and tls/ together; server connections, provider connections, the load generator and the provider
// simulator are all built on it. Loop-thread only; one channel per socket, reusable after channel_closed.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "edge/base/bytes.h"
#include "edge/base/result.h"
#include "edge/io/loop.h"
#include "edge/tls/tls_session.h"

namespace nodex {

// Callbacks of a channel; none is called from inside a verb of Channel, always from the loop.
class ChannelOwner {
  public:
    // The connection is usable: accepted or connected, and the TLS handshake is done.
    virtual void channel_opened() noexcept = 0;
    // Bytes arrived (decrypted). The owner takes all of them or copies; to stop the flow it calls pause().
    // It may call close() or abort() in here.
    virtual void channel_received(Bytes bytes) noexcept = 0;
    // The peer ended its direction in an orderly way (FIN or close_notify). Writing may go on until close().
    virtual void channel_ended() noexcept = 0;
    // The outbound queue fell to limits::outbound_low_bytes after writable() had become false.
    virtual void channel_writable() noexcept = 0;
    // The end: nothing is in flight, the descriptor is closed, the channel may be reused or destroyed.
    //   error.code none: our close(); else what ended it (connection_reset, timed_out, tls_handshake_failed,
    //   connection_refused ...). Called exactly once per open.
    virtual void channel_closed(Error error) noexcept = 0;

  protected:
    ~ChannelOwner() = default;
};

// idle --> connecting --> handshaking --> open --> closing --> idle    (each may go to closing)
enum class ChannelPhase : std::uint8_t { idle, connecting, handshaking, open, closing };
const char* name(ChannelPhase phase) noexcept;

class Channel {
  public:
    Channel(Loop& loop, ChannelOwner& owner) noexcept;
    ~Channel();  // asserts idle
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;

    // A socket from a listener. `context` null: plain. Handshake deadline: limits::handshake_deadline.
    void accept(int fd, std::shared_ptr<tls::ServerContext> context) noexcept;
    // Connects; `context` null: plain. `host` for SNI and the certificate check. `timeout_ns` covers connect
    // and handshake together. Failure arrives as channel_closed.
    void connect(const SocketAddress& address, std::shared_ptr<tls::ClientContext> context,
                 const std::string& host, Nanoseconds timeout_ns) noexcept;

    // Queues bytes; everything written in one turn leaves in one send (and as few TLS records as fit).
    // Always takes them: a writer of unbounded data asks writable() first. No effect when closing or idle.
    void write(Bytes bytes) noexcept;
    [[nodiscard]] bool writable() const noexcept;  // outbound_bytes() < limits::outbound_high_bytes
    [[nodiscard]] std::size_t outbound_bytes() const noexcept;   // queued or in flight, before encryption
    [[nodiscard]] std::uint64_t sent_bytes() const noexcept;  // wire bytes the kernel took: progress

    void pause() noexcept;   // stop receiving (multishot receive is cancelled; the kernel's window closes)
    void resume() noexcept;

    // Gives back what the buffers hold in reserve; those in use stay. For channels that will be quiet.
    void release_buffers() noexcept;

    // Orderly: sends what is queued, however long it takes a reader that goes on taking some (one that
    // takes nothing for limits::stalled_reader_deadline is cut), then close_notify and FIN, and waits for
    // the peer's end at most limits::close_deadline. Received bytes are dropped from now on.
    void close() noexcept;
    // At once: drops what is queued; the peer sees a reset or a cut.
    void abort(Error reason) noexcept;

    [[nodiscard]] ChannelPhase phase() const noexcept;
    [[nodiscard]] const tls::Session* tls() const noexcept;  // null when plain
    [[nodiscard]] std::string peer_address() const;          // "203.0.113.7" without the port; "" for Unix

  private:
    struct State;
    std::unique_ptr<State> state_;  // sockets' completions and buffers; taken once per channel, reused
};

}  // namespace nodex
