// Ledger: what each verb does to the money, at its edges.
#include "replication/central/ledger.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

using ledger::House;

constexpr std::int64_t after_reclaim_ms =
    (limits::lease_ttl + limits::request_deadline) / millisecond + 10'000;

TEST(Ledger, OneReferenceIsAppliedOnce) {
    LedgerWorld world(0);
    EXPECT_TRUE(world.ledger.top_up(world.account, 5 * unit, "pay-1", start_ms)->applied);
    EXPECT_FALSE(world.ledger.top_up(world.account, 5 * unit, "pay-1", start_ms)->applied);
    EXPECT_EQ(world.ledger.top_up(world.account, 6 * unit, "pay-1", start_ms).error().code,
              ErrorCode::already_exists);
    EXPECT_EQ(world.balance(), 5 * unit);
    EXPECT_EQ(world.house(House::funding), -5 * unit);
    world.check();
}

TEST(Ledger, ATopUpThatWouldOverflowLeavesNothingBehind) {
    LedgerWorld world(0);
    ASSERT_TRUE(world.ledger.top_up(world.account, INT64_MAX, "all", start_ms));
    const MemoryLedgerStore before = world.store;
    EXPECT_EQ(world.ledger.top_up(world.account, 1, "more", start_ms).error().code,
              ErrorCode::overflow);
    EXPECT_TRUE(world.store == before);
    world.check();
}

TEST(Ledger, AnAdjustmentNeverTakesWhatPopsHold) {
    LedgerWorld world(10 * unit);
    EXPECT_EQ(world.lease(world.account_scope(), 4 * unit).granted_total, 4 * unit);
    EXPECT_EQ(world.ledger.adjust(world.account, -6 * unit - 1, "", start_ms).error().code,
              ErrorCode::insufficient_funds);
    EXPECT_TRUE(world.ledger.adjust(world.account, -6 * unit, "", start_ms));
    EXPECT_EQ(world.balance(), 4 * unit);
    world.check();
}

TEST(Ledger, ARepeatedLeaseRequestGrantsNothingNew) {
    LedgerWorld world(10 * unit);
    for (int i = 0; i < 3; ++i)
        EXPECT_EQ(world.lease(world.account_scope(), 4 * unit).granted_total, 4 * unit);
    EXPECT_EQ(world.held(), 4 * unit);
    EXPECT_EQ(world.lease(world.account_scope(), unit).granted_total,
              4 * unit);  // late and smaller
    world.check();
}

TEST(Ledger, AnAskGetsEverythingFreeAndHearsThatItIsAll) {
    LedgerWorld world(10 * unit);
    const LeaseReply::Entry entry = world.lease(world.account_scope(), 15 * unit);
    EXPECT_EQ(entry.granted_total, 10 * unit);
    EXPECT_EQ(entry.state, LeaseState::exhausted);
    EXPECT_EQ(world.held(), 10 * unit);
    world.check();
}

TEST(Ledger, ABackgroundRefillTakesATenthOfWhatIsFree) {
    LedgerWorld world(10 * unit);
    const LeaseReply::Entry entry = world.lease(world.account_scope(), 15 * unit, false);
    EXPECT_EQ(entry.granted_total, unit);
    EXPECT_EQ(entry.state, LeaseState::open);
}

TEST(Ledger, ABlockedAccountGetsNoGrantsButItsLeaseStillSettles) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    ASSERT_TRUE(world.ledger.set_account_state(world.account, AccountState::blocked, start_ms));
    EXPECT_EQ(world.lease(world.account_scope(), 8 * unit).state, LeaseState::blocked);
    EXPECT_EQ(world.lease(world.account_scope(), 8 * unit).granted_total, 4 * unit);
    EXPECT_EQ(world.settle(world.settlement(3 * unit, 2 * unit, 1)).applied, 1u);
    EXPECT_EQ(world.balance(), 8 * unit);
    world.check();
}

