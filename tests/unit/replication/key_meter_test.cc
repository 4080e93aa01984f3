// RateBucket: a minute's allowance at once, then an even refill; time is given, never read.
#include "replication/key_meter.h"

#include <gtest/gtest.h>

namespace nodex::replication {
namespace {

constexpr Nanoseconds start = 1'000 * second;

TEST(RateBucket, AllowsEverythingWithoutALimit) {
    RateBucket bucket;
    for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(bucket.take(0, 1'000'000, start).allowed);
}

TEST(RateBucket, SpendsAMinuteAtOnceThenRefusesWithTheTimeToWait) {
    RateBucket bucket;
    for (std::uint64_t i = 0; i < 60; ++i) {
        const RateBucket::Verdict verdict = bucket.take(60, 1, start);
        ASSERT_TRUE(verdict.allowed) << i;
        EXPECT_EQ(verdict.remaining, 59 - i);
        EXPECT_EQ(verdict.limit, 60u);
    }
    const RateBucket::Verdict refused = bucket.take(60, 1, start);
    EXPECT_FALSE(refused.allowed);
    EXPECT_EQ(refused.remaining, 0u);
    EXPECT_EQ(refused.retry_after_ns, second);
    EXPECT_EQ(refused.reset_ns, 60 * second);
    EXPECT_FALSE(bucket.take(60, 1, start + second - 1).allowed);
    EXPECT_TRUE(bucket.take(60, 1, start + second).allowed);
}

TEST(RateBucket, ARefusalTakesNothing) {
    RateBucket bucket;
    ASSERT_TRUE(bucket.take(100, 80, start).allowed);
    EXPECT_FALSE(bucket.take(100, 30, start).allowed);
    EXPECT_TRUE(bucket.take(100, 20, start).allowed);
}

TEST(RateBucket, GivesBackWhatWasEstimatedTooHigh) {
    RateBucket bucket;
    ASSERT_TRUE(bucket.take(100, 100, start).allowed);
    bucket.give_back(100, 60);
    EXPECT_TRUE(bucket.take(100, 60, start).allowed);
    EXPECT_FALSE(bucket.take(100, 1, start).allowed);
}

TEST(RateBucket, GivingBackNeverSavesUpMoreThanAMinute) {
    RateBucket bucket;
    bucket.give_back(60, 1'000);
    int allowed = 0;
    while (bucket.take(60, 1, start).allowed) ++allowed;
    EXPECT_EQ(allowed, 60);
}

TEST(RateBucket, ACostAboveTheLimitNeedsAFullBucket) {
    RateBucket bucket;
    ASSERT_TRUE(bucket.take(100, 1, start).allowed);
    EXPECT_FALSE(bucket.take(100, 500, start).allowed);
    const Nanoseconds later = start + second;
    EXPECT_TRUE(bucket.take(100, 500, later).allowed);
    EXPECT_FALSE(bucket.take(100, 1, later).allowed);
    EXPECT_FALSE(bucket.take(100, 1, later + 239 * second).allowed);
    EXPECT_TRUE(bucket.take(100, 1, later + 241 * second).allowed);
}

TEST(RateBucket, HugeCostsDoNotOverflow) {
    RateBucket bucket;
    EXPECT_TRUE(bucket.take(1, UINT64_MAX, start).allowed);
    EXPECT_FALSE(bucket.take(1, UINT64_MAX, start).allowed);
    EXPECT_TRUE(bucket.take(UINT64_MAX, 1, start + 3'600 * second).allowed);
}

}  // namespace
}  // namespace nodex::replication
