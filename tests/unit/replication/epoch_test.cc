// A ledger that is restored from a backup: POPs give back what it lost, act on nothing of the
// ledger that was lost, and say so when they cannot.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/paying_pop.h"
#include "tests/unit/replication/request_ids.h"

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
    // What the admin socket of the POP would answer.
    std::uint64_t commands_ = 0;  // each has a number of its own
    std::string command(const std::string& name) {
        std::string answer;
        pop().core->link().request(
            "admin", MessageType::query_request,
            encode(QueryRequest{R"({"command":")" + name + R"(","args":{}})", ++commands_}), second,
            [&](const Result<std::string>& payload) {
                const auto reply =
                    payload ? decode_query_reply(*payload) : Result<QueryReply>(payload.error());
                answer = reply ? reply->json : "no answer";
            });
        EXPECT_TRUE(world.until([&] { return !answer.empty(); }));
        return answer;
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
    forged.request_id = request_of(PopId{1}, 1);
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

// A disk was put back that lacks what is still on its way from the one before.
TEST_F(EpochTest, ARecordOfAnotherDiskThatArrivesLateIsNoticedByItsPop) {
    spend(1 * unit);
    const auto mark = world.ledger.mark(PopId{1}, pop().core->link().incarnation());
    ASSERT_TRUE(mark && *mark);
    storage::Settlement settlement;
    settlement.account = account;
    settlement.key = KeyId{1};
    settlement.request_id = request_of(PopId{1}, 200);
    settlement.reservation = {unit, 1, 0, 1};
    ASSERT_TRUE(
        world.ledger.ship(PopId{1}, pop().core->link().incarnation(),
                          {(*mark)->applied + 1, (*mark)->chain, {storage::encode(settlement)}},
                          world.clock.wall_ms()));
    reserve(1 * unit);
    finish(1 * unit);
    EXPECT_TRUE(world.until([&] { return pop().core->phase() == AgentCore::Phase::refused; }))
        << "its own record has the same number";
}

TEST_F(EpochTest, AnEpochIsAboveEveryOneThatALostLedgerMayHaveHad) {
    const std::int64_t now_ms = world.clock.wall_ms();
    const std::uint64_t first = *world.ledger.raise_epoch(now_ms);
    EXPECT_EQ(first, static_cast<std::uint64_t>(now_ms / 1'000) + 1);
    EXPECT_EQ(*world.ledger.raise_epoch(now_ms), first + 1);
    EXPECT_EQ(*world.ledger.raise_epoch(now_ms, first + 40), first + 41) << "as its operator knows";
    EXPECT_EQ(world.ledger.raise_epoch(now_ms, UINT64_MAX).error().code, ErrorCode::overflow);
}

// With a clock that is behind, the time alone would give an epoch that POPs have left.
TEST_F(EpochTest, AnOperatorRaisesItFromAPopAboveTheEpochThatPopsAreIn) {
    const MemoryLedgerStore backup = world.ledger_store;
    const std::int64_t now_ms = world.clock.wall_ms();
    ASSERT_TRUE(
        world.ledger.raise_epoch(now_ms, static_cast<std::uint64_t>(now_ms) / 1'000 + 1'000));
    ASSERT_TRUE(level());
    const std::uint64_t before = pop().core->link().epoch_max();
    spend(1 * unit);
    restore(backup, false);
    EXPECT_NE(command("account.list").find("ledger_outdated"), std::string::npos)
        << "whatever else it did would be lost";
    EXPECT_NE(command("ledger.raise-epoch").find("\"epoch\""), std::string::npos);
    EXPECT_EQ(world.ledger.head()->epoch, before + 1);
    ASSERT_TRUE(level());
    EXPECT_EQ(balance(), 99 * unit);
}

}  // namespace
}  // namespace nodex::replication
