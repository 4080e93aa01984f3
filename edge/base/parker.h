// Parker: how a plain thread (no loop) sleeps until it is woken or its time is over. One word and the futex
// system call: std::atomic::wait yields the processor several times before it sleeps, which on a processor
// shared with a loop is paid by the loop.
#pragma once
#include <atomic>
#include <cstdint>

#include "edge/base/clock.h"
#include "edge/base/mailbox.h"

namespace nodex {

class Parker final : public Waker {
  public:
    // Any thread. Not lost when it comes before park(); several before one park() count as one.
    void wake() noexcept override;
    // The owner. Returns when woken, after `timeout_ns` (INT64_MAX: never), or, rarely, for no reason.
    void park(Nanoseconds timeout_ns) noexcept;

  private:
    std::atomic<std::uint32_t> woken_{0};
};

}  // namespace nodex
