// The self-test of ring restrictions.
#include "edge/io/self_test.h"

#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "edge/base/log.h"
#include "edge/io/ring.h"

namespace nodex {
namespace {

// Submits what was prepared alone and answers its result.
std::int32_t result_of_one(Ring& ring) noexcept {
    io_uring_cqe* entry = nullptr;
    while (ring.completions(&entry, 1) == 0) ring.submit_and_wait(INT64_MAX);
    const std::int32_t result = entry->res;
    ring.consumed(1);
    return result;
}

Status expect_refused(Ring& ring, const char* operation) noexcept {
    const std::int32_t result = result_of_one(ring);
    if (result == -EACCES) return {};
    if (result >= 0) ::close(result);
    log::error("ring_restrictions_ineffective", {{"operation", operation}, {"result", result}});
    return Error{ErrorCode::forbidden, ErrorSource::kernel, false, result < 0 ? -result : 0};
}

}  // namespace

Status check_ring_restrictions() noexcept {
    constexpr unsigned entries = 4;
    auto ring = Ring::create(entries, 2 * entries);
    if (!ring) return ring.error();
    if (const Status restricted = ring->restrict_operations(); !restricted) return restricted.error();
    if (const Status enabled = ring->enable(); !enabled) return enabled.error();
    io_uring_prep_openat(&ring->next_sqe(), AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC, 0);
    if (const Status refused = expect_refused(*ring, "openat"); !refused) return refused.error();
    io_uring_prep_socket(&ring->next_sqe(), AF_INET, SOCK_STREAM, 0, 0);
    return expect_refused(*ring, "socket");
}

}  // namespace nodex
