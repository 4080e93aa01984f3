// How long an answer is waited for, by RFC 6298.
#include "replication/retry_timer.h"

#include <gtest/gtest.h>

namespace nodex::replication {
namespace {

TEST(RetryTimer, WaitsASecondBeforeItKnowsTheRoad) {
    EXPECT_EQ(RetryTimer().timeout(), second);
}

// Sent when the answer to the one before came.
struct Exchanges {
    RetryTimer timer;
    Nanoseconds now_ns = second;
    void answered(Nanoseconds round_trip) {
        const Nanoseconds sent_ns = now_ns;
        now_ns += round_trip;
        timer.answered(sent_ns, now_ns);
    }
    void lost() {
        const Nanoseconds sent_ns = now_ns;
        now_ns += timer.timeout();
        timer.lost(sent_ns, now_ns);
    }
};

TEST(RetryTimer, FollowsTheRoundTripAndItsDeviation) {
    Exchanges road;
    road.answered(400 * millisecond);  // RFC 6298, section 2.2: R + 4 * R/2
    EXPECT_EQ(road.timer.timeout(), 1'200 * millisecond);
    for (int i = 0; i < 100; ++i) road.answered(400 * millisecond);
    EXPECT_EQ(road.timer.timeout(), RetryTimer::shortest);
    EXPECT_EQ(road.timer.smoothed(), 400 * millisecond);
    road.answered(2 * second);  // 2.3: 600 ms + 4 * 400 ms
    EXPECT_NEAR(static_cast<double>(road.timer.timeout()), 2.2e9, 1e3);
}

TEST(RetryTimer, DoublesWhileNothingIsAnsweredAndForgetsItAtTheFirstAnswer) {
    Exchanges road;
    for (int i = 0; i < 100; ++i) road.answered(100 * millisecond);
    EXPECT_EQ(road.timer.timeout(), 500 * millisecond);
    road.lost();
    EXPECT_EQ(road.timer.timeout(), second);
    road.lost();
    EXPECT_EQ(road.timer.timeout(), 2 * second);
    for (int i = 0; i < 100; ++i) road.lost();
    EXPECT_EQ(road.timer.timeout(), RetryTimer::longest);
    road.answered(100 * millisecond);
    EXPECT_EQ(road.timer.timeout(), 500 * millisecond);
}

// A window of batches that a hub took with it once made the next request wait for eight seconds.
TEST(RetryTimer, WhatWaitedBesideEachOtherInASilenceDoublesItOnce) {
    RetryTimer timer;
    timer.answered(0, 100 * millisecond);
    for (int i = 0; i < 32; ++i) timer.lost(second, 1'500 * millisecond);
    EXPECT_EQ(timer.timeout(), second);
    timer.lost(1'400 * millisecond, 1'900 * millisecond);  // sent before the first was missed
    EXPECT_EQ(timer.timeout(), second);
    timer.lost(1'500 * millisecond, 2'500 * millisecond);
    EXPECT_EQ(timer.timeout(), 2 * second);
}

// One of several processes of the centre is dead, and who answers is chance.
TEST(RetryTimer, WhatWasLostWhileSomethingSentLaterIsAnsweredDoublesNothing) {
    RetryTimer timer;
    for (Nanoseconds now_ns = second; now_ns < 60 * second; now_ns += second) {
        timer.answered(now_ns, now_ns + 100 * millisecond);
        timer.lost(now_ns - 300 * millisecond, now_ns + 200 * millisecond);
        EXPECT_EQ(timer.timeout(), RetryTimer::shortest);
    }
}

TEST(RetryTimer, ACentreThatOnlyAnswersLateIsAskedLessAndLess) {
    Exchanges road;
    for (int i = 0; i < 100; ++i) road.answered(100 * millisecond);
    const Nanoseconds from_ns = road.now_ns;
    unsigned asked = 0;
    for (; road.timer.timeout() < 3 * second; ++asked) road.lost();
    EXPECT_EQ(asked, 3u);
    road.timer.answered(from_ns, from_ns + 3 * second);  // the first, and it counts
    EXPECT_GT(road.timer.timeout(), 2 * second);
}

TEST(RetryTimer, OfOneRequestThatIsNotAnsweredTheSecondRepetitionWaitsTwiceAsLong) {
    RetryTimer timer;
    timer.answered(0, 100 * millisecond);
    EXPECT_EQ(timer.timeout(1), RetryTimer::shortest);
    EXPECT_EQ(timer.timeout(2), second);
    EXPECT_EQ(timer.timeout(100), second);
    timer.lost(second, 2 * second);  // not on top of a silence's
    EXPECT_EQ(timer.timeout(2), second);
}

TEST(RetryTimer, AnAnswerOfNoTimeCountsAsMeasured) {
    RetryTimer timer;
    timer.answered(0, 0);
    EXPECT_EQ(timer.timeout(), RetryTimer::shortest);
}

}  // namespace
}  // namespace nodex::replication
