// UringLoop: the loop of one core on its own io_uring.
#pragma once
#include <memory>

#include "edge/base/limits.h"
#include "edge/io/loop.h"

struct io_uring_cqe;

namespace nodex {

struct UringOptions {
    unsigned submission_entries = limits::submission_entries;
    unsigned completion_entries = limits::completion_entries;
    unsigned recv_buffers_count = limits::recv_buffers_count;  // a power of two
    std::size_t recv_buffer_bytes = limits::recv_buffer_bytes;
    Clock* clock = &system_clock();
};

class UringLoop final : public Loop {
  public:
    // Makes ring, buffers and waker on any thread, after privileges were dropped; operations may be started
    // before run(), which binds the ring to its thread. Errors: unsupported(kernel), limit_exceeded(kernel);
    // the log says which feature of the kernel is missing and what to do.
    static Result<std::unique_ptr<UringLoop>> create(UringOptions options) noexcept;
    // Everything started on this loop must have ended, on the thread that ran it or after that has ended.
    ~UringLoop() override;

    Io& io() noexcept override;
    Clock& clock() noexcept override { return clock_; }
    void run() noexcept override;

  private:
    struct Parts;
    UringLoop(std::unique_ptr<Parts> parts, Clock& clock) noexcept;
    void turn() noexcept;
    void submit_and_wait() noexcept;
    void run_completions() noexcept;
    void watch_waker() noexcept;

    std::unique_ptr<Parts> parts_;
    Clock& clock_;
};

}  // namespace nodex