TEST(Ledger, ReturnedMoneyIsFreeAgainOnce) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    for (int i = 0; i < 2; ++i) world.lease(world.account_scope(), 4 * unit, true, 1, 3 * unit);
    EXPECT_EQ(world.held(), unit);
    world.lease(world.account_scope(), 4 * unit, true, 1,
                9 * unit);  // more than it has: only what is left
    EXPECT_EQ(world.held(), 0);
    world.check();
}

TEST(Ledger, ASettlementChargesOnceHoweverOftenItIsShipped) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    world.outbox.add(world.settlement(2 * unit, unit, 1));
    for (int i = 0; i < 3; ++i) EXPECT_EQ(world.ship(1, 1).applied, 1u);
    EXPECT_EQ(world.balance(), 9 * unit);
    EXPECT_EQ(world.held(), 3 * unit);
    EXPECT_EQ(world.house(House::revenue), unit);
    world.check();
}

TEST(Ledger, AGapIsAnsweredWithTheMarkAndChangesNothing) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    for (std::uint64_t i = 1; i <= 3; ++i) world.outbox.add(world.settlement(unit, unit, i));
    EXPECT_EQ(world.ship(2, 2).applied, 0u);
    EXPECT_EQ(world.balance(), 10 * unit);
    EXPECT_EQ(world.ship(1, 2).applied, 2u);
    EXPECT_EQ(world.ship(2, 2).applied, 3u);  // overlaps: the known one is skipped
    EXPECT_EQ(world.balance(), 7 * unit);
    world.check();
}

// Sees before each piece of a batch what is committed.
struct BeforePieces {
    static inline LedgerWorld* world = nullptr;
    static inline std::vector<std::uint64_t> marks;
    static bool look() noexcept {
        marks.push_back((*world->ledger.mark(world->pop, world->incarnation))->applied);
        return marks.size() < 3;
    }
    explicit BeforePieces(LedgerWorld& of) {
        world = &of;
        marks.clear();
    }
};

TEST(Ledger, ABatchInPiecesEndsAsAWholeOne) {
    LedgerWorld whole(10 * unit);
    LedgerWorld pieces(10 * unit, {}, PlantedBug::none, {2, BeforePieces::look});
    for (LedgerWorld* world : {&whole, &pieces}) {
        world->lease(world->account_scope(), 6 * unit);
        for (std::uint64_t i = 1; i <= 7; ++i)
            world->outbox.add(world->settlement(unit / 2, unit / 2, i % 4));  // keys used twice
        const BeforePieces looked(pieces);
        EXPECT_EQ(world->ship(1, 7).applied, 7u);
        world->check();
    }
    EXPECT_EQ(BeforePieces::marks, (std::vector<std::uint64_t>{0, 2, 4}));  // the rest is one
    EXPECT_EQ(pieces.store, whole.store);
    // Sent again, it is looked through and changes nothing.
    EXPECT_EQ(pieces.ship(1, 7).applied, 7u);
    EXPECT_EQ(pieces.store, whole.store);
}

TEST(Ledger, ARefusedRecordEndsABatchInPieces) {
    LedgerWorld world(10 * unit, {}, PlantedBug::none, {2, BeforePieces::look});
    world.lease(world.account_scope(), 6 * unit);
    for (std::uint64_t i = 1; i <= 6; ++i) {
        storage::Settlement settlement = world.settlement(unit, unit, i);
        if (i == 4) settlement.account = AccountId{99};
        world.outbox.add(settlement);
    }
    const BeforePieces looked(world);
    const ShipReply reply = world.ship(1, 6);
    EXPECT_EQ(reply.applied, 3u);
    EXPECT_EQ(reply.rejected, 4u);
    EXPECT_EQ(BeforePieces::marks, (std::vector<std::uint64_t>{0, 2}));
    EXPECT_EQ(world.ship(5, 2).applied, 3u);  // a gap
    EXPECT_EQ(world.balance(), 7 * unit);
    world.check();
}

