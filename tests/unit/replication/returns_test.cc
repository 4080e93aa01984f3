// What a POP gave back is gone, also for a disk that was put back to before it did: nothing else on
// such a disk is behind the ledger, so it may register. Found by the simulator (seed 3757).
#include "replication/central/ledger_records.h"
#include "tests/unit/replication/paying_pop.h"

namespace nodex::replication {
namespace {

struct ReturnsTest : PayingPop {
    ledger::Lease::Generation at_centre() {
        const auto stored =
            world.ledger.lease_of(scope, PopId{1}, pop().core->link().incarnation());
        return stored && *stored ? (*stored)->generations.back() : ledger::Lease::Generation{};
    }
    void hold_much_and_wait_until_it_is_given_back() {
        reserve(50 * unit);
        finish(unit);
        ASSERT_TRUE(world.until([&] { return at_centre().returned > 0; }, 900 * second));
        ASSERT_TRUE(world.until([&] { return at_centre().settled == unit; }));
    }
    // The disk of before: the lease had its grant, and nothing had been given back.
    void put_the_disk_back() {
        storage::LeaseCounters counters = *pop().journal->lease(scope);
        ASSERT_GT(counters.returned, 0);
        counters.returned = 0;
        storage::Batch batch;
        pop().journal->set_lease(scope, counters, batch);
        ASSERT_TRUE(pop().store.write(batch, storage::Durability::power));
    }
    const LeaseScope& start_again() {
        EXPECT_TRUE(world.served(world.start(0)));
        EXPECT_TRUE(world.until([&] { return here().granted() > 0; }));
        return here();
    }
    const LeaseScope& here() { return *pop().core->leases().find(scope); }
};

TEST_F(ReturnsTest, ADiskOfBeforeLearnsWhatItGaveBackBeforeItSpends) {
    hold_much_and_wait_until_it_is_given_back();
    const Nano held = at_centre().held();
    put_the_disk_back();
    const LeaseScope& lease_again = start_again();
    EXPECT_EQ(lease_again.returned(), at_centre().returned);
    EXPECT_EQ(lease_again.available(), held);
    reserve(30 * unit);
    EXPECT_EQ(at_centre().held(), 30 * unit) << "asked for, not taken from what was given back";
    finish(30 * unit);
    ASSERT_TRUE(world.until([&] { return all_applied(); }));
    EXPECT_EQ(balance(), 69 * unit);
    check_ledger();
}

TEST_F(ReturnsTest, WhatItGivesBackLaterCountsFromThere) {
    hold_much_and_wait_until_it_is_given_back();
    put_the_disk_back();
    start_again();
    reserve(40 * unit);
    finish(unit);
    const Nano before = at_centre().returned;
    ASSERT_TRUE(world.until([&] { return at_centre().returned > before; }, 900 * second));
    EXPECT_EQ(here().returned(), at_centre().returned);
    EXPECT_EQ(here().available(), at_centre().held());
    check_ledger();
}

}  // namespace
}  // namespace nodex::replication
