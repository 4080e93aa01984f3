// What a POP does when the way to its centre breaks for a moment and another one is there: a hub
// that dies takes what is on its way with it and says nothing.
#include "tests/unit/replication/paying_pop.h"

namespace nodex::replication {
namespace {

struct FailoverTest : PayingPop {
    static constexpr Nanoseconds one_way = 80 * millisecond;

    void SetUp() override {
        world.heartbeat_ns = second;
        PayingPop::SetUp();
        set_delay(one_way);
        for (int i = 0; i < 20; ++i) spend(unit / 1'000);  // it knows the road
        spend(unit);
        ASSERT_TRUE(world.until([&] { return pop().core->leases().totals().headroom > 2 * unit; }));
    }
    void set_delay(Nanoseconds delay) {
        SimFaults faults;
        faults.delay_min = faults.delay_max = delay;
        world.network.set_faults(faults);
    }
    // One settlement after the other, each a batch of its own, for so long.
    void keep_spending(Nanoseconds time) {
        const Nanoseconds end = world.clock.now_ns() + time;
        while (world.clock.now_ns() < end) {
            reserve(unit / 1'000);
            finish(unit / 1'000);
            world.step();
        }
    }
};

// Batches that were lost were once given up one by one, each at its own deadline of five seconds,
// and nothing was sent until the last of them.
TEST_F(FailoverTest, AWindowThatWasLostIsSentAgainWithinASecond) {
    world.network.cut(0, true);
    keep_spending(400 * millisecond);
    world.network.cut(0, false);
    ASSERT_FALSE(all_applied());
    EXPECT_TRUE(world.until([&] { return all_applied(); }, second));
    check_ledger();
}

TEST_F(FailoverTest, ACentreThatNobodyServesIsFoundAgainAtOnce) {
    world.network.stop_centre();
    keep_spending(3 * second);
    world.start_centre();
    EXPECT_TRUE(world.until([&] { return all_applied(); }, second));
    check_ledger();
}

// The line is slower than anything it was before: what is repeated because it was believed lost
// must not grow with the time that it lasts.
TEST_F(FailoverTest, ASlowLineIsNotFilledWithRepetitions) {
    set_delay(1'500 * millisecond);
    const std::uint64_t before = pop().core->shipper().shipped_count();
    const std::uint64_t first = pop().journal->outbox().last;
    keep_spending(20 * second);
    ASSERT_TRUE(world.until([&] { return all_applied(); }));
    const std::uint64_t settled = pop().journal->outbox().last - first;
    EXPECT_LT(pop().core->shipper().shipped_count() - before, 3 * settled);
    check_ledger();
}

TEST_F(FailoverTest, AReservationWaitsForWhoTakesOver) {
    world.network.cut(0, true);
    std::optional<AskVerdict> verdict;
    pop().core->leases().ask(scope, {}, 30 * unit,
                             [&](AskVerdict told, LeaseScope*, LeaseScope*) { verdict = told; });
    world.until([] { return false; }, 700 * millisecond);
    world.network.cut(0, false);
    ASSERT_TRUE(world.until([&] { return verdict.has_value(); }, 2 * second));
    EXPECT_EQ(*verdict, AskVerdict::reserved);
    check_ledger();
}

TEST_F(FailoverTest, AReservationDoesNotWaitForALinkThatIsKnownToBeDown) {
    world.network.stop_centre();
    world.until([] { return false; }, 5 * second);
    std::optional<AskVerdict> verdict;
    pop().core->leases().ask(scope, {}, 30 * unit,
                             [&](AskVerdict told, LeaseScope*, LeaseScope*) { verdict = told; });
    ASSERT_TRUE(world.until([&] { return verdict.has_value(); }, 500 * millisecond));
    EXPECT_EQ(*verdict, AskVerdict::unavailable);
}

}  // namespace
}  // namespace nodex::replication
