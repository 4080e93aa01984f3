// Histogram: bucket bounds and quantiles.
#include "edge/base/histogram.h"

#include <gtest/gtest.h>

#include <memory>

namespace nodex {
namespace {

TEST(Histogram, EveryValueLiesInItsBucketWithinThreePercent) {
    for (std::uint64_t value = 1; value < (1ull << 43); value = value * 5 / 4 + 1) {
        const std::size_t index = Histogram::index_of(value);
        EXPECT_GE(Histogram::highest_of(index), value);
        EXPECT_LE(static_cast<double>(Histogram::highest_of(index) - value),
                  static_cast<double>(value) * 0.032);
        if (index > 0) {
            EXPECT_LT(Histogram::highest_of(index - 1), value);
        }
    }
}

TEST(Histogram, QuantilesOfAUniformRun) {
    const auto histogram = std::make_unique<Histogram>();
    for (std::uint64_t value = 1; value <= 10'000; ++value) histogram->record(value);
    EXPECT_EQ(histogram->count(), 10'000u);
    EXPECT_NEAR(static_cast<double>(histogram->quantile(0.5)), 5'000, 170);
    EXPECT_NEAR(static_cast<double>(histogram->quantile(0.99)), 9'900, 320);
    EXPECT_GE(histogram->quantile(1.0), 10'000u);
}

TEST(Histogram, AValueBeyondTheLastOctaveClamps) {
    const auto histogram = std::make_unique<Histogram>();
    histogram->record(UINT64_MAX);
    EXPECT_EQ(histogram->count(), 1u);
    EXPECT_GT(histogram->quantile(0.5), 1ull << 43);
}

}  // namespace
}  // namespace nodex
