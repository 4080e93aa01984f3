// Ledger: the uses of an idempotency key. Every use is charged once, whoever ran it, however late
// it is told, and whatever the clocks of POPs say.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

using ledger::House;

constexpr std::int64_t minute_ms = 60'000;
constexpr std::int64_t day_ms = 86'400'000;  // how long answers are kept here
constexpr std::int64_t lateness_ms = limits::message_lateness_max / millisecond;
constexpr std::uint64_t key_number = 9;

// A POP's outbox, and what it says of its clock.
struct Sender {
    PopId pop{};
    std::uint32_t incarnation = 0;
    Outbox outbox;
    std::int64_t clock_set_by_ms = 0;
    std::uint64_t steady_from = 1;
    bool tells_times = true;
};

// Two POPs; every execution takes a second and costs a unit.
struct UsesWorld : LedgerWorld {
    Sender one, two;
    std::uint64_t number = 0;  // of the newest message about claims

    UsesWorld() : LedgerWorld(100 * unit) {
        one.pop = pop;
        one.incarnation = incarnation;
        two.pop = PopId{2};
        const RegisterRequest request{numbered<InstallId>(6), 0, 0, {}, {}, 0, 1};
        two.incarnation = ledger.register_pop(two.pop, request, now_ms)->incarnation;
        for (const Sender* each : {&one, &two})
            NX_ASSERT(ledger
                          .lease(each->pop, each->incarnation,
                                 {0, true, {{account_scope(), 1, 40 * unit, 0, 0, 0}}}, now_ms)
                          .has_value());
    }
    // Has just ended, by the sender's clock.
    storage::Settlement run(const Sender& by) {
        storage::Settlement done = settlement(unit, unit, key_number);
        done.request_id = request_of(by.pop, next_request);
        done.settled_ms = now_ms + by.clock_set_by_ms;
        done.created_ms = done.settled_ms - 1'000;
        done.sealed_answer.id = numbered<BodyId>(next_request);
        done.sealed_answer.expires_ms = done.settled_ms + day_ms;
        return done;
    }
    void write(Sender& by, const storage::Settlement& done) { by.outbox.add(done); }
    void ship(Sender& by) {
        ShipRequest request = by.outbox.batch(1, by.outbox.records.size());
        if (by.tells_times) {
            request.sent_ms = now_ms + by.clock_set_by_ms;
            request.steady_from = by.steady_from;
        }
        const Result<ShipReply> reply = ledger.ship(by.pop, by.incarnation, request, now_ms);
        ASSERT_TRUE(reply);
        ASSERT_EQ(reply->applied, by.outbox.records.size());
    }
    void run_and_ship(Sender& by) {
        write(by, run(by));
        ship(by);
    }
    ClaimResult acquire(const Sender& by, const RequestId& request) {
        const ClaimRequest::Entry entry{
            ClaimOp::acquire,         account, numbered<IdempotencyId>(key_number),
            numbered<Fingerprint>(1), request, 0};
        const Result<ClaimReply> reply =
            ledger.claim(by.pop, by.incarnation,
                         {++number, static_cast<std::uint32_t>(day_ms), {entry}}, now_ms);
        NX_ASSERT(reply.has_value());
        return reply->entries[0].result;
    }
    // Charges so far, and executions that the house paid for.
    void expect(unsigned charges, unsigned duplicates) {
        EXPECT_EQ(balance(), 100 * unit - charges * unit);
        EXPECT_EQ(house(House::duplicate), -static_cast<Nano>(duplicates) * unit);
        check();
    }
};

// Charges are kept for good and told duplicates by their key alone: a customer who used one key
// every day paid for the first day only.
TEST(LedgerUses, AKeyThatIsUsedEveryDayIsChargedEveryDay) {
    for (const bool tells_times : {true, false}) {
        UsesWorld world;
        world.one.tells_times = tells_times;  // one that does not must ask for its keys
        for (unsigned day = 1; day <= 3; ++day) {
            const storage::Settlement done = world.run(world.one);
            if (!tells_times) {
                ASSERT_EQ(world.acquire(world.one, done.request_id), ClaimResult::granted);
            }
            world.write(world.one, done);
            world.ship(world.one);
            world.expect(day, 0);
            world.now_ms += day_ms + 2'000;
        }
    }
}

