// RateBucket: GCRA (generic cell rate algorithm) on one atomic word, the instant at which the
// bucket is full again. Taking moves that instant away, time moves towards it; a minute's distance
// is an empty bucket.
#include "replication/key_meter.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds window = 60 * second;
// One call may empty the bucket for at most this long, however small the limit: also keeps sums in
// range.
constexpr Nanoseconds debt_max = 3'600 * second;

__extension__ using UnsignedWide = unsigned __int128;

Nanoseconds duration_of(std::uint64_t cost, std::uint64_t limit) noexcept {
    const UnsignedWide duration =
        static_cast<UnsignedWide>(cost) * static_cast<UnsignedWide>(window) / limit;
    return duration > static_cast<UnsignedWide>(debt_max) ? debt_max
                                                          : static_cast<Nanoseconds>(duration);
}

std::uint64_t left_at(Nanoseconds full_in_ns, std::uint64_t limit) noexcept {
    if (full_in_ns >= window) return 0;
    return static_cast<std::uint64_t>(static_cast<UnsignedWide>(window - full_in_ns) * limit /
                                      static_cast<UnsignedWide>(window));
}

}  // namespace

RateBucket::Verdict RateBucket::take(std::uint64_t limit, std::uint64_t cost,
                                     Nanoseconds now_ns) noexcept {
    if (limit == 0) return {};
    const Nanoseconds duration = duration_of(cost, limit);
    Verdict verdict;
    verdict.limit = limit;
    Nanoseconds stored = full_at_ns_.load(std::memory_order_relaxed);
    for (;;) {
        const Nanoseconds full_at = std::max(stored, now_ns);
        const Nanoseconds wait_for_room =
            cost > limit ? full_at - now_ns : full_at + duration - window - now_ns;
        if (wait_for_room > 0) {
            verdict.allowed = false;
            verdict.retry_after_ns = wait_for_room;
            verdict.reset_ns = full_at - now_ns;
            verdict.remaining = left_at(verdict.reset_ns, limit);
            return verdict;
        }
        if (!full_at_ns_.compare_exchange_weak(stored, full_at + duration,
                                               std::memory_order_relaxed))
            continue;
        verdict.reset_ns = full_at + duration - now_ns;
        verdict.remaining = left_at(verdict.reset_ns, limit);
        return verdict;
    }
}

void RateBucket::give_back(std::uint64_t limit, std::uint64_t cost) noexcept {
    if (limit == 0) return;
    // Below "now" means full: take() starts from now again, so nothing can be saved up.
    full_at_ns_.fetch_sub(duration_of(cost, limit), std::memory_order_relaxed);
}

}  // namespace nodex::replication
