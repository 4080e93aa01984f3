// Intended starts, and what they are for: a stall of the server must show in the percentiles.
#include "bench/load/schedule.h"

#include <gtest/gtest.h>

#include "bench/load/recorder.h"

namespace nodex::bench {
namespace {

constexpr Nanoseconds start = 1000 * second;
constexpr Window ten_seconds{.start_ns = start, .begin_ns = start, .end_ns = start + 10 * second};

TEST(Schedule, OpenLoopStartsAtAFixedRateWhateverHappens) {
    Schedule schedule = Schedule::open_loop(ten_seconds, 100, 0, 1);
    EXPECT_FALSE(schedule.take(start - 1).has_value());
    EXPECT_EQ(schedule.take(start), start);
    EXPECT_FALSE(schedule.take(start + 10 * millisecond - 1).has_value());
    // Nobody asked for a second: what has become due meanwhile keeps its intended start.
    for (int i = 1; i <= 100; ++i) EXPECT_EQ(schedule.take(start + second), start + i * 10 * millisecond);
    EXPECT_FALSE(schedule.take(start + second).has_value());
}

TEST(Schedule, OpenLoopEndsWithTheWindowAndLosesNothingBefore) {
    Schedule schedule = Schedule::open_loop(ten_seconds, 100, 0, 1);
    int taken = 0;
    while (schedule.take(start + 60 * second)) ++taken;
    EXPECT_EQ(taken, 1'000);
    EXPECT_FALSE(schedule.intended_ns(schedule.taken_count()).has_value());
}

TEST(Schedule, WorkersShareTheRateWithoutStartingTogether) {
    Schedule first = Schedule::open_loop(ten_seconds, 100, 0, 2);
    Schedule second_one = Schedule::open_loop(ten_seconds, 100, 1, 2);
    EXPECT_EQ(first.intended_ns(0), start);
    EXPECT_EQ(second_one.intended_ns(0), start + 10 * millisecond);
    EXPECT_EQ(first.intended_ns(1), start + 20 * millisecond);
    int taken = 0;
    while (first.take(start + 60 * second)) ++taken;
    while (second_one.take(start + 60 * second)) ++taken;
    EXPECT_EQ(taken, 1'000);
}

TEST(Schedule, DoesNotDriftOverLongRunsAtOddRates) {
    const Window day{.start_ns = start, .begin_ns = start, .end_ns = start + 86'400 * second};
    const Schedule schedule = Schedule::open_loop(day, 333, 0, 1);
    EXPECT_NEAR(static_cast<double>(*schedule.intended_ns(333u * 86'000u) - start), 86'000.0 * second, 1e3);
}

TEST(Schedule, ClosedLoopStartsWhenAsked) {
    Schedule schedule = Schedule::closed_loop(ten_seconds);
    EXPECT_FALSE(schedule.take(start - 1).has_value());
    EXPECT_EQ(schedule.take(start + 5), start + 5);
    EXPECT_EQ(schedule.take(start + 5), start + 5);
    EXPECT_FALSE(schedule.take(ten_seconds.end_ns).has_value());
}

// One connection to a server that answers in 1 ms and stands still for one second of ten. At 100 requests a
// second about a hundred of a thousand requests come into the stall. A generator that measures from the
// moment it could send sees a single slow request; the schedule must see them all.
TEST(CoordinatedOmission, AStalledServerShowsInThePercentiles) {
    constexpr Nanoseconds service = millisecond;
    constexpr Nanoseconds stall_begin = start + 4 * second;
    constexpr Nanoseconds stall_end = start + 5 * second;
    Schedule schedule = Schedule::open_loop(ten_seconds, 100, 0, 1);
    Recorder recorder;
    recorder.set_window(ten_seconds);
    Histogram from_sending;
    Nanoseconds now = start;
    while (const auto next = schedule.intended_ns(schedule.taken_count())) {
        now = std::max(now, *next);  // the connection is free and the request due
        const Nanoseconds intended = *schedule.take(now);
        const Nanoseconds sent = now;
        const bool stalled = sent >= stall_begin && sent < stall_end;
        now = (stalled ? stall_end : sent) + service;
        recorder.answered(intended, now);
        from_sending.record(static_cast<std::uint64_t>(now - sent));
    }
    EXPECT_EQ(recorder.call().count(), 1'000u);
    const auto milliseconds = [](const Histogram& histogram, double q) {
        return static_cast<double>(histogram.quantile(q)) / millisecond;
    };
    EXPECT_LE(milliseconds(from_sending, 0.99), 1.1);         // the lie
    EXPECT_GE(milliseconds(recorder.call(), 0.99), 880);      // the truth
    EXPECT_GE(milliseconds(recorder.call(), 0.95), 450);
    EXPECT_LE(milliseconds(recorder.call(), 0.5), 1.1);
    const auto quick = recorder.call().count_at_most(2 * millisecond);
    EXPECT_NEAR(static_cast<double>(quick), 1'000 - 111, 5);  // the stall and the time to catch up
}

}  // namespace
}  // namespace nodex::bench