TEST(Ledger, ABatchOfAnotherHistoryIsRefused) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    world.settle(world.settlement(unit, unit, 1));
    Outbox other;
    other.add(world.settlement(unit, unit / 2, 2));
    other.add(world.settlement(unit, unit / 2, 3));
    const ShipReply reply =
        *world.ledger.ship(world.pop, world.incarnation, other.batch(1, 2), start_ms);
    EXPECT_EQ(reply.applied, 1u);
    EXPECT_EQ(reply.rejected, 2u);
    EXPECT_EQ(reply.reason, RejectReason::chain);
    EXPECT_EQ(world.balance(), 9 * unit);
}

TEST(Ledger, ASecondExecutionOfAKeyIsTheHouses) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 8 * unit);
    world.settle(world.settlement(2 * unit, 2 * unit, 1));
    world.settle(world.settlement(2 * unit, unit, 1));
    EXPECT_EQ(world.balance(), 8 * unit);
    EXPECT_EQ(world.house(House::duplicate), -unit);
    EXPECT_EQ(world.held(), 5 * unit);  // the lease paid for both: its money is free again
    world.check();
}

// A stolen POP could have used up the budgets of keys that are not its customer's.
TEST(Ledger, ASettlementUnderTheKeyOfAnotherAccountIsRefused) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 8 * unit);
    const AccountId other =
        world.ledger.create_account("other", *ledger::parse_currency("USD"), world.now_ms)->id;
    KeySettings settings;
    settings.budget = 5 * unit;
    const KeyId key =
        world.ledger.create_key(other, numbered<KeyHash>(78), settings, world.now_ms)->id;
    storage::Settlement forged = world.settlement(unit, unit, 0);
    forged.key = key;
    const ShipReply reply = world.settle(forged);
    EXPECT_EQ(reply.rejected, 1u);
    EXPECT_EQ(reply.reason, RejectReason::malformed);
    EXPECT_EQ((*world.ledger.key(key))->spent, 0);
    EXPECT_EQ(world.balance(), 10 * unit);
    world.check();
}

// A POP's word on what the house lost is bounded by nothing; revenue at the end of its range would
// have stopped every other POP.
TEST(Ledger, ForgedLossesDoNotStopTheOthers) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 8 * unit);
    for (int i = 0; i < 3; ++i) {
        world.settle(world.settlement(INT64_MAX, INT64_MAX, 0, 7));  // of no lease
        storage::Settlement overrun = world.settlement(unit, 0, 0);
        overrun.overrun = INT64_MAX;
        world.settle(overrun);
        world.settle(world.settlement(INT64_MAX, INT64_MAX, 1, 7));  // one of them: twice the key
    }
    const ShipReply reply = world.settle(world.settlement(unit, unit, 0));
    EXPECT_EQ(reply.rejected, 0u);
    EXPECT_EQ(world.balance(), 9 * unit);
    world.check();
}

TEST(Ledger, RequestsWithoutAKeyAreNotEachOthersDuplicates) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 8 * unit);
    world.settle(world.settlement(unit, unit, 0));
    world.settle(world.settlement(unit, unit, 0));
    EXPECT_EQ(world.balance(), 8 * unit);
    EXPECT_EQ(world.house(House::duplicate), 0);
}

TEST(Ledger, NobodyPaysMoreThanWasReserved) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 8 * unit);
    storage::Settlement settlement = world.settlement(2 * unit, 3 * unit, 1);
    settlement.overrun = unit / 2;
    world.settle(settlement);
    EXPECT_EQ(world.balance(), 8 * unit);
    EXPECT_EQ(world.house(House::overrun), -(unit + unit / 2));
    world.check();
}

TEST(Ledger, ARecordThatCannotBeAppliedStopsTheBatchAndKeepsWhatCameBefore) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 8 * unit);
    world.outbox.add(world.settlement(unit, unit, 1));
    storage::Settlement foreign = world.settlement(unit, unit, 2);
    foreign.account = AccountId{99};
    world.outbox.add(foreign);
    world.outbox.add(world.settlement(unit, unit, 3));
    const ShipReply reply = world.ship(1, 3);
    EXPECT_EQ(reply.applied, 1u);
    EXPECT_EQ(reply.rejected, 2u);
    EXPECT_EQ(reply.reason, RejectReason::unknown_account);
    EXPECT_EQ(world.balance(), 9 * unit);
    world.check();
}

