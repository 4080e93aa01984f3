// Tests of a line: delay, bandwidth, order, the cut and the full queue.
#include "tests/lab/wan/link.h"

#include <gtest/gtest.h>

#include <string>

namespace nodex::lab {
namespace {

constexpr std::int64_t ms = 1'000'000;

TEST(Link, ArrivesAfterTheDelayAndNotBefore) {
    Link link;
    link.shape({.delay_ns = 80 * ms});
    EXPECT_EQ(link.put("a", 5 * ms), 85 * ms);
    EXPECT_EQ(link.take(85 * ms - 1), std::nullopt);
    EXPECT_EQ(link.take(85 * ms), "a");
    EXPECT_EQ(link.take(1000 * ms), std::nullopt);
}

TEST(Link, BandwidthSpacesPacketsThatComeAtOnce) {
    Link link;
    link.shape(
        {.delay_ns = 10 * ms, .bits_per_second = 8'000'000});  // a thousand octets a millisecond
    EXPECT_EQ(link.put(std::string(1000, 'a'), 0), 11 * ms);
    EXPECT_EQ(link.put(std::string(1000, 'b'), 0), 12 * ms);
    EXPECT_EQ(link.put(std::string(1000, 'c'), 50 * ms), 61 * ms);
}

TEST(Link, KeepsTheOrderWhenTheDelayShrinks) {
    Link link;
    link.shape({.delay_ns = 100 * ms});
    link.put("slow", 0);
    link.shape({.delay_ns = 1 * ms});
    EXPECT_EQ(link.put("fast", 1 * ms), 100 * ms);
    EXPECT_EQ(link.take(100 * ms), "slow");
    EXPECT_EQ(link.take(100 * ms), "fast");
}

TEST(Link, ACutDropsWhatIsOnTheLineAndWhatIsPutOnIt) {
    Link link;
    link.shape({.delay_ns = 10 * ms});
    link.put("on the line", 0);
    link.cut(true);
    EXPECT_EQ(link.put("behind it", 1 * ms), std::nullopt);
    EXPECT_EQ(link.take(20 * ms), std::nullopt);
    link.cut(false);
    link.put("healed", 20 * ms);
    EXPECT_EQ(link.take(30 * ms), "healed");
    EXPECT_EQ(link.counters().dropped_cut, 2U);
    EXPECT_EQ(link.counters().passed, 1U);
}

TEST(Link, AFullQueueDropsTheNewestPacket) {
    Link link;
    link.shape({.bits_per_second = 1});
    const std::string big(std::size_t{1} << 20, 'x');
    for (int count = 0; count < 4; ++count) EXPECT_TRUE(link.put(big, 0).has_value());
    EXPECT_EQ(link.put("one more", 0), std::nullopt);
    EXPECT_EQ(link.counters().dropped_full, 1U);
    EXPECT_EQ(link.queued_bytes(), Link::queue_bytes_max);
}

}  // namespace
}  // namespace nodex::lab
