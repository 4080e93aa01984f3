// Intended starts.
#include "bench/load/schedule.h"

#include "edge/base/result.h"

namespace nodex::bench {

Schedule Schedule::closed_loop(const Window& window) noexcept {
    Schedule schedule;
    schedule.window_ = window;
    return schedule;
}

Schedule Schedule::open_loop(const Window& window, double rate_per_s, unsigned worker,
                             unsigned workers_count) noexcept {
    NX_ASSERT(rate_per_s > 0);
    NX_ASSERT(worker < workers_count);
    Schedule schedule;
    schedule.window_ = window;
    const double shared_interval_ns = static_cast<double>(second) / rate_per_s;
    schedule.interval_ns_ = shared_interval_ns * workers_count;
    schedule.offset_ns_ = shared_interval_ns * worker;
    return schedule;
}

std::optional<Nanoseconds> Schedule::intended_ns(std::uint64_t index) const noexcept {
    NX_ASSERT(is_open_loop());
    const double after_start_ns = offset_ns_ + interval_ns_ * static_cast<double>(index);
    const Nanoseconds at_ns = window_.start_ns + static_cast<Nanoseconds>(after_start_ns);
    if (at_ns >= window_.end_ns) return std::nullopt;
    return at_ns;
}

std::optional<Nanoseconds> Schedule::take(Nanoseconds now_ns) noexcept {
    if (is_open_loop()) {
        const auto next_ns = intended_ns(taken_count_);
        if (!next_ns || *next_ns > now_ns) return std::nullopt;
        ++taken_count_;
        return next_ns;
    }
    if (now_ns < window_.start_ns || now_ns >= window_.end_ns) return std::nullopt;
    ++taken_count_;
    return now_ns;
}

}  // namespace nodex::bench
