// How long an answer is waited for, by RFC 6298.
#include "replication/retry_timer.h"

#include <gtest/gtest.h>

namespace nodex::replication {
namespace {

TEST(RetryTimer, WaitsASecondBeforeItKnowsTheRoad) {
    EXPECT_EQ(RetryTimer().timeout(), second);
}

TEST(RetryTimer, FollowsTheRoundTripAndItsDeviation) {
    RetryTimer timer;
    timer.answered(400 * millisecond);  // RFC 6298, section 2.2: R + 4 * R/2
    EXPECT_EQ(timer.timeout(), 1'200 * millisecond);
    for (int i = 0; i < 100; ++i) timer.answered(400 * millisecond);
    EXPECT_EQ(timer.timeout(), RetryTimer::shortest);
    EXPECT_EQ(timer.smoothed(), 400 * millisecond);
    timer.answered(2 * second);  // 2.3: 600 ms + 4 * 400 ms
    EXPECT_NEAR(static_cast<double>(timer.timeout()), 2.2e9, 1e3);
}

TEST(RetryTimer, DoublesWhileNothingIsAnsweredAndForgetsItAtTheFirstAnswer) {
    RetryTimer timer;
    for (int i = 0; i < 100; ++i) timer.answered(100 * millisecond);
    EXPECT_EQ(timer.timeout(), 500 * millisecond);
    timer.lost();
    EXPECT_EQ(timer.timeout(), second);
    timer.lost();
    EXPECT_EQ(timer.timeout(), 2 * second);
    for (int i = 0; i < 100; ++i) timer.lost();
    EXPECT_EQ(timer.timeout(), RetryTimer::longest);
    timer.answered(100 * millisecond);
    EXPECT_EQ(timer.timeout(), 500 * millisecond);
}

TEST(RetryTimer, AnAnswerOfNoTimeCountsAsMeasured) {
    RetryTimer timer;
    timer.answered(0);
    EXPECT_EQ(timer.timeout(), RetryTimer::shortest);
}

}  // namespace
}  // namespace nodex::replication