TEST(LedgerUses, AUseIsOverWithItsAnswersTimeAndNotBefore) {
    for (const std::int64_t early_ms : {0, 1}) {
        UsesWorld world;
        world.run_and_ship(world.one);
        world.now_ms += day_ms;
        storage::Settlement next = world.run(world.two);
        next.created_ms = world.now_ms - early_ms;
        world.write(world.two, next);
        world.ship(world.two);
        world.expect(early_ms == 0 ? 2 : 1, early_ms == 0 ? 0 : 1);
    }
}

TEST(LedgerUses, TwoPopsThatRanOneUseAreChargedOnceHoweverLateTheSecondIsTold) {
    for (const int days_late : {0, 1, 2, 30}) {
        UsesWorld world;
        world.write(world.two, world.run(world.two));
        world.run_and_ship(world.one);
        world.now_ms += days_late * day_ms + day_ms / 2;
        world.ship(world.two);
        world.expect(1, 1);
    }
}

TEST(LedgerUses, AnExecutionBesideTheGrantedOneIsTheHousesInEveryUse) {
    UsesWorld world;
    world.run_and_ship(world.one);
    world.now_ms += 2 * day_ms;
    const storage::Settlement granted = world.run(world.one);
    ASSERT_EQ(world.acquire(world.one, granted.request_id), ClaimResult::granted);
    world.two.tells_times = false;
    world.run_and_ship(world.two);  // went on without a word: nobody can tell when
    world.expect(1, 1);
    world.one.tells_times = false;
    world.write(world.one, granted);
    world.ship(world.one);
    world.expect(2, 1);
    world.run_and_ship(world.two);
    world.expect(2, 2);
}

// The POP had another owner's key when it was told of, and its own is the older use's.
TEST(LedgerUses, AGrantOfTheUseBeforeIsNoneOfTheNext) {
    UsesWorld world;
    const storage::Settlement granted = world.run(world.one);
    ASSERT_EQ(world.acquire(world.one, granted.request_id), ClaimResult::granted);
    world.run_and_ship(world.two);  // was first: the claim is done
    world.now_ms += 2 * day_ms;
    world.one.tells_times = false;
    world.write(world.one, granted);
    world.ship(world.one);
    world.expect(1, 1);
}

TEST(LedgerUses, AClockThatIsSetForwardMakesNoNewUse) {
    UsesWorld world;
    world.one.clock_set_by_ms = 10 * day_ms;
    world.run_and_ship(world.one);
    world.now_ms += 10 * minute_ms;
    world.one.clock_set_by_ms = 20 * day_ms;  // its journal takes the key for free
    world.run_and_ship(world.one);
    world.expect(1, 1);
    world.two.clock_set_by_ms = 30 * day_ms;
    world.run_and_ship(world.two);
    world.expect(1, 2);
}

TEST(LedgerUses, ARecordWhoseClockWasSetTellsNothing) {
    UsesWorld world;
    world.write(world.two, world.run(world.two));
    world.run_and_ship(world.one);
    world.now_ms += 3 * day_ms;
    world.two.clock_set_by_ms = -3 * day_ms;  // and so it seems to have begun just now
    world.two.steady_from = 2;
    world.ship(world.two);
    world.expect(1, 1);
    storage::Settlement ahead = world.run(world.two);  // seems to begin after it was sent
    ahead.created_ms += 10'000;
    ahead.settled_ms += 10'000;
    world.write(world.two, ahead);
    world.ship(world.two);
    world.expect(1, 2);
}

