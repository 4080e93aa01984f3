// The tables: one row an errno, one table an operation. Sources: the manual pages of accept(2), recv(2),
// send(2), connect(2) and close(2), and what the kernel's io_uring adds (ECANCELED, ENOBUFS).
#include "edge/io/uring_errors.h"

#include <cerrno>
#include <span>

#include "edge/base/log.h"

namespace nodex {
namespace {

struct Row {
    int os_errno;
    ErrorCode code;
    bool retryable;
};

constexpr Row accept_table[] = {
    {ECANCELED, ErrorCode::cancelled, true},
    {EMFILE, ErrorCode::out_of_descriptors, true},
    {ENFILE, ErrorCode::out_of_descriptors, true},
    {ENOMEM, ErrorCode::unavailable, true},
    {ENOBUFS, ErrorCode::unavailable, true},
};

constexpr Row recv_table[] = {
    {ECANCELED, ErrorCode::cancelled, true},
    {ENOBUFS, ErrorCode::no_buffers, true},
    {ECONNRESET, ErrorCode::connection_reset, true},
    {EPIPE, ErrorCode::connection_reset, true},
    {ETIMEDOUT, ErrorCode::timed_out, true},
    {EHOSTUNREACH, ErrorCode::connection_reset, true},
    {ENETUNREACH, ErrorCode::connection_reset, true},
    {ENOMEM, ErrorCode::unavailable, true},
};

constexpr Row send_table[] = {
    {ECANCELED, ErrorCode::cancelled, true},
    {ECONNRESET, ErrorCode::connection_reset, true},
    {EPIPE, ErrorCode::connection_reset, true},
    {ETIMEDOUT, ErrorCode::timed_out, true},
    {EHOSTUNREACH, ErrorCode::connection_reset, true},
    {ENETUNREACH, ErrorCode::connection_reset, true},
    {ENETDOWN, ErrorCode::connection_reset, true},
    {EPERM, ErrorCode::connection_reset, true},  // a packet filter
    {ENOBUFS, ErrorCode::unavailable, true},
    {ENOMEM, ErrorCode::unavailable, true},
};

constexpr Row connect_table[] = {
    {ECANCELED, ErrorCode::cancelled, true},
    {ECONNREFUSED, ErrorCode::connection_refused, true},
    {ENOENT, ErrorCode::connection_refused, true},  // Unix: no such path
    {EHOSTUNREACH, ErrorCode::connection_refused, true},
    {ENETUNREACH, ErrorCode::connection_refused, true},
    {ENETDOWN, ErrorCode::connection_refused, true},
    {EACCES, ErrorCode::forbidden, false},  // a packet filter, or a Unix path's mode
    {EPERM, ErrorCode::forbidden, false},
    {ECONNRESET, ErrorCode::connection_reset, true},
    {EPIPE, ErrorCode::connection_reset, true},
    {ETIMEDOUT, ErrorCode::timed_out, true},
    {EADDRNOTAVAIL, ErrorCode::unavailable, true},  // no local port left
    {EAGAIN, ErrorCode::unavailable, true},         // Unix: the listener's queue is full
    {EINVAL, ErrorCode::connection_refused, false},  // an address that cannot be connected to (a resolver's)
    {EAFNOSUPPORT, ErrorCode::connection_refused, false},
    {ENOBUFS, ErrorCode::unavailable, true},
    {ENOMEM, ErrorCode::unavailable, true},
};

constexpr Row close_table[] = {
    {EINTR, ErrorCode::io_failure, false},  // Linux has closed the descriptor all the same
    {EIO, ErrorCode::io_failure, false},
};

// Nothing outside the process can cause these: a wrong descriptor, a wrong pointer, an operation that the
// ring's restrictions do not list. (connect lists its own meaning of EINVAL and EACCES above.)
constexpr bool is_our_mistake(int os_errno) noexcept {
    return os_errno == EBADF || os_errno == EFAULT || os_errno == EINVAL || os_errno == ENOTSOCK ||
           os_errno == EOPNOTSUPP || os_errno == EACCES || os_errno == ENOTCONN || os_errno == EALREADY ||
           os_errno == EISCONN || os_errno == EDESTADDRREQ || os_errno == EPROTOTYPE;
}

std::span<const Row> table_of(Operation operation) noexcept {
    switch (operation) {
        case Operation::accept: return accept_table;
        case Operation::recv: return recv_table;
        case Operation::send: return send_table;
        case Operation::connect: return connect_table;
        case Operation::close: return close_table;
        case Operation::none: break;
    }
    return {};
}

[[noreturn]] void fail_naming(Operation operation, int os_errno) noexcept {
    log::error("io_operation_misused", {{"operation", name(operation)}, {"errno", os_errno}});
    switch (operation) {
        case Operation::accept: assert_failed("accept: an errno of our making", __FILE__, __LINE__);
        case Operation::recv: assert_failed("recv: an errno of our making", __FILE__, __LINE__);
        case Operation::send: assert_failed("send: an errno of our making", __FILE__, __LINE__);
        case Operation::connect: assert_failed("connect: an errno of our making", __FILE__, __LINE__);
        case Operation::close: assert_failed("close: an errno of our making", __FILE__, __LINE__);
        case Operation::none: break;
    }
    assert_failed("no operation: an errno without an operation", __FILE__, __LINE__);
}

}  // namespace

const char* name(Operation operation) noexcept {
    switch (operation) {
        case Operation::none: return "none";
        case Operation::accept: return "accept";
        case Operation::recv: return "recv";
        case Operation::send: return "send";
        case Operation::connect: return "connect";
        case Operation::close: return "close";
    }
    return "unknown";
}

Error error_of(Operation operation, std::int32_t result) noexcept {
    NX_ASSERT(result < 0);
    const int os_errno = -result;
    for (const Row& row : table_of(operation))
        if (row.os_errno == os_errno) return {row.code, ErrorSource::kernel, row.retryable, os_errno};
    if (is_our_mistake(os_errno)) fail_naming(operation, os_errno);
    log::warning("io_errno_unlisted", {{"operation", name(operation)}, {"errno", os_errno}});
    return {ErrorCode::io_failure, ErrorSource::kernel, false, os_errno};
}

// accept(2), "Error handling": pending network errors of the new socket are reported by accept.
bool is_accept_transient(std::int32_t result) noexcept {
    switch (-result) {
        case ECONNABORTED:
        case EPROTO:
        case EPERM:
        case EINTR:
        case ENETDOWN:
        case ENOPROTOOPT:
        case EHOSTDOWN:
        case ENONET:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case ETIMEDOUT:
            return true;
        default:
            return false;
    }
}

}  // namespace nodex
