// When requests are meant to start. Pure.
#pragma once
#include <cstdint>
#include <optional>

#include "edge/base/clock.h"

namespace nodex::bench {

// The part of a run that is measured, and the schedule's frame: requests start in [start, end), those meant
// to start in [begin, end) are measured.
struct Window {
    Nanoseconds start_ns = 0;
    Nanoseconds begin_ns = 0;
    Nanoseconds end_ns = 0;
    [[nodiscard]] bool measures(Nanoseconds at_ns) const noexcept {
        return at_ns >= begin_ns && at_ns < end_ns;
    }
};

// Hands out intended starts. In an open loop the k-th request is meant to start at start + k / rate,
// whether or not a connection is free then: latency counted from there contains the waiting that a slow
// server causes to requests behind (no coordinated omission).
class Schedule {
  public:
    static Schedule closed_loop(const Window& window) noexcept;
    // One of `workers_count` interleaved schedules that together make `rate_per_s`.
    static Schedule open_loop(const Window& window, double rate_per_s, unsigned worker,
                              unsigned workers_count) noexcept;

    // Takes the next request if it is due: its intended start.
    std::optional<Nanoseconds> take(Nanoseconds now_ns) noexcept;
    // Open loop: the intended start of the `index`th request, nothing from the window's end on.
    [[nodiscard]] std::optional<Nanoseconds> intended_ns(std::uint64_t index) const noexcept;
    [[nodiscard]] std::uint64_t taken_count() const noexcept { return taken_count_; }
    [[nodiscard]] bool is_open_loop() const noexcept { return interval_ns_ > 0; }

  private:
    Window window_;
    double interval_ns_ = 0;  // 0: closed loop
    double offset_ns_ = 0;
    std::uint64_t taken_count_ = 0;
};

}  // namespace nodex::bench
