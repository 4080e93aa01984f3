// Ring: one restricted io_uring. Made disabled, restricted to the operations the edge uses, enabled by the
// thread that runs it. Nothing else in the process makes rings.
#pragma once
#include <memory>

#include "edge/base/clock.h"
#include "edge/base/result.h"

struct io_uring;
struct io_uring_cqe;
struct io_uring_sqe;

namespace nodex {

class Ring {
  public:
    // A disabled ring: SQEs may be prepared, nothing is submitted before enable(). Any thread.
    //   unsupported(kernel)  io_uring is switched off, or the kernel lacks a feature; the log names it
    //   limit_exceeded(kernel)  memory or descriptors
    static Result<Ring> create(unsigned submission_entries, unsigned completion_entries) noexcept;
    ~Ring();
    Ring(Ring&&) noexcept;
    Ring& operator=(Ring&&) noexcept;

    // From here on only the listed operations exist and io_uring_register is closed. While disabled.
    Status restrict_operations() noexcept;
    // Binds the ring to the calling thread (single issuer). Once.
    Status enable() noexcept;
    [[nodiscard]] bool enabled() const noexcept { return enabled_; }

    // A zeroed submission entry; when the queue is full what is in it is submitted first.
    io_uring_sqe& next_sqe() noexcept;
    // Submits and collects what has ended, without waiting.
    void submit() noexcept;
    // Submits, then waits for one completion, at most `timeout_ns` (INT64_MAX: without end).
    void submit_and_wait(Nanoseconds timeout_ns) noexcept;
    // Up to `count_max` completions, in order; valid until consumed() is called with their number.
    unsigned completions(io_uring_cqe** target, unsigned count_max) noexcept;
    void consumed(unsigned count) noexcept;
    [[nodiscard]] bool has_completions() const noexcept;
    [[nodiscard]] std::uint64_t enters() const noexcept { return enters_; }

    io_uring& native() noexcept { return *ring_; }

  private:
    explicit Ring(std::unique_ptr<io_uring> ring) noexcept;
    std::unique_ptr<io_uring> ring_;  // null when moved from
    std::uint64_t enters_ = 0;
    bool enabled_ = false;
};

}  // namespace nodex
