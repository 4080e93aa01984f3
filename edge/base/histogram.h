// A log-linear histogram (HDR style): 32 sub-buckets an octave, so a recorded value is off by at
// most 3.2 %. Values are unsigned (nanoseconds, bytes). One writer; readers see relaxed counters.
#pragma once
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace nodex {

class Histogram {
  public:
    static constexpr unsigned sub_bits = 5;
    static constexpr unsigned octaves =
        40;  // up to 2^44: 4.8 hours in nanoseconds; larger values clamp
    static constexpr std::size_t buckets_count = (octaves + 1) << sub_bits;

    void record(std::uint64_t value) noexcept {
        bump(counts_[index_of(value)], 1);
        bump(count_, 1);
        bump(sum_, value);
    }
    void merge(const Histogram& other) noexcept {
        for (std::size_t i = 0; i < buckets_count; ++i)
            bump(counts_[i], other.counts_[i].load(std::memory_order_relaxed));
        bump(count_, other.count());
        bump(sum_, other.sum());
    }
    [[nodiscard]] std::uint64_t count() const noexcept {
        return count_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t sum() const noexcept {
        return sum_.load(std::memory_order_relaxed);
    }
    // The highest value equivalent to the q-quantile, 0 <= q <= 1; 0 when empty.
    [[nodiscard]] std::uint64_t quantile(double q) const noexcept {
        const std::uint64_t total = count();
        if (total == 0) return 0;
        const double wanted = q * static_cast<double>(total);
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i < buckets_count; ++i) {
            seen += counts_[i].load(std::memory_order_relaxed);
            if (seen > 0 && static_cast<double>(seen) >= wanted) return highest_of(i);
        }
        return highest_of(buckets_count - 1);
    }
    // How many recorded values are at most `value` (by bucket: exact at bucket ends).
    [[nodiscard]] std::uint64_t count_at_most(std::uint64_t value) const noexcept {
        std::uint64_t seen = 0;
        for (std::size_t i = 0, end = index_of(value); i <= end; ++i)
            seen += counts_[i].load(std::memory_order_relaxed);
        return seen;
    }

    static std::size_t index_of(std::uint64_t value) noexcept {
        if (value < (2u << sub_bits)) return static_cast<std::size_t>(value);
        const unsigned shift = static_cast<unsigned>(std::bit_width(value)) - 1 - sub_bits;
        const std::size_t index = (static_cast<std::size_t>(shift) << sub_bits) +
                                  static_cast<std::size_t>(value >> shift);
        return index < buckets_count ? index : buckets_count - 1;
    }
    static std::uint64_t highest_of(std::size_t index) noexcept {
        if (index < (2u << sub_bits)) return index;
        const unsigned shift = static_cast<unsigned>(index >> sub_bits) - 1;
        const std::uint64_t base = (index & ((1u << sub_bits) - 1)) + (1u << sub_bits);
        return ((base + 1) << shift) - 1;
    }

  private:
    static void bump(std::atomic<std::uint64_t>& counter, std::uint64_t by) noexcept {
        counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
    std::array<std::atomic<std::uint64_t>, buckets_count> counts_{};
    std::atomic<std::uint64_t> count_{0};
    std::atomic<std::uint64_t> sum_{0};
};

}  // namespace nodex