// A thief of one POP's credential told what another one ran: for nothing, so that its own record
// was taken for a repetition and never charged, with bodies that nobody would find or delete.
TEST(Ledger, ARequestOfAnotherPopIsNotSettled) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 8 * unit);
    const PopId thief{2};
    const std::uint32_t life =
        world.ledger.register_pop(thief, {numbered<InstallId>(6), 0, 0, {}, {}, 0, 1}, start_ms)
            ->incarnation;
    for (const std::uint64_t key : {0u, 1u}) {
        const storage::Settlement owned = world.settlement(unit, unit, key);
        storage::Settlement forged = owned;
        forged.amount = 0;
        forged.sealed_answer.id = numbered<BodyId>(66);
        forged.sealed_answer.expires_ms = INT64_MAX;
        Outbox outbox;
        outbox.add(forged);
        const auto reply = world.ledger.ship(thief, life, outbox.batch(1, 1), start_ms);
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->rejected, 1u);
        EXPECT_EQ(reply->reason, RejectReason::malformed);
        EXPECT_FALSE(*world.ledger.reference(forged.request_id));
        EXPECT_EQ(world.settle(owned).rejected, 0u);
    }
    EXPECT_EQ(world.balance(), 8 * unit);
    world.check();
}

// A POP serves before it is registered, and after its disk was replaced what it ran under the
// incarnation of before is still its own.
TEST(Ledger, ARequestOfAnotherIncarnationOfItsPopIsSettled) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 8 * unit);
    for (const unsigned incarnation : {0u, 200u}) {
        storage::Settlement owned = world.settlement(unit, unit, 0);
        owned.request_id.octets[5] = static_cast<std::uint8_t>(incarnation);
        EXPECT_EQ(world.settle(owned).rejected, 0u);
    }
    EXPECT_EQ(world.balance(), 8 * unit);
}

TEST(Ledger, AHouseAccountCannotBeChargedOrLeased) {
    LedgerWorld world(10 * unit);
    storage::Settlement forged = world.settlement(unit, unit, 1);
    forged.account = ledger::house_account(House::revenue, *ledger::parse_currency("USD"));
    EXPECT_EQ(world.settle(forged).rejected, 1u);
    const LeaseRequest request{
        0, true, {{{LeaseKey::Kind::account, raw(forged.account)}, 1, unit, 0, 0, 0}}};
    EXPECT_TRUE(
        world.ledger.lease(world.pop, world.incarnation, request, start_ms)->entries.empty());
}

TEST(Ledger, AnExpiredLeaseIsReclaimedOnlyAfterTheLongestRequest) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    world.now_ms += limits::lease_ttl / millisecond + 10'000;
    EXPECT_EQ(*world.ledger.reclaim(world.now_ms, 10), 0u);
    EXPECT_EQ(world.held(), 4 * unit);
    world.now_ms = start_ms + after_reclaim_ms;
    EXPECT_EQ(*world.ledger.reclaim(world.now_ms, 10), 1u);
    EXPECT_EQ(world.held(), 0);
    world.check();
    EXPECT_EQ(world.lease(world.account_scope(), 4 * unit).generation, 2u);
    EXPECT_EQ(world.held(), 0);  // totals of the old generation ask for nothing in the new one
    EXPECT_EQ(world.lease(world.account_scope(), 4 * unit, true, 2).granted_total, 4 * unit);
}

TEST(Ledger, ALeaseLastsAsLongAsTheCentreIsToldTo) {
    LedgerWorld world(10 * unit);
    Ledger brief(world.store, PlantedBug::none, 60 * second);
    const auto reply =
        brief.lease(world.pop, world.incarnation,
                    {0, true, {{world.account_scope(), 1, 4 * unit, 0, 0, 0}}}, world.now_ms);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->entries.at(0).ttl_ms, 60'000u);
    // Another process, with another term, closes it when its own is over.
    world.now_ms += (60 * second + limits::request_deadline) / millisecond + 10'000;
    EXPECT_EQ(*world.ledger.reclaim(world.now_ms, 10), 1u);
}

