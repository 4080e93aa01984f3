// Wakes a worker at the intended starts of an open loop. The loop's timers tick in milliseconds, which is
// coarser than what is measured, so this is a thread that sleeps to the nanosecond as far as the kernel can.
#pragma once
#include <atomic>
#include <thread>

#include "bench/load/schedule.h"
#include "edge/base/mailbox.h"

namespace nodex::bench {

class Pacer {
  public:
    // `wake` is posted to `mailbox` when one or more requests of the schedule have become due.
    Pacer(Mailbox& mailbox, Mail& wake) noexcept : mailbox_(mailbox), wake_(wake) {}
    ~Pacer() { stop(); }
    void start(const Schedule& schedule);  // a copy; the worker takes requests from its own
    void stop();

  private:
    void run() noexcept;
    Mailbox& mailbox_;
    Mail& wake_;
    Schedule schedule_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace nodex::bench
