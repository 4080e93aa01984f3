// Time, injected. The only files that read a real clock are clock.cc and the loop's wait.
#pragma once
#include <cstdint>

namespace nodex {

using Nanoseconds = std::int64_t;  // a duration, or an instant of Clock::now_ns
inline constexpr Nanoseconds microsecond = 1'000;
inline constexpr Nanoseconds millisecond = 1'000'000;
inline constexpr Nanoseconds second = 1'000'000'000;

class Clock {
  public:
    virtual ~Clock() = default;
    // Monotonic, arbitrary origin; never compared between machines or across restarts.
    virtual Nanoseconds now_ns() const noexcept = 0;
    // Unix time in milliseconds: for `created` fields, expiry of stored rows and logs.
    virtual std::int64_t wall_ms() const noexcept = 0;
};

// The machine's clocks. Thread-safe, lives as long as the process.
Clock& system_clock() noexcept;

// Moves only when told to; for tests and the simulator.
class ManualClock final : public Clock {
  public:
    Nanoseconds now_ns() const noexcept override { return now_ns_; }
    std::int64_t wall_ms() const noexcept override {
        return wall_origin_ms_ + now_ns_ / millisecond;
    }
    void advance(Nanoseconds by) noexcept { now_ns_ += by; }

  private:
    Nanoseconds now_ns_ = second;
    std::int64_t wall_origin_ms_ = 1'790'000'000'000;
};

}  // namespace nodex
