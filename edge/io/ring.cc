// The ring: flags that were measured to pay, restrictions, start-up errors that say what to do.
#include "edge/io/ring.h"

#include <liburing.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "edge/base/log.h"

namespace nodex {
namespace {

// Everything UringIo and UringLoop submit, and nothing else. seccomp does not see ring operations, so
// OPENAT, SOCKET, READ, WRITE and the like must be impossible here.
constexpr std::array operations_allowed = {
    IORING_OP_ACCEPT, IORING_OP_RECV,         IORING_OP_SEND,    IORING_OP_CONNECT,
    IORING_OP_CLOSE,  IORING_OP_ASYNC_CANCEL, IORING_OP_POLL_ADD,
};

constexpr unsigned ring_flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_R_DISABLED |
                                IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
                                IORING_SETUP_DEFER_TASKRUN;

// liburing 2.3 declares io_uring_register_restrictions and io_uring_enable_rings, but Debian's shared object
// does not export them. Answers 0 or minus an errno.
int register_with_ring(int fd, unsigned what, const void* rules, unsigned rules_count) noexcept {
    return syscall(__NR_io_uring_register, fd, what, rules, rules_count) < 0 ? -errno : 0;
}

const char* advice_for_setup(int os_errno) noexcept {
    switch (os_errno) {
        case ENOSYS: return "this kernel has no io_uring";
        case EPERM:
            return "io_uring is switched off: see sysctl kernel.io_uring_disabled and kernel.io_uring_group, "
                   "or the container's system call filter";
        case EINVAL: return "the kernel is too old: SINGLE_ISSUER and DEFER_TASKRUN need Linux 6.1";
        case ENOMEM: return "no memory for the ring: raise RLIMIT_MEMLOCK";
        case EMFILE:
        case ENFILE: return "no descriptor for the ring: raise RLIMIT_NOFILE";
        default: return "io_uring_setup failed";
    }
}

Error start_error(const char* advice, int os_errno) noexcept {
    log::error("io_uring_unusable",
               {{"reason", advice}, {"errno", os_errno}, {"text", std::strerror(os_errno)}});
    const bool memory = os_errno == ENOMEM || os_errno == EMFILE || os_errno == ENFILE;
    return {memory ? ErrorCode::limit_exceeded : ErrorCode::unsupported, ErrorSource::kernel, false,
            os_errno};
}

}  // namespace

Ring::Ring(std::unique_ptr<io_uring> ring) noexcept : ring_(std::move(ring)) {}
Ring::Ring(Ring&&) noexcept = default;
Ring& Ring::operator=(Ring&&) noexcept = default;

Ring::~Ring() {
    if (ring_ != nullptr) io_uring_queue_exit(ring_.get());
}

Result<Ring> Ring::create(unsigned submission_entries, unsigned completion_entries) noexcept {
    auto ring = std::make_unique<io_uring>();
    io_uring_params params{};
    params.flags = ring_flags;
    params.cq_entries = completion_entries;
    const int failed = io_uring_queue_init_params(submission_entries, ring.get(), &params);
    if (failed < 0) return start_error(advice_for_setup(-failed), -failed);
    Ring made(std::move(ring));  // closes it on the way out
    constexpr unsigned features = IORING_FEAT_NODROP | IORING_FEAT_EXT_ARG | IORING_FEAT_FAST_POLL |
                                  IORING_FEAT_SUBMIT_STABLE;
    if ((params.features & features) != features)
        return start_error("the kernel is too old: NODROP, EXT_ARG, FAST_POLL, SUBMIT_STABLE are needed",
                           ENOSYS);
    return made;
}

Status Ring::restrict_operations() noexcept {
    NX_ASSERT(!enabled_);
    std::array<io_uring_restriction, operations_allowed.size() + 1> rules{};
    for (std::size_t i = 0; i < operations_allowed.size(); ++i) {
        rules[i].opcode = IORING_RESTRICTION_SQE_OP;
        rules[i].sqe_op = static_cast<__u8>(operations_allowed[i]);
    }
    // Without a rule on flags no flag at all would be allowed; receives select provided buffers.
    rules.back().opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED;
    rules.back().sqe_flags = IOSQE_BUFFER_SELECT;
    const int failed = register_with_ring(ring_->ring_fd, IORING_REGISTER_RESTRICTIONS, rules.data(),
                                          static_cast<unsigned>(rules.size()));
    if (failed < 0)
        return start_error("ring restrictions are missing (IORING_REGISTER_RESTRICTIONS)", -failed);
    return {};
}

Status Ring::enable() noexcept {
    NX_ASSERT(!enabled_);
    const int failed = register_with_ring(ring_->ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
    if (failed < 0) return start_error("the ring cannot be enabled", -failed);
    enabled_ = true;
    return {};
}

io_uring_sqe& Ring::next_sqe() noexcept {
    io_uring_sqe* sqe = io_uring_get_sqe(ring_.get());
    if (sqe == nullptr) {
        submit();
        sqe = io_uring_get_sqe(ring_.get());
        NX_ASSERT(sqe != nullptr);
    }
    return *sqe;
}

// The kernel refuses entries only while it has no memory for them (EAGAIN) or must first empty its list of
// overflown completions (EBUSY); collecting events makes room, so it is asked a bounded number of times.
void Ring::submit() noexcept {
    NX_ASSERT(enabled_);
    constexpr int attempts_max = 1'000;
    for (int attempt = 0; attempt < attempts_max; ++attempt) {
        const int result = io_uring_submit_and_get_events(ring_.get());
        ++enters_;
        if (result >= 0 && io_uring_sq_ready(ring_.get()) == 0) return;
        NX_ASSERT(result >= 0 || result == -EAGAIN || result == -EBUSY || result == -EINTR);
    }
    log::error("io_uring_submit_stuck", {{"waiting", io_uring_sq_ready(ring_.get())}});
    assert_failed("the kernel takes no submission", __FILE__, __LINE__);
}

void Ring::submit_and_wait(Nanoseconds timeout_ns) noexcept {
    NX_ASSERT(enabled_);
    io_uring_cqe* first = nullptr;
    __kernel_timespec timeout{timeout_ns / second, timeout_ns % second};
    const int result = io_uring_submit_and_wait_timeout(
        ring_.get(), &first, 1, timeout_ns == INT64_MAX ? nullptr : &timeout, nullptr);
    ++enters_;
    NX_ASSERT(result >= 0 || result == -ETIME || result == -EINTR || result == -EAGAIN || result == -EBUSY);
}

unsigned Ring::completions(io_uring_cqe** target, unsigned count_max) noexcept {
    return io_uring_peek_batch_cqe(ring_.get(), target, count_max);
}

void Ring::consumed(unsigned count) noexcept { io_uring_cq_advance(ring_.get(), count); }

bool Ring::has_completions() const noexcept {
    return io_uring_cq_ready(ring_.get()) > 0 || io_uring_cq_has_overflow(ring_.get());
}

}  // namespace nodex