TEST(Ledger, ALateSettlementTakesWhatIsFreeAndTheHouseTheRest) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    world.now_ms += after_reclaim_ms;
    ASSERT_EQ(*world.ledger.reclaim(world.now_ms, 10), 1u);
    ASSERT_TRUE(world.ledger.adjust(world.account, -9 * unit, "", world.now_ms));
    world.settle(world.settlement(3 * unit, 3 * unit, 1));
    EXPECT_EQ(world.balance(), 0);
    EXPECT_EQ(world.house(House::late_loss), -2 * unit);
    ASSERT_TRUE(world.ledger.top_up(world.account, 10 * unit, "more", world.now_ms));
    world.settle(
        world.settlement(3 * unit, 3 * unit, 2));  // one unit of what was reclaimed is left
    EXPECT_EQ(world.balance(), 9 * unit);
    EXPECT_EQ(world.house(House::late_loss), -4 * unit);
    world.check();
}

TEST(Ledger, AKeysBudgetBoundsItsLeaseAndItsSpending) {
    LedgerWorld world(10 * unit, 3 * unit);
    world.lease(world.account_scope(), 10 * unit);
    EXPECT_EQ(world.lease(world.key_scope(), 5 * unit).granted_total, 3 * unit);
    world.settle(world.settlement(2 * unit, 2 * unit, 1, 1, 1));
    EXPECT_EQ((*world.ledger.key(world.key))->budget_spent, 2 * unit);
    KeySettings lower;
    lower.budget = 3 * unit - 1;
    EXPECT_EQ(world.ledger.update_key(world.key, lower, start_ms).error().code,
              ErrorCode::insufficient_funds);
    world.check();
}

TEST(Ledger, ADailyBudgetStartsAnewEachDay) {
    LedgerWorld world(100 * unit);
    KeySettings daily;
    daily.budget = 3 * unit;
    daily.period = ledger::BudgetPeriod::day;
    ASSERT_TRUE(world.ledger.update_key(world.key, daily, start_ms));
    world.lease(world.account_scope(), 50 * unit);
    EXPECT_EQ(world.lease(world.key_scope(), 9 * unit).granted_total, 3 * unit);
    world.settle(world.settlement(3 * unit, 3 * unit, 1, 1, 1));
    EXPECT_EQ(world.lease(world.key_scope(), 9 * unit).granted_total, 3 * unit);
    world.now_ms += 86'400'000;
    EXPECT_EQ(world.lease(world.key_scope(), 9 * unit).granted_total, 6 * unit);
    world.check();
}

TEST(Ledger, ARevokedKeyStaysRevokedAndGetsNoGrants) {
    LedgerWorld world(10 * unit, 3 * unit);
    ASSERT_TRUE(world.ledger.set_key_state(world.key, KeyState::revoked, start_ms));
    EXPECT_EQ(world.ledger.set_key_state(world.key, KeyState::active, start_ms).error().code,
              ErrorCode::forbidden);
    EXPECT_EQ(world.lease(world.key_scope(), unit).state, LeaseState::blocked);
}

TEST(Ledger, ADiskThatWentBackwardsMustReinstall) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    world.settle(world.settlement(unit, unit, 1));
    const ChainHash chain = world.outbox.chains[1];
    const InstallId install = numbered<InstallId>(5);
    const auto verdict = [&](const RegisterRequest& request) {
        return world.ledger.register_pop(world.pop, request, start_ms)->verdict;
    };
    EXPECT_EQ(verdict({install, 1, 1, chain, chain, 0}), RegisterVerdict::accepted);
    EXPECT_EQ(verdict({install, 0, 0, {}, {}, 0, 1}),
              RegisterVerdict::must_reinstall);  // rolled back
    EXPECT_EQ(verdict({install, 0, 1, {}, {}, 0}),
              RegisterVerdict::must_reinstall);  // another record 1
    EXPECT_EQ(verdict({install, 2, 2, chain, chain, 0}),
              RegisterVerdict::must_reinstall);  // the ledger is behind
}

