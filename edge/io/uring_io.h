// UringIo: sockets on a ring. Every verb only fills a submission entry; results come with the loop's turn.
#pragma once
#include <array>

#include "edge/io/buffer_ring.h"
#include "edge/io/io.h"
#include "edge/io/loop.h"
#include "edge/io/ring.h"

namespace nodex {

class UringIo final : public Io {
  public:
    // `ring` and `buffers` outlive this object.
    UringIo(Ring& ring, BufferRing& buffers, LoopStats& stats) noexcept
        : ring_(ring), buffers_(buffers), stats_(stats) {}

    void accept(Completion& completion, int listener, Continuation next) noexcept override;
    void recv(Completion& completion, int fd, Continuation next) noexcept override;
    void send(Completion& completion, int fd, Bytes source, Continuation next) noexcept override;
    void connect(Completion& completion, int fd, const SocketAddress& address,
                 Continuation next) noexcept override;
    void close(Completion& completion, int fd, Continuation next) noexcept override;
    void shutdown(int fd) noexcept override;
    void end_sending(int fd) noexcept override;
    void reset_on_close(int fd) noexcept override;
    void cancel(Completion& completion) noexcept override;
    Result<int> open_socket(const SocketAddress& address) noexcept override;
    SocketAddress peer_of(int fd) noexcept override;

    // For the loop only: runs what one completion entry says. Its user_data is one that this class made.
    void complete(const io_uring_cqe& entry) noexcept;
    // For the loop only: everything prepared so far has been submitted.
    void submitted() noexcept { addresses_count_ = 0; }

    // The low bits of user_data say what an entry is about; objects are aligned to 8.
    static constexpr std::uint64_t tag_mask = 7;
    static constexpr std::uint64_t operation_tag = 0;
    static constexpr std::uint64_t cancel_tag = 1;
    static constexpr std::uint64_t waker_tag = 2;
    static constexpr std::uint16_t buffer_group = 0;

  private:
    void submit_accept(Completion& completion) noexcept;
    void submit_recv(Completion& completion) noexcept;
    void submit_send(Completion& completion) noexcept;
    void submit_cancel(Completion& completion) noexcept;
    void accept_done(Completion& completion, std::int32_t result, bool more) noexcept;
    void recv_done(Completion& completion, const io_uring_cqe& entry, bool more) noexcept;
    void send_done(Completion& completion, std::int32_t result) noexcept;
    void cancel_done(Completion& completion, std::int32_t result) noexcept;

    Ring& ring_;
    BufferRing& buffers_;
    LoopStats& stats_;
    // Addresses of connects that are prepared but not submitted: the kernel copies them at submission.
    static constexpr std::size_t addresses_max = 64;  // full: submit early
    std::array<SocketAddress, addresses_max> addresses_;
    std::size_t addresses_count_ = 0;
};

}  // namespace nodex
