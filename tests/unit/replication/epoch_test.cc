// A ledger that is restored from a backup: POPs give back what it lost, act on nothing of the
// ledger that was lost, and say so when they cannot.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/pop_world.h"

namespace nodex::replication {
namespace {

constexpr AccountId account{1};
constexpr LeaseKey scope{LeaseKey::Kind::account, 1};
constexpr Nano unit = nano_per_unit;

struct EpochTest : testing::Test {
    PopWorld world{1};
    std::uint64_t requests = 0;

    PopWorld::Pop& pop() { return *world.pops[0]; }
    Nano balance() { return (*world.ledger.account(account))->posted; }
    void SetUp() override {
        world.make_account();
        ASSERT_TRUE(world.ledger.top_up(account, 100 * unit, "first", world.clock.wall_ms()));
        ASSERT_TRUE(world.served(world.start(0)));
    }
    // A paid request from its reservation to the ledger's mark, as a client sees it done.
    void spend(Nano amount) {
        reserve(amount);
        finish(amount);
        ASSERT_TRUE(world.until(
            [&] { return pop().core->shipper().applied() == pop().journal->outbox().last; }));
    }
    void reserve(Nano amount) {
        std::optional<AskVerdict> verdict;
        pop().core->leases().ask(scope, {}, amount,
                                 [&](AskVerdict told, LeaseScope* from, LeaseScope*) {
                                     verdict = told;
                                     lease = from;
                                 });
        ASSERT_TRUE(world.until([&] { return verdict.has_value(); }));
        ASSERT_EQ(*verdict, AskVerdict::reserved);
        open = {};
        ++requests;
        std::memcpy(open.request_id.octets.data(), &requests, sizeof requests);
        open.account = account;
        open.key = KeyId{1};
        open.reservation = {amount, lease->generation(), 0, 1};
        storage::Batch batch;
        ASSERT_TRUE(pop().journal->claim(open, {}, world.clock.wall_ms(), batch).has_value());
        ASSERT_TRUE(pop().store.write(batch, storage::Durability::power));
    }
    void finish(Nano amount) {
        storage::Finish done;
        done.request_id = open.request_id;
        done.answer.request_id = open.request_id;
        storage::Settlement settlement;
        settlement.request_id = open.request_id;
        settlement.account = account;
        settlement.key = open.key;
        settlement.reservation = open.reservation;
        settlement.amount = amount;
        done.settlement = settlement;
        storage::Batch batch;
        ASSERT_TRUE(pop().journal->finish(done, batch).has_value());
        ASSERT_TRUE(pop().store.write(batch, storage::Durability::power));
        lease->settle(open.reservation.amount, amount);
        pop().core->outbox_grew();
    }
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
                   pop().core->link().epoch_max() == world.ledger.head()->epoch &&
                   pop().core->shipper().applied() == pop().journal->outbox().last;
        });
    }
    void check_ledger() {
        const Result<LedgerAudit> audit = world.ledger.check_invariants();
        ASSERT_TRUE(audit);
        EXPECT_TRUE(audit->sound()) << audit->first_problem;
    }

    storage::OpenRequest open;
    LeaseScope* lease = nullptr;
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

TEST_F(EpochTest, AnEpochIsAboveEveryOneThatALostLedgerMayHaveHad) {
    const std::int64_t now_ms = world.clock.wall_ms();
    const std::uint64_t first = *world.ledger.raise_epoch(now_ms);
    EXPECT_EQ(first, static_cast<std::uint64_t>(now_ms / 1'000));
    EXPECT_EQ(*world.ledger.raise_epoch(now_ms), first + 1);
}

}  // namespace
}  // namespace nodex::replication
