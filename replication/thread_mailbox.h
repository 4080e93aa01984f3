// ThreadMailbox: a mailbox whose owner is a plain thread (no loop): it sleeps until mail or a
// deadline.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>

#include "edge/base/clock.h"
#include "edge/base/mailbox.h"

namespace nodex::replication {

class ThreadMailbox final : private Waker {
  public:
    ThreadMailbox() noexcept : mailbox_(*this) {}
    [[nodiscard]] Mailbox& mailbox() noexcept { return mailbox_; }

    // Owner only: runs what has arrived; when nothing had, sleeps at most `wait_ns` or until mail
    // comes.
    void run(Nanoseconds wait_ns) {
        if (mailbox_.deliver() > 0 || wait_ns <= 0) return;
        if (!mailbox_.may_sleep()) return;
        std::unique_lock lock(mutex_);
        condition_.wait_for(lock, std::chrono::nanoseconds(wait_ns), [this] { return woken_; });
        woken_ = false;
    }

  private:
    void wake() noexcept override {
        const std::lock_guard lock(mutex_);
        woken_ = true;
        condition_.notify_one();
    }
    std::mutex mutex_;
    std::condition_variable condition_;
    bool woken_ = false;
    Mailbox mailbox_;
};

}  // namespace nodex::replication
