// What a POP does when the way to its centre breaks for a moment and another one is there: a hub
// that dies takes what is on its way with it and says nothing.
#include "edge/base/limits.h"
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
    void wait(Nanoseconds time) {
        world.until([] { return false; }, time);
    }
    Nano headroom() { return pop().core->leases().totals().headroom; }
    Nano held() { return (*world.ledger.account(account))->held; }
    // More than the lease has: the centre must be asked.
    void ask_for_more_than_there_is() {
        pop().core->leases().ask(
            scope, {}, 30 * unit,
            [this](AskVerdict told, LeaseScope*, LeaseScope*) { verdict = told; });
    }

    std::optional<AskVerdict> verdict;
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

// A database was promoted within three seconds, and settlements came seven later: the batch that
// was on its way waited out a deadline that had been doubled four times.
TEST_F(FailoverTest, AfterASilenceTheOutboxFollowsTheFirstWordOfTheCentre) {
    world.network.cut(0, true);
    keep_spending(4 * second);
    world.network.cut(0, false);
    ASSERT_TRUE(world.until([&] { return all_applied(); }, 3 * second));
    check_ledger();
}

TEST_F(FailoverTest, ACentreThatNobodyServesIsFoundAgainAtOnce) {
    world.network.stop_centre();
    keep_spending(3 * second);
    world.start_centre();
    EXPECT_TRUE(world.until([&] { return all_applied(); }, second));
    check_ledger();
}

// Nobody can use what a POP gives back while it is cut off, and it gets nothing else to spend.
TEST_F(FailoverTest, WhatLiesIdleGoesBackWhenTheCentreIsHeardAndNotBefore) {
    world.network.cut(0, true);
    const Nano lent = headroom();
    wait(300 * second);
    EXPECT_EQ(headroom(), lent);
    world.network.cut(0, false);
    EXPECT_TRUE(world.until([&] { return headroom() < lent / 2; }, 90 * second));
    check_ledger();
}

// With nothing left a lease was left out of the heartbeats, and so was what had emptied it.
TEST_F(FailoverTest, AReturnThatEmptiesALeaseIsToldUntilTheCentreHasHeardOfIt) {
    ASSERT_TRUE(world.until([&] { return headroom() == 0; }, 3'600 * second));
    world.network.cut(0, true);
    wait(5 * second);
    EXPECT_GT(held(), 0);
    world.network.cut(0, false);
    EXPECT_TRUE(world.until([&] { return held() == 0; }, 5 * second));
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
    ask_for_more_than_there_is();
    wait(700 * millisecond);
    world.network.cut(0, false);
    ASSERT_TRUE(world.until([&] { return verdict.has_value(); }, 2 * second));
    EXPECT_EQ(*verdict, AskVerdict::reserved);
    check_ledger();
}

// The database was killed and its standby promoted after three seconds: customers whose lease was
// young were told budget_unavailable, though the centre was back within the ten that are promised.
TEST_F(FailoverTest, AReservationWaitsWhileTheDatabaseFailsOver) {
    world.network.cut(0, true);
    wait(2 * second);
    ask_for_more_than_there_is();
    wait(8 * second);
    EXPECT_FALSE(verdict.has_value());
    world.network.cut(0, false);
    ASSERT_TRUE(world.until([&] { return verdict.has_value(); }, 3 * second));
    EXPECT_EQ(*verdict, AskVerdict::reserved);
    check_ledger();
}

TEST_F(FailoverTest, AReservationWaitsForACentreThatNobodyServesAndIsFoundAtOnce) {
    world.network.stop_centre();
    ask_for_more_than_there_is();
    wait(10 * second);
    EXPECT_FALSE(verdict.has_value());
    world.start_centre();
    ASSERT_TRUE(world.until([&] { return verdict.has_value(); }, second));
    EXPECT_EQ(*verdict, AskVerdict::reserved);
    check_ledger();
}

TEST_F(FailoverTest, AReservationsWaitEndsWithTheTimeOfAFailoverWheneverItBegan) {
    world.network.cut(0, true);
    wait(9 * second);
    ask_for_more_than_there_is();
    const Nanoseconds end = pop().core->link().last_contact_ns() + limits::centre_failover_max;
    ASSERT_TRUE(world.until([&] { return verdict.has_value(); }, 20 * second));
    EXPECT_EQ(*verdict, AskVerdict::unavailable);
    EXPECT_GE(world.clock.now_ns(), end);
    EXPECT_LT(world.clock.now_ns(), end + second);
}

TEST_F(FailoverTest, AReservationDoesNotWaitForALinkThatIsKnownToBeDown) {
    world.network.stop_centre();
    wait(limits::centre_failover_max + second);
    ask_for_more_than_there_is();
    ASSERT_TRUE(world.until([&] { return verdict.has_value(); }, 500 * millisecond));
    EXPECT_EQ(*verdict, AskVerdict::unavailable);
}

}  // namespace
}  // namespace nodex::replication