TEST(Ledger, ADiskThatWasReplacedAndIsPutBackMustReinstall) {
    LedgerWorld world(unit);
    const RegisterRequest first{numbered<InstallId>(5), 0, 0, {}, {}, 0, 1};
    const RegisterRequest second{numbered<InstallId>(6), 0, 0, {}, {}, 0, 1};
    EXPECT_EQ(world.ledger.register_pop(world.pop, second, start_ms)->incarnation, 2u);
    ASSERT_TRUE(world.ledger.lease(world.pop, 2, {}, start_ms));
    EXPECT_EQ(world.ledger.register_pop(world.pop, first, start_ms)->verdict,
              RegisterVerdict::must_reinstall);
    EXPECT_EQ(world.ledger.register_pop(world.pop, second, start_ms)->verdict,
              RegisterVerdict::accepted);
}

TEST(Ledger, ALateRegistrationOfALostDiskDoesNotReplaceTheOneInPlace) {
    LedgerWorld world(unit);
    const RegisterRequest in_place{numbered<InstallId>(5), 0, 0, {}, {}, 0, 1};
    const RegisterRequest lost{numbered<InstallId>(6), 0, 0, {}, {}, 0, 1};
    EXPECT_EQ(world.ledger.register_pop(world.pop, lost, start_ms)->incarnation, 2u);
    EXPECT_TRUE(world.ledger.lease(world.pop, 1, {}, start_ms)) << "it speaks on";
    EXPECT_EQ(world.ledger.register_pop(world.pop, in_place, start_ms)->verdict,
              RegisterVerdict::accepted);
    // The next disk has a number of its own, and follows with its first word.
    const RegisterRequest next{numbered<InstallId>(7), 0, 0, {}, {}, 0, 1};
    EXPECT_EQ(world.ledger.register_pop(world.pop, next, start_ms)->incarnation, 3u);
    EXPECT_TRUE(world.ledger.lease(world.pop, 1, {}, start_ms));
    EXPECT_TRUE(world.ledger.lease(world.pop, 3, {}, start_ms));
    for (const std::uint32_t before : {1u, 2u})
        EXPECT_EQ(world.ledger.lease(world.pop, before, {}, start_ms).error().code,
                  ErrorCode::stale);
}

TEST(Ledger, ARepeatedRegistrationMakesNoSecondIncarnation) {
    LedgerWorld world(unit);
    EXPECT_EQ(world.ledger
                  .register_pop(world.pop, {numbered<InstallId>(5), 0, 0, {}, {}, 0, 1}, start_ms)
                  ->incarnation,
              1u);
    EXPECT_EQ(world.ledger
                  .register_pop(world.pop, {numbered<InstallId>(6), 0, 0, {}, {}, 0, 1}, start_ms)
                  ->incarnation,
              2u);
    EXPECT_TRUE(world.ledger.lease(world.pop, 2, {}, start_ms));
    EXPECT_EQ(world.ledger.lease(world.pop, 1, {}, start_ms).error().code, ErrorCode::stale);
}

TEST(Ledger, ThePriceListOfAVersionNeverChanges) {
    LedgerWorld world(unit);
    ModelEntry model;
    model.id = "gpt-5.4";
    model.prices[0] = 5;
    EXPECT_EQ(world.ledger.set_model(model, start_ms)->entry.price_version, 1u);
    EXPECT_EQ(world.ledger.set_model(model, start_ms)->entry.price_version, 1u);
    model.prices[0] = 6;
    EXPECT_EQ(world.ledger.set_model(model, start_ms)->entry.price_version, 2u);
    EXPECT_EQ((*world.ledger.price_list(1))->prices[0], 5);
    EXPECT_EQ((*world.ledger.price_list(2))->prices[0], 6);
    EXPECT_EQ(world.ledger.models()->size(), 1u);
}

