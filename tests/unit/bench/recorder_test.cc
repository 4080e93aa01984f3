// What counts as measured, and how figures of several workers come together.
#include "bench/load/recorder.h"

#include <gtest/gtest.h>

namespace nodex::bench {
namespace {

constexpr Window window{.start_ns = 100 * second, .begin_ns = 110 * second, .end_ns = 120 * second};

TEST(Recorder, MeasuresWhatIsMeantToStartInTheWindow) {
    Recorder recorder;
    recorder.set_window(window);
    recorder.answered(window.begin_ns - 1, window.begin_ns + second);  // warm-up
    recorder.answered(window.begin_ns, window.begin_ns + second);
    recorder.answered(window.end_ns - 1, window.end_ns + 5 * second);  // late, but due in the window
    recorder.answered(window.end_ns, window.end_ns + second);
    EXPECT_EQ(recorder.call().count(), 2u);
    EXPECT_EQ(recorder.totals().answered, 4u);
}

TEST(Recorder, UnansweredRequestsEnterTheLatenciesWithTheTimeTheyHaveWaited) {
    Recorder recorder;
    recorder.set_window(window);
    for (int i = 0; i < 98; ++i) recorder.answered(window.begin_ns, window.begin_ns + millisecond);
    recorder.unanswered(window.begin_ns, window.begin_ns + 20 * second);
    recorder.unanswered(window.begin_ns, window.begin_ns + 20 * second);
    EXPECT_EQ(recorder.failures(Failure::unanswered), 2u);
    EXPECT_EQ(recorder.totals().answered, 98u);
    EXPECT_GE(recorder.call().quantile(0.99), static_cast<std::uint64_t>(20 * second));
}

TEST(Recorder, GapsNeedAnEventBeforeThem) {
    Recorder recorder;
    recorder.set_window(window);
    recorder.event(0, window.begin_ns + millisecond);
    EXPECT_EQ(recorder.gap().count(), 0u);
    recorder.event(window.begin_ns + millisecond, window.begin_ns + 21 * millisecond);
    EXPECT_EQ(recorder.gap().count(), 1u);
    EXPECT_NEAR(static_cast<double>(recorder.gap().quantile(0.5)), 20e6, 0.7e6);
    EXPECT_EQ(recorder.totals().events, 2u);
}

TEST(Recorder, LatenessIsTheGeneratorsOwnAndNotTheServers) {
    Recorder recorder;
    recorder.set_window(window);
    recorder.sent(window.begin_ns, window.begin_ns + 50 * microsecond, false);
    recorder.sent(window.begin_ns, window.begin_ns + 3 * second, true);  // no connection was free
    EXPECT_EQ(recorder.lateness().count(), 1u);
    EXPECT_LT(recorder.lateness().quantile(1), static_cast<std::uint64_t>(millisecond));
}

TEST(Recorder, MergingAddsEverythingUp) {
    Recorder first, second_one;
    for (Recorder* recorder : {&first, &second_one}) {
        recorder->set_window(window);
        recorder->answered(window.begin_ns, window.begin_ns + millisecond);
        recorder->first_token(window.begin_ns, window.begin_ns + millisecond);
        recorder->event(window.begin_ns, window.begin_ns + millisecond);
        recorder->connected(millisecond);
        recorder->failed(Failure::status, window.begin_ns);
        recorder->failed(Failure::status, window.begin_ns - 1);  // warm-up
        recorder->status(503);
        recorder->status(-1);
        recorder->status(1'000);
    }
    first.merge(second_one);
    EXPECT_EQ(first.call().count(), 2u);
    EXPECT_EQ(first.token().count(), 2u);
    EXPECT_EQ(first.gap().count(), 2u);
    EXPECT_EQ(first.connect().count(), 2u);
    EXPECT_EQ(first.totals().answered, 2u);
    EXPECT_EQ(first.totals().events, 2u);
    EXPECT_EQ(first.failures_total(), 2u);
    EXPECT_EQ(first.status_count(503), 2u);
}

TEST(Recorder, EveryFailureHasItsName) {
    for (std::size_t i = 0; i < failures_count; ++i)
        EXPECT_STRNE(name(static_cast<Failure>(i)), "unknown") << i;
}

}  // namespace
}  // namespace nodex::bench
