// Io: the kernel's sockets as completions. Two implementations, UringIo and SimIo, held to the same
// contract test (tests/contract/io_contract.h). Loop-thread only. Callbacks never run inside a submit:
// they are queued and run by the loop, success and failure alike.
#pragma once
#include <sys/socket.h>

#include "edge/io/completion.h"

namespace nodex {

// A socket address, IPv4, IPv6 or Unix path.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
};

class Io {
  public:
    virtual ~Io() = default;

    // Multishot: runs with a new descriptor per connection (TCP_NODELAY set for TCP). -EMFILE, -ENFILE:
    // accepting has stopped (in_flight() false); call again when descriptors are free. A connection that
    // died before it was accepted is skipped, not reported.
    virtual void accept(Completion& completion, int listener, Continuation next) noexcept = 0;
    // Multishot receive into the ring's provided buffers; result > 0: completion.received(); 0: end of
    // stream; -ENOBUFS: the ring is empty, in_flight() is false, call again (a stall, not a peer's error).
    virtual void recv(Completion& completion, int fd, Continuation next) noexcept = 0;
    // Sends all of `source` or fails (short sends are continued inside). `source` must stay valid until
    // the completion. Result: the size, or minus an errno.
    virtual void send(Completion& completion, int fd, Bytes source, Continuation next) noexcept = 0;
    // `address` is copied. Result: 0, or minus an errno.
    virtual void connect(Completion& completion, int fd, const SocketAddress& address,
                         Continuation next) noexcept = 0;
    virtual void close(Completion& completion, int fd, Continuation next) noexcept = 0;
    // Asks: whatever is in flight on `fd` ends soon with a result of its own (end of stream, -ECANCELED,
    // -EPIPE). No completion; the descriptor stays ours until close().
    virtual void shutdown(int fd) noexcept = 0;
    // Half of it: the peer sees the end of our bytes after all that was sent; receiving goes on.
    virtual void end_sending(int fd) noexcept = 0;
    // The coming close() drops what the kernel has not sent yet and the peer sees a reset (TCP), so that
    // what was cut short never looks like an orderly end.
    virtual void reset_on_close(int fd) noexcept = 0;
    // Asks `completion` to end; it still completes (-ECANCELED, or its own result). Loses no received data:
    // what had arrived is handed on before the end. No effect when nothing is in flight.
    virtual void cancel(Completion& completion) noexcept = 0;

    // A non-blocking stream socket for `address` with TCP_NODELAY; Error out_of_descriptors.
    virtual Result<int> open_socket(const SocketAddress& address) noexcept = 0;
    // The other end's address; size 0 when there is none (any more).
    virtual SocketAddress peer_of(int fd) noexcept = 0;
};

}  // namespace nodex
