// DriftingClock: a machine's clocks in the simulator: they run at a rate of their own against the
// true time, and the wall clock can be set.
#pragma once
#include "edge/base/clock.h"

namespace nodex::replication {

class DriftingClock final : public Clock {
  public:
    // `ppm`: gains (or loses) so many microseconds a second.
    DriftingClock(const ManualClock& true_time, int ppm) noexcept
        : true_time_(true_time), ppm_(ppm) {}
    [[nodiscard]] Nanoseconds now_ns() const noexcept override {
        const Nanoseconds now = true_time_.now_ns();
        return now + now / 1'000'000 * ppm_;
    }
    [[nodiscard]] std::int64_t wall_ms() const noexcept override {
        return true_time_.wall_ms() + (now_ns() - true_time_.now_ns()) / millisecond + set_by_ms_;
    }
    // The wall clock is set forward, or back.
    void set_by(std::int64_t milliseconds) noexcept { set_by_ms_ += milliseconds; }

  private:
    const ManualClock& true_time_;
    const int ppm_;
    std::int64_t set_by_ms_ = 0;
};

}  // namespace nodex::replication
