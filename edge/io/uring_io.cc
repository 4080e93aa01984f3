// Submissions and completions of sockets. Multishot operations that the kernel ends for its own reasons
// (a full completion queue) are started again here; owners see only ends that mean something.
#include "edge/io/uring_io.h"

#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "edge/io/completion_access.h"
#include "edge/io/uring_errors.h"

namespace nodex {
namespace {

using Access = CompletionAccess;

void set_user_data(io_uring_sqe& sqe, Completion& completion, std::uint64_t tag) noexcept {
    static_assert(alignof(Completion) > UringIo::tag_mask);
    io_uring_sqe_set_data64(&sqe, reinterpret_cast<std::uintptr_t>(&completion) | tag);
}

// Fails harmlessly on Unix sockets, which have nothing to delay.
void set_no_delay(int fd) noexcept {
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

void UringIo::accept(Completion& completion, int listener, Continuation next) noexcept {
    set_no_delay(listener);  // accepted sockets inherit it: no system call a connection
    Access::begin(completion, Operation::accept, listener, next);
    submit_accept(completion);
}

void UringIo::submit_accept(Completion& completion) noexcept {
    io_uring_sqe& sqe = ring_.next_sqe();
    io_uring_prep_multishot_accept(&sqe, Access::fd(completion), nullptr, nullptr,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    set_user_data(sqe, completion, operation_tag);
}

void UringIo::accept_done(Completion& completion, std::int32_t result, bool more) noexcept {
    if (result == -EINVAL) result = -ECANCELED;  // the listener was shut down
    const bool goes_on = result >= 0 || is_accept_transient(result);
    if (!goes_on) return Access::end(completion, result);
    if (!more && !Access::cancel_wanted(completion)) {
        submit_accept(completion);
        more = true;
    }
    if (result >= 0) Access::deliver(completion, result, {});
    if (!more) Access::end(completion, -ECANCELED);
}

void UringIo::recv(Completion& completion, int fd, Continuation next) noexcept {
    Access::begin(completion, Operation::recv, fd, next);
    submit_recv(completion);
}

void UringIo::submit_recv(Completion& completion) noexcept {
    io_uring_sqe& sqe = ring_.next_sqe();
    io_uring_prep_recv_multishot(&sqe, Access::fd(completion), nullptr, 0, 0);
    sqe.flags |= IOSQE_BUFFER_SELECT;
    sqe.buf_group = buffer_group;
    set_user_data(sqe, completion, operation_tag);
}

void UringIo::recv_done(Completion& completion, const io_uring_cqe& entry, bool more) noexcept {
    if (entry.res <= 0) {
        NX_ASSERT(!more);
        if (entry.res == -ENOBUFS)
            stats_.buffers_exhausted.store(stats_.buffers_exhausted.load(std::memory_order_relaxed) + 1,
                                           std::memory_order_relaxed);
        return Access::end(completion, entry.res);
    }
    NX_ASSERT((entry.flags & IORING_CQE_F_BUFFER) != 0);
    const auto index = static_cast<std::uint16_t>(entry.flags >> IORING_CQE_BUFFER_SHIFT);
    if (!more && !Access::cancel_wanted(completion)) {
        submit_recv(completion);
        more = true;
    }
    // The owner may cancel in here, but the operation goes on until its end arrives: it stays alive.
    Access::deliver(completion, entry.res, buffers_.view(index, static_cast<std::size_t>(entry.res)));
    buffers_.give_back(index);
    if (!more) Access::end(completion, -ECANCELED);
}

void UringIo::send(Completion& completion, int fd, Bytes source, Continuation next) noexcept {
    Access::begin_send(completion, fd, source, next);
    submit_send(completion);
}

// Without MSG_WAITALL, although the kernel could continue short sends itself: then a slow reader's progress
// would be invisible until the whole queue is gone, and it would be cut as if it read nothing.
void UringIo::submit_send(Completion& completion) noexcept {
    io_uring_sqe& sqe = ring_.next_sqe();
    const Bytes rest = Access::to_send(completion);
    io_uring_prep_send(&sqe, Access::fd(completion), rest.data(), rest.size(), MSG_NOSIGNAL);
    set_user_data(sqe, completion, operation_tag);
}

void UringIo::send_done(Completion& completion, std::int32_t result) noexcept {
    if (result < 0) return Access::end(completion, result);
    Access::took(completion, static_cast<std::size_t>(result));
    if (Access::to_send(completion).empty())
        return Access::end(completion, static_cast<std::int32_t>(completion.sent()));
    if (Access::cancel_wanted(completion)) return Access::end(completion, -ECANCELED);
    submit_send(completion);
}

void UringIo::connect(Completion& completion, int fd, const SocketAddress& address,
                      Continuation next) noexcept {
    if (addresses_count_ == addresses_max) {
        ring_.submit();
        submitted();
    }
    SocketAddress& stable = addresses_[addresses_count_++];
    stable = address;
    Access::begin(completion, Operation::connect, fd, next);
    io_uring_sqe& sqe = ring_.next_sqe();
    io_uring_prep_connect(&sqe, fd, reinterpret_cast<const sockaddr*>(&stable.storage), stable.size);
    set_user_data(sqe, completion, operation_tag);
}

void UringIo::close(Completion& completion, int fd, Continuation next) noexcept {
    Access::begin(completion, Operation::close, fd, next);
    io_uring_sqe& sqe = ring_.next_sqe();
    io_uring_prep_close(&sqe, fd);
    set_user_data(sqe, completion, operation_tag);
}

// A plain system call: the ring would hand IORING_OP_SHUTDOWN to a worker thread every time.
void UringIo::shutdown(int fd) noexcept { (void)::shutdown(fd, SHUT_RDWR); }
void UringIo::end_sending(int fd) noexcept { (void)::shutdown(fd, SHUT_WR); }

void UringIo::reset_on_close(int fd) noexcept {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

void UringIo::cancel(Completion& completion) noexcept {
    if (Access::ask_cancel(completion)) submit_cancel(completion);
}

void UringIo::submit_cancel(Completion& completion) noexcept {
    io_uring_sqe& sqe = ring_.next_sqe();
    io_uring_prep_cancel64(&sqe, reinterpret_cast<std::uintptr_t>(&completion), 0);
    set_user_data(sqe, completion, cancel_tag);
}

void UringIo::cancel_done(Completion& completion, std::int32_t result) noexcept {
    NX_ASSERT(result == 0 || result == -ENOENT || result == -EALREADY);
    // Not found and not ended: the operation was between two queues of the kernel (liburing issue 1375), or
    // its end stands further down in this batch. Asking again is harmless and ends by itself.
    if (result == -ENOENT && !Access::ended(completion)) return submit_cancel(completion);
    Access::cancel_answered(completion);
}

Result<int> UringIo::open_socket(const SocketAddress& address) noexcept {
    const int fd = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        const bool descriptors = errno == EMFILE || errno == ENFILE;
        return Error{descriptors ? ErrorCode::out_of_descriptors : ErrorCode::unavailable,
                     ErrorSource::kernel, true, errno};
    }
    set_no_delay(fd);
    return fd;
}

SocketAddress UringIo::peer_of(int fd) noexcept {
    SocketAddress address;
    address.size = sizeof address.storage;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) address.size = 0;
    return address;
}

void UringIo::complete(const io_uring_cqe& entry) noexcept {
    const std::uint64_t tag = entry.user_data & tag_mask;
    auto& completion =
        *reinterpret_cast<Completion*>(static_cast<std::uintptr_t>(entry.user_data & ~tag_mask));
    if (tag == cancel_tag) return cancel_done(completion, entry.res);
    NX_ASSERT(tag == operation_tag);
    const bool more = (entry.flags & IORING_CQE_F_MORE) != 0;
    switch (Access::operation(completion)) {
        case Operation::accept: return accept_done(completion, entry.res, more);
        case Operation::recv: return recv_done(completion, entry, more);
        case Operation::send: return send_done(completion, entry.res);
        case Operation::connect:
        case Operation::close: return Access::end(completion, entry.res);
        case Operation::none: break;
    }
    NX_ASSERT(Access::operation(completion) != Operation::none);
}

}  // namespace nodex
