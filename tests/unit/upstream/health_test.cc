// Ejection, backoff and probing, with time passed in.
#include "edge/upstream/health.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"

namespace nodex::upstream {
namespace {

constexpr Nanoseconds start = 1000 * second;

Health ejected_at(Nanoseconds now_ns) {
    Health health;
    for (unsigned i = 0; i < limits::ejection_failures; ++i) health.failed(now_ns);
    return health;
}

TEST(Health, StaysHealthyOneFailureBelowTheLimit) {
    Health health;
    for (unsigned i = 0; i + 1 < limits::ejection_failures; ++i) health.failed(start);
    EXPECT_EQ(health.standing(start), Standing::healthy);
    health.failed(start);
    EXPECT_EQ(health.standing(start), Standing::ejected);
}

TEST(Health, OneSuccessForgetsTheFailuresBefore) {
    Health health;
    for (unsigned i = 0; i + 1 < limits::ejection_failures; ++i) health.failed(start);
    health.succeeded();
    for (unsigned i = 0; i + 1 < limits::ejection_failures; ++i) health.failed(start);
    EXPECT_EQ(health.standing(start), Standing::healthy);
}

TEST(Health, ProbeIsDueExactlyWhenTheBackoffEnds) {
    const Health health = ejected_at(start);
    EXPECT_EQ(health.standing(start + limits::ejection_backoff_min - 1), Standing::ejected);
    EXPECT_EQ(health.standing(start + limits::ejection_backoff_min), Standing::probe_due);
}

TEST(Health, OnlyOneProbeRunsAtATime) {
    Health health = ejected_at(start);
    const Nanoseconds due = start + limits::ejection_backoff_min;
    health.start_probe(due, 5 * second);
    EXPECT_EQ(health.standing(due), Standing::ejected);
    EXPECT_EQ(health.standing(due + 5 * second - 1), Standing::ejected);
}

TEST(Health, ALostProbeIsReplacedWhenItsLeaseEnds) {
    Health health = ejected_at(start);
    const Nanoseconds due = start + limits::ejection_backoff_min;
    health.start_probe(due, 5 * second);
    EXPECT_EQ(health.standing(due + 5 * second), Standing::probe_due);
}

TEST(Health, FailedProbesDoubleTheBackoffUpToItsMaximum) {
    Health health = ejected_at(start);
    Nanoseconds backoff = limits::ejection_backoff_min;
    Nanoseconds now = start;
    for (int round = 0; round < 10; ++round) {
        now += backoff;
        ASSERT_EQ(health.standing(now - 1), Standing::ejected) << round;
        ASSERT_EQ(health.standing(now), Standing::probe_due) << round;
        health.start_probe(now, second);
        health.failed(now);
        backoff = std::min(backoff * 2, limits::ejection_backoff_max);
    }
    EXPECT_EQ(backoff, limits::ejection_backoff_max);
}

TEST(Health, FailuresOfRequestsFromBeforeTheEjectionDoNotDoubleTheBackoff) {
    Health health = ejected_at(start);
    for (int i = 0; i < 50; ++i) health.failed(start + second);
    EXPECT_EQ(health.standing(start + limits::ejection_backoff_min), Standing::probe_due);
}

TEST(Health, ASuccessfulProbeResetsTheBackoff) {
    Health health = ejected_at(start);
    Nanoseconds now = start + limits::ejection_backoff_min;
    health.start_probe(now, second);
    health.failed(now);
    now += 2 * limits::ejection_backoff_min;
    health.start_probe(now, second);
    health.succeeded();
    EXPECT_EQ(health.standing(now), Standing::healthy);
    for (unsigned i = 0; i < limits::ejection_failures; ++i) health.failed(now);
    EXPECT_EQ(health.standing(now + limits::ejection_backoff_min), Standing::probe_due);
}

TEST(Health, AProbeGivenUpMakesAnotherOneDueAtOnce) {
    Health health = ejected_at(start);
    const Nanoseconds due = start + limits::ejection_backoff_min;
    health.start_probe(due, 100 * second);
    health.give_up_probe(due + second);
    EXPECT_EQ(health.standing(due + second), Standing::probe_due);
    health.succeeded();
    health.give_up_probe(due + second);  // reported meanwhile: no effect
    EXPECT_EQ(health.standing(due + second), Standing::healthy);
}

}  // namespace
}  // namespace nodex::upstream
