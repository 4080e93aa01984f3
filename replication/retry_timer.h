// RetryTimer: how long an answer is worth waiting for before the request is sent again, from the
// round trips that were seen: RFC 6298, sections 2 and 5. One thread.
#pragma once
#include <algorithm>

#include "edge/base/clock.h"

namespace nodex::replication {

class RetryTimer {
  public:
    // A second look costs the centre a read; a first one that is given up early costs a client its
    // time. RFC 6298 takes a second for both ends of a path it knows nothing about; here the far
    // end answers at once.
    static constexpr Nanoseconds shortest = 500 * millisecond;
    static constexpr Nanoseconds longest = 8 * second;
    static constexpr Nanoseconds unmeasured = 1 * second;  // section 2.1

    // A request that was sent once got its answer after `round_trip`.
    void answered(Nanoseconds round_trip) noexcept {
        if (smoothed_ == 0) {
            smoothed_ = std::max<Nanoseconds>(round_trip, 1);
            deviation_ = round_trip / 2;
        } else {
            const Nanoseconds error = smoothed_ - round_trip;
            deviation_ += ((error < 0 ? -error : error) - deviation_) / 4;
            smoothed_ += (round_trip - smoothed_) / 8;
        }
        lost_ = 0;
    }
    // One was not answered in time: the next ones wait twice as long, until an answer comes.
    void lost() noexcept { lost_ = std::min(lost_ + 1, 5u); }

    [[nodiscard]] Nanoseconds timeout() const noexcept {
        const Nanoseconds first = smoothed_ == 0 ? unmeasured : smoothed_ + 4 * deviation_;
        return std::min(std::clamp(first, shortest, longest) << lost_, longest);
    }
    [[nodiscard]] Nanoseconds smoothed() const noexcept { return smoothed_; }  // 0: none yet

  private:
    Nanoseconds smoothed_ = 0;
    Nanoseconds deviation_ = 0;
    unsigned lost_ = 0;  // in a row
};

}  // namespace nodex::replication
