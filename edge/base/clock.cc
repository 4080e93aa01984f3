// The machine's clocks.
#include "edge/base/clock.h"

#include <ctime>

namespace nodex {
namespace {

Nanoseconds read_clock(clockid_t id) noexcept {
    timespec now{};
    clock_gettime(id, &now);
    return static_cast<Nanoseconds>(now.tv_sec) * second + now.tv_nsec;
}

class SystemClock final : public Clock {
  public:
    Nanoseconds now_ns() const noexcept override { return read_clock(CLOCK_MONOTONIC); }
    std::int64_t wall_ms() const noexcept override {
        return read_clock(CLOCK_REALTIME) / millisecond;
    }
};

}  // namespace

Clock& system_clock() noexcept {
    static SystemClock clock;
    return clock;
}

}  // namespace nodex
