// A ledger that is restored from a backup: POPs give back what it lost, act on nothing of the
// ledger that was lost, and say so when they cannot.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/paying_pop.h"

namespace nodex::replication {
namespace {

struct EpochTest : PayingPop {
    void restore(const MemoryLedgerStore& backup, bool raise = true) {
        world.ledger_store = backup;
        if (raise) {
            ASSERT_TRUE(world.ledger.raise_epoch(world.clock.wall_ms()));
        }
        world.start_centre();
    }
    bool level() {
        return world.until([&] {
            return pop().registered() &&
                   pop().core->link().epoch_max() == world.ledger.head()->epoch && all_applied();
        });
    }
};

TEST_F(EpochTest, ARestoredLedgerGetsBackWhatItLost) {
    spend(1 * unit);
    const MemoryLedgerStore backup = world.ledger_store;
    for (int i = 0; i < 5; ++i) spend(2 * unit);
    EXPECT_EQ(balance(), 89 * unit);
    restore(backup);
    EXPECT_EQ(balance(), 99 * unit);
    ASSERT_TRUE(level());
    EXPECT_EQ(balance(), 89 * unit);
    check_ledger();
    spend(3 * unit);
    EXPECT_EQ(balance(), 86 * unit);
    check_ledger();
}

TEST_F(EpochTest, SoDoesOneThatIsOlderThanEveryLease) {
    world.clock.advance(second);
    const MemoryLedgerStore backup = world.ledger_store;
    for (int i = 0; i < 3; ++i) spend(10 * unit);
    restore(backup);
    ASSERT_TRUE(level());
    EXPECT_EQ(balance(), 70 * unit);
    check_ledger();
}

TEST_F(EpochTest, APopThatWasDownMeanwhileGivesItBackToo) {
    const MemoryLedgerStore backup = world.ledger_store;
    spend(4 * unit);
    pop().store.lose_power(0);
    restore(backup);
    world.start(0);
    ASSERT_TRUE(level());
    EXPECT_EQ(balance(), 96 * unit);
    check_ledger();
}

TEST_F(EpochTest, ARequestThatRanMeanwhileIsChargedFromWhatIsFree) {
    const MemoryLedgerStore backup = world.ledger_store;
    reserve(50 * unit);
    restore(backup);
    ASSERT_TRUE(level());
    finish(50 * unit);
    ASSERT_TRUE(level());
    EXPECT_EQ(balance(), 50 * unit);
    check_ledger();
}

TEST_F(EpochTest, NoGrantOfTheLostLedgerIsSpent) {
    const MemoryLedgerStore backup = world.ledger_store;
    spend(1 * unit);
    LeaseScope* before = pop().core->leases().find(scope);
    restore(backup);
    ASSERT_TRUE(level());
    EXPECT_NE(pop().core->leases().find(scope), before);
    EXPECT_FALSE(before->try_reserve(0, world.clock.now_ns()));
}

TEST_F(EpochTest, ALedgerRestoredWithoutANewEpochIsRefused) {
    const MemoryLedgerStore backup = world.ledger_store;
    spend(1 * unit);
    restore(backup, false);
    world.start(0);
    EXPECT_TRUE(world.until([&] { return pop().core->phase() == AgentCore::Phase::refused; }));
}

TEST_F(EpochTest, AnOlderLedgerIsNotActedOnAfterANewerOne) {
    const MemoryLedgerStore lost = world.ledger_store;
    restore(lost);
    ASSERT_TRUE(level());
    const std::uint64_t epoch = pop().core->link().epoch_max();
    // The new ledger's feed is read and stored.
    EXPECT_FALSE(world.until([] { return false; }, 5 * second));
    restore(lost, false);  // a frozen process of before goes on
    world.start(0);
    EXPECT_FALSE(world.until([&] { return pop().registered(); }, 10 * second));
    EXPECT_EQ(pop().core->link().epoch_max(), epoch) << "it is remembered over a restart";
    EXPECT_NE(pop().directory, nullptr) << "and serves from what it knows";
}

TEST_F(EpochTest, WhatIsNotKeptAnyMoreMeansReinstalling) {
    spend(1 * unit);
    const MemoryLedgerStore backup = world.ledger_store;
    spend(1 * unit);
    spend(1 * unit);
    world.clock.advance(limits::outbox_kept);
    spend(1 * unit);
    EXPECT_GT(pop().journal->outbox().kept, 2u);
    restore(backup);
    EXPECT_TRUE(world.until([&] { return pop().core->phase() == AgentCore::Phase::refused; }));
}

TEST_F(EpochTest, WhatTheRestoredLedgerDoesNotKnowIsUnknownAgain) {
    const MemoryLedgerStore backup = world.ledger_store;
    KeySettings settings;
    settings.name = "key";
    KeyHash hash;
    hash.octets[0] = 9;
    ASSERT_TRUE(world.ledger.create_key(account, hash, settings, world.clock.wall_ms()));
    ASSERT_TRUE(world.until([&] { return pop().directory->find_key(hash) != nullptr; }));
    restore(backup);
    EXPECT_TRUE(world.until([&] { return pop().directory->find_key(hash) == nullptr; }));
    world.start(0);
    ASSERT_TRUE(world.served(pop()));
    EXPECT_EQ(pop().directory->find_key(hash), nullptr) << "nor is it stored here";
}

// What may be paid from what is free without a lease was the POP's own word, for ever: whoever had
// its credential said it again and spent every balance.
TEST_F(EpochTest, ComingBackAfterARestoreIsNotedOnceAnEpoch) {
    const MemoryLedgerStore backup = world.ledger_store;
    spend(1 * unit);
    restore(backup);
    ASSERT_TRUE(level());
    EXPECT_EQ(balance(), 99 * unit);
    world.clock.advance(limits::request_deadline + second);
    const storage::Journal::OutboxBounds outbox = pop().journal->outbox();
    const auto again = world.ledger.register_pop(PopId{1},
                                                 {pop().journal->install_id(),
                                                  outbox.applied,
                                                  UINT64_MAX,
                                                  outbox.chain_at_applied,
                                                  {},
                                                  1,
                                                  1},
                                                 world.clock.wall_ms());
    ASSERT_TRUE(again);
    ASSERT_EQ(again->verdict, RegisterVerdict::accepted);
    storage::Settlement forged;
    forged.request_id.octets[15] = 1;
    forged.account = account;
    forged.key = KeyId{1};
    forged.reservation = {50 * unit, 77, 0, 1};
    forged.amount = 50 * unit;
    const auto shipped = world.ledger.ship(
        PopId{1}, again->incarnation, {again->applied + 1, again->chain, {storage::encode(forged)}},
        world.clock.wall_ms());
    ASSERT_TRUE(shipped);
    EXPECT_EQ(shipped->applied, again->applied + 1);
    EXPECT_EQ(balance(), 99 * unit) << "no lease, no money";
    check_ledger();
}

TEST_F(EpochTest, AnEpochIsAboveEveryOneThatALostLedgerMayHaveHad) {
    const std::int64_t now_ms = world.clock.wall_ms();
    const std::uint64_t first = *world.ledger.raise_epoch(now_ms);
    EXPECT_EQ(first, static_cast<std::uint64_t>(now_ms / 1'000));
    EXPECT_EQ(*world.ledger.raise_epoch(now_ms), first + 1);
}

}  // namespace
}  // namespace nodex::replication
