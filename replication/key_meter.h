// KeyMeter: an API key's rate limits at this POP: requests and tokens per minute (GCRA) and
// concurrency. Shared by all cores, lock-free; local and approximate by design:
// only money is leased.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

#include "edge/base/clock.h"

namespace nodex::replication {

struct RateLimits {
    std::uint32_t requests_per_minute = 0;  // 0: unlimited
    std::uint64_t tokens_per_minute = 0;
    std::uint32_t concurrency = 0;
    bool operator==(const RateLimits&) const = default;
};

// One GCRA bucket: a full minute's allowance may be spent at once, then refills evenly.
class RateBucket {
  public:
    struct Verdict {
        bool allowed = true;
        std::uint64_t limit = 0;
        std::uint64_t remaining = 0;
        Nanoseconds reset_ns = 0;        // until the bucket is full again
        Nanoseconds retry_after_ns = 0;  // when refused
    };
    // Takes `cost` of `limit` a minute; limit 0 allows everything. A cost above the limit is
    // allowed only when the bucket is full, so that one large request is late but not impossible.
    Verdict take(std::uint64_t limit, std::uint64_t cost, Nanoseconds now_ns) noexcept;
    // Gives back what was taken too much (estimate above the real usage).
    void give_back(std::uint64_t limit, std::uint64_t cost) noexcept;

  private:
    std::atomic<Nanoseconds> full_at_ns_{0};  // theoretical arrival time
};

struct KeyMeter {
    RateBucket requests;
    RateBucket tokens;
    std::atomic<std::uint32_t> running{0};
};

}  // namespace nodex::replication