TEST(LedgerUses, APopThatLiesChargesAKeyOnceAnHourAtMost) {
    UsesWorld world;
    for (int i = 0; i < 6 * 5; ++i) {
        storage::Settlement lie = world.run(world.two);
        lie.created_ms = lie.settled_ms;
        lie.sealed_answer.expires_ms = lie.settled_ms - day_ms;
        world.acquire(world.two, lie.request_id);
        world.write(world.two, lie);
        world.ship(world.two);
        world.now_ms += 10 * minute_ms;
    }
    world.expect(5, 25);
}

TEST(LedgerUses, WhatAPausedCentreFindsWaitingIsAsOldAsThePause) {
    UsesWorld world;
    const storage::Settlement asked = world.run(world.two);
    world.run_and_ship(world.one);
    const std::int64_t paused_ms = world.now_ms;
    world.now_ms += 2 * day_ms;
    world.ledger.was_away(paused_ms, world.now_ms);
    // All of it was sent two days ago.
    EXPECT_EQ(world.acquire(world.two, asked.request_id), ClaimResult::done);
    world.write(world.two, asked);
    ShipRequest request = world.two.outbox.batch(1, 1);
    request.sent_ms = paused_ms;
    request.steady_from = 1;
    ASSERT_TRUE(world.ledger.ship(world.two.pop, world.two.incarnation, request, world.now_ms));
    world.expect(1, 1);
    world.now_ms += lateness_ms;  // what comes now was sent after it
    world.run_and_ship(world.one);
    world.expect(2, 1);
}

TEST(LedgerUses, ARepeatedExecutionOfAUseBeforeIsBookedNowhere) {
    UsesWorld world;
    const storage::Settlement first = world.run(world.one);
    world.write(world.one, first);
    world.ship(world.one);
    world.now_ms += 2 * day_ms;
    world.run_and_ship(world.one);
    world.write(world.one, first);  // of a disk that was put back
    world.ship(world.one);
    world.expect(2, 0);
}

TEST(LedgerUses, AUseThatIsToldAfterTheNextOneIsTheHouses) {
    UsesWorld world;
    world.run_and_ship(world.one);
    world.now_ms += 2 * day_ms;
    world.write(world.two, world.run(world.two));  // and its POP is cut off
    world.now_ms += 2 * day_ms;
    world.run_and_ship(world.one);
    world.ship(world.two);
    world.expect(2, 1);
}

TEST(LedgerUses, ALateRecordsAnswerIsKeptFromItsEnd) {
    UsesWorld world;
    world.write(world.one, world.run(world.one));
    world.now_ms += day_ms / 2;
    world.ship(world.one);
    world.now_ms += day_ms / 2 + 3 * minute_ms;
    world.run_and_ship(world.one);
    world.expect(2, 0);
}

// The POP ships again what the ledger lost; meanwhile the same use ran at another one.
TEST(LedgerUses, ARestoredLedgerChargesTheUseThatItLostOnce) {
    UsesWorld world;
    world.run_and_ship(world.one);
    world.now_ms += 2 * day_ms;
    const MemoryLedgerStore backup = world.store;
    world.run_and_ship(world.one);
    world.expect(2, 0);
    world.store = backup;
    ASSERT_TRUE(world.ledger.raise_epoch(world.now_ms));
    world.expect(1, 0);
    world.now_ms += minute_ms;
    world.run_and_ship(world.two);
    world.expect(2, 0);
    world.ship(world.one);
    world.expect(2, 1);
}

// A record of before version 2 does not tell how long its answer is kept.
TEST(LedgerUses, AnAnswerOfUnknownTimeIsKeptAsLongAsAny) {
    UsesWorld world;
    storage::Settlement first = world.run(world.one);
    first.sealed_answer.expires_ms = 0;
    world.write(world.one, first);
    world.ship(world.one);
    world.now_ms += limits::idempotency_ttl_max / millisecond;
    world.run_and_ship(world.two);
    world.expect(1, 1);
    world.now_ms += 2'000;
    world.run_and_ship(world.two);
    world.expect(2, 1);
}

}  // namespace
}  // namespace nodex::replication