TEST(Ledger, TheFeedHasEachChangedObjectOnceAtItsNewestState) {
    LedgerWorld world(unit);
    const std::uint64_t before = world.ledger.head()->feed_version;
    for (int i = 0; i < 3; ++i)
        ASSERT_TRUE(world.ledger.set_key_state(world.key, KeyState::suspended, start_ms));
    const FeedReply changes = *world.ledger.feed(before);
    EXPECT_EQ(changes.records.size(), 1u);
    EXPECT_EQ(changes.to, before + 3);
    EXPECT_EQ(world.ledger.feed(0)->records.size(), 2u);
    EXPECT_TRUE(world.ledger.feed(changes.to)->records.empty());
}

TEST(Ledger, UsagePagesFollowEachOtherNewestFirstWithoutGaps) {
    LedgerWorld world(100 * unit);
    world.lease(world.account_scope(), 100 * unit);
    for (std::uint64_t i = 1; i <= 7; ++i) {
        world.now_ms += i % 2 == 0 ? 0 : 1'000;  // some in the same millisecond
        storage::Settlement settlement = world.settlement(unit, unit, i);
        settlement.model = static_cast<std::uint32_t>(i % 2);
        world.settle(settlement);
    }
    UsageFilter filter;
    filter.account = world.account;
    filter.rows_max = 3;
    std::vector<std::uint64_t> seen;
    for (;;) {
        const Result<UsagePage> page = world.ledger.usage(filter);
        ASSERT_TRUE(page);
        for (const ledger::Row& row : page->rows) seen.push_back(row.index);
        if (!page->more) break;
        filter.cursor = page->cursor;
    }
    EXPECT_EQ(seen, (std::vector<std::uint64_t>{8, 7, 6, 5, 4, 3, 2}));
    filter.cursor.clear();
    filter.rows_max = 100;
    filter.model = 1;
    EXPECT_EQ(world.ledger.usage(filter)->rows.size(), 4u);
    filter.model.reset();
    filter.from_ms = start_ms + 2'000;
    filter.to_ms = start_ms + 3'000;
    EXPECT_EQ(world.ledger.usage(filter)->rows.size(), 2u);
    filter.cursor = "not hex";
    EXPECT_EQ(world.ledger.usage(filter).error().code, ErrorCode::malformed);
}

TEST(Ledger, VerifyNoticesAnAlteredRowAndAnAlteredBalance) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    world.settle(world.settlement(unit, unit, 1));
    ASSERT_TRUE(world.ledger.verify()->sound());
    const MemoryLedgerStore good = world.store;
    ledger::Row row;
    ASSERT_TRUE(ledger::decode(**world.store.get(LedgerTable::row, ledger::row_key(2)), row));
    row.status = 1;
    ASSERT_TRUE(world.store.commit({{LedgerTable::row, ledger::row_key(2), ledger::encode(row)}}));
    EXPECT_FALSE(world.ledger.verify()->chain_matches);
    world.store = good;
    ledger::Account account = **world.ledger.account(world.account);
    account.posted += 1;
    ASSERT_TRUE(world.store.commit(
        {{LedgerTable::account, ledger::account_key(account.id), ledger::encode(account)}}));
    EXPECT_EQ(world.ledger.verify()->differences, 1u);
    EXPECT_FALSE(world.ledger.verify()->sums_to_zero);
}

TEST(Ledger, AFailedCommitIsNotAnsweredAsDone) {
    LedgerWorld world(10 * unit);
    world.lease(world.account_scope(), 4 * unit);
    world.outbox.add(world.settlement(unit, unit, 1));
    world.store.fail_next_commit();
    EXPECT_EQ(world.ledger.ship(world.pop, world.incarnation, world.outbox.batch(1, 1), start_ms)
                  .error()
                  .code,
              ErrorCode::storage_failed);
    EXPECT_EQ(world.balance(), 10 * unit);
}

}  // namespace
}  // namespace nodex::replication
