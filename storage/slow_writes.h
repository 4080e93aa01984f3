// SlowWrites: when loops should leave their writes to the commit thread, because the disk has held
// one of them up.
//
//   quiet --took long--> watched --took long again, and waited--> paused --its time is over--> watched
//
// Duration alone does not tell: a loop may have been taken off its processor in the middle. So the
// first slow write only starts to watch, and from there on each one is asked whether it gave the
// processor up by itself. Watching and pausing last a hundred times as long as the write took, so of
// a loop's time the disk has at most two parts in a hundred.
#pragma once
#include <algorithm>
#include <cstdint>

#include "edge/base/clock.h"
#include "edge/base/limits.h"
#include "edge/base/thread_role.h"

namespace nodex::storage {

// One holder at a time (the baton's).
class SlowWrites {
  public:
    using ThreadWaits = std::uint64_t (*)() noexcept;
    explicit SlowWrites(ThreadWaits waits) noexcept : waits_(waits) {}

    [[nodiscard]] bool pausing(Nanoseconds now_ns) const noexcept { return now_ns < pause_until_ns_; }
    void begin(Nanoseconds now_ns) noexcept {
        began_ns_ = now_ns;
        watched_ = now_ns < watch_until_ns_;
        if (watched_) waits_before_ = waits_();  // a system call: not for every write
    }
    // Of the same thread as begin().
    void end(Nanoseconds now_ns) noexcept {
        const Nanoseconds took_ns = now_ns - began_ns_;
        if (took_ns <= limits::inline_commit_ns_max) return;
        const Nanoseconds hold_ns = std::min(took_ns, limits::inline_pause_ns_max / 100) * 100;
        watch_until_ns_ = std::max(watch_until_ns_, now_ns + hold_ns);
        if (!watched_ || waits_() == waits_before_) return;
        pause_until_ns_ = now_ns + hold_ns;
        watch_until_ns_ = std::max(watch_until_ns_, pause_until_ns_ + hold_ns);
    }

  private:
    const ThreadWaits waits_;
    Nanoseconds began_ns_ = 0;
    Nanoseconds watch_until_ns_ = 0;
    Nanoseconds pause_until_ns_ = 0;
    std::uint64_t waits_before_ = 0;  // valid when watched_
    bool watched_ = false;
};

}  // namespace nodex::storage
