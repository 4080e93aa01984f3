// The turn, in the order it runs, and how other threads wake it.
#include "edge/io/uring_loop.h"

#include <liburing.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "edge/base/log.h"
#include "edge/io/buffer_ring.h"
#include "edge/io/ring.h"
#include "edge/io/uring_io.h"

namespace nodex {
namespace {

// An eventfd that the ring polls, edge-triggered and multishot: a wake-up is one write by the sender and one
// completion here. The counter is never read; it only grows, and 2^64 wake-ups do not happen.
class EventWaker final : public Waker {
  public:
    explicit EventWaker(int fd) noexcept : fd_(fd) {}
    ~EventWaker() override {
        if (fd_ >= 0) ::close(fd_);
    }
    void wake() noexcept override { NX_ASSERT(eventfd_write(fd_, 1) == 0); }
    [[nodiscard]] int fd() const noexcept { return fd_; }

  private:
    int fd_;
};

}  // namespace

// Destroyed from the bottom up: the ring is closed before its buffers are unmapped.
struct UringLoop::Parts {
    EventWaker waker{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::optional<BufferRing> buffers;
    std::optional<Ring> ring;
    std::optional<UringIo> io;
};

Result<std::unique_ptr<UringLoop>> UringLoop::create(UringOptions options) noexcept {
    NX_ASSERT(options.clock != nullptr);
    auto parts = std::make_unique<Parts>();
    if (parts->waker.fd() < 0) {
        log::error("io_uring_unusable", {{"reason", "no eventfd"}, {"text", std::strerror(errno)}});
        return Error{ErrorCode::limit_exceeded, ErrorSource::kernel, false, errno};
    }
    auto ring = Ring::create(options.submission_entries, options.completion_entries);
    if (!ring) return ring.error();
    auto buffers = BufferRing::create(*ring, UringIo::buffer_group, options.recv_buffers_count,
                                      options.recv_buffer_bytes);
    if (!buffers) return buffers.error();
    const Status restricted = ring->restrict_operations();
    if (!restricted) return restricted.error();
    parts->buffers.emplace(std::move(*buffers));
    parts->ring.emplace(std::move(*ring));
    return std::unique_ptr<UringLoop>(new UringLoop(std::move(parts), *options.clock));
}

UringLoop::UringLoop(std::unique_ptr<Parts> parts, Clock& clock) noexcept
    : Loop(parts->waker, clock.now_ns()), parts_(std::move(parts)), clock_(clock) {
    parts_->io.emplace(*parts_->ring, *parts_->buffers, stats_);
    watch_waker();
}

UringLoop::~UringLoop() = default;

Io& UringLoop::io() noexcept { return *parts_->io; }

void UringLoop::run() noexcept {
    if (!parts_->ring->enabled()) {
        const Status enabled = parts_->ring->enable();
        NX_ASSERT(enabled.has_value());
    }
    while (!stopping_) turn();
    stopping_ = false;
}

void UringLoop::turn() noexcept {
    parts_->buffers->publish();
    submit_and_wait();
    parts_->io->submitted();
    now_ns_ = clock_.now_ns();
    count(stats_.turns, 1);
    count(stats_.mail_delivered, mailbox_.deliver());
    run_completions();
    count(stats_.timers_fired, timers_.expire(now_ns_));
    run_turn_tasks();
    // What they have posted to this loop itself (a commit's answers): a turn of its own would be one
    // more io_uring_enter. Once, so that mail that makes mail does not keep the ring waiting.
    const std::uint32_t own_mail = mailbox_.deliver();
    count(stats_.mail_delivered, own_mail);
    if (own_mail > 0) run_turn_tasks();
    if (clock_.now_ns() - now_ns_ > limits::loop_stall_ns) count(stats_.stalls, 1);
}

// One io_uring_enter. It waits only if nothing is left to do, and says so to the mailbox first, so that a
// sender who comes later writes the eventfd and one who came earlier is seen.
void UringLoop::submit_and_wait() noexcept {
    Ring& ring = *parts_->ring;
    const Nanoseconds deadline_ns = timers_.next_deadline_ns();
    const Nanoseconds timeout_ns = deadline_ns == INT64_MAX ? INT64_MAX : deadline_ns - clock_.now_ns();
    const bool idle = !stopping_ && timeout_ns > 0 && !has_turn_tasks() && !ring.has_completions();
    if (idle && mailbox_.may_sleep())
        ring.submit_and_wait(timeout_ns);
    else
        ring.submit();
    stats_.enters.store(ring.enters(), std::memory_order_relaxed);
}

void UringLoop::run_completions() noexcept {
    Ring& ring = *parts_->ring;
    std::array<io_uring_cqe*, 64> batch;
    unsigned ran = 0;
    while (ran < limits::completions_per_turn_max) {
        const unsigned taken = ring.completions(batch.data(), static_cast<unsigned>(batch.size()));
        if (taken == 0) break;
        for (unsigned i = 0; i < taken; ++i) {
            const io_uring_cqe& entry = *batch[i];
            if (entry.user_data != UringIo::waker_tag)
                parts_->io->complete(entry);
            else if ((entry.flags & IORING_CQE_F_MORE) == 0)
                watch_waker();
        }
        ring.consumed(taken);
        ran += taken;
    }
    count(stats_.completions, ran);
}

void UringLoop::watch_waker() noexcept {
    io_uring_sqe& sqe = parts_->ring->next_sqe();
    io_uring_prep_poll_multishot(&sqe, parts_->waker.fd(), POLLIN);
    io_uring_sqe_set_data64(&sqe, UringIo::waker_tag);
}

}  // namespace nodex
