// Ledger: who may run an idempotency key, at every edge of a claim's life.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

constexpr std::uint32_t ttl_ms = 86'400'000;
constexpr std::int64_t silence_ms =
    (limits::pop_silence_max + limits::pop_contact_interval) / millisecond;

// The world's POP is the first; another one beside it.
struct ClaimWorld : LedgerWorld {
    PopId other{2};
    std::uint32_t other_incarnation = 0;
    std::uint64_t number = 0;  // of the newest message

    ClaimWorld() : LedgerWorld(10 * unit) { other_incarnation = register_other(6); }
    std::uint32_t register_other(std::uint64_t install) {
        const RegisterRequest request{numbered<InstallId>(install), 0, 0, {}, {}, 0, 1};
        const std::uint32_t given = ledger.register_pop(other, request, now_ms)->incarnation;
        NX_ASSERT(ledger.lease(other, given, {}, now_ms).has_value());  // its first word
        return given;
    }
    [[nodiscard]] ClaimRequest::Entry entry(ClaimOp op, std::uint64_t request,
                                            std::uint16_t expect_attempt = 0) const {
        return {op,
                account,
                numbered<IdempotencyId>(9),
                numbered<Fingerprint>(1),
                request_of(pop, request),
                expect_attempt};
    }
    ClaimReply::Entry ask(PopId from, const ClaimRequest::Entry& asked) {
        const std::uint32_t life = from == pop ? incarnation : other_incarnation;
        const Result<ClaimReply> reply =
            ledger.claim(from, life, {++number, ttl_ms, {asked}}, now_ms);
        EXPECT_TRUE(reply);
        EXPECT_EQ(reply->entries.size(), 1u);
        return reply->entries.at(0);
    }
    ClaimReply::Entry ask(PopId from, ClaimOp op, std::uint64_t request,
                          std::uint16_t expect_attempt = 0) {
        ClaimRequest::Entry asked = entry(op, request, expect_attempt);
        // Released is what the first POP holds, whoever says so.
        if (op != ClaimOp::release) asked.request = request_of(from, request);
        return ask(from, asked);
    }
    void hear_of(PopId from) {
        const std::uint32_t life = from == pop ? incarnation : other_incarnation;
        EXPECT_TRUE(ledger.lease(from, life, {0, false, {}}, now_ms));
    }
};

TEST(LedgerClaims, AFreeKeyIsGrantedOnceAndTheNextPopHearsWhoHoldsIt) {
    ClaimWorld world;
    EXPECT_EQ(world.ask(world.pop, ClaimOp::acquire, 1).result, ClaimResult::granted);
    world.now_ms += 250;
    const ClaimReply::Entry held = world.ask(world.other, ClaimOp::acquire, 2);
    EXPECT_EQ(held.result, ClaimResult::held);
    EXPECT_EQ(held.owner, world.pop);
    EXPECT_EQ(held.incarnation, world.incarnation);
    EXPECT_EQ(held.request, request_of(world.pop, 1));
    EXPECT_EQ(held.attempt, 1);
    EXPECT_EQ(held.age_ms, 250u);
    EXPECT_FALSE(held.owner_dead);
}

TEST(LedgerClaims, ARepeatedAcquireIsGrantedAgainAndChangesNothing) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    const MemoryLedgerStore before = world.store;
    EXPECT_EQ(world.ask(world.pop, ClaimOp::acquire, 1).result, ClaimResult::granted);
    EXPECT_TRUE(world.store == before);
}

TEST(LedgerClaims, TheOwningPopGoesOnWithANewRequestAndEvenAnotherBody) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    ClaimRequest::Entry next = world.entry(ClaimOp::acquire, 2);
    next.fingerprint = numbered<Fingerprint>(2);
    const ClaimReply::Entry granted = world.ask(world.pop, next);
    EXPECT_EQ(granted.result, ClaimResult::granted);
    EXPECT_EQ(granted.attempt, 2);
    EXPECT_EQ(world.ask(world.other, ClaimOp::acquire, 3).result, ClaimResult::mismatch);
}

TEST(LedgerClaims, AnotherBodyUnderTheKeyIsAMismatch) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    for (const ClaimOp op : {ClaimOp::acquire, ClaimOp::takeover, ClaimOp::query}) {
        ClaimRequest::Entry asked = world.entry(op, 2, 1);
        asked.request = request_of(world.other, 2);
        asked.fingerprint = numbered<Fingerprint>(2);
        EXPECT_EQ(world.ask(world.other, asked).result, ClaimResult::mismatch);
    }
}

TEST(LedgerClaims, OnlyTheOwningRequestReleases) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    EXPECT_EQ(world.ask(world.other, ClaimOp::release, 1).result, ClaimResult::refused);
    EXPECT_EQ(world.ask(world.pop, ClaimOp::release, 2).result, ClaimResult::refused);
    EXPECT_EQ(world.ask(world.pop, ClaimOp::release, 1).result, ClaimResult::free);
    EXPECT_EQ(world.ask(world.pop, ClaimOp::release, 1).result, ClaimResult::free);  // told again
    EXPECT_EQ(world.ask(world.other, ClaimOp::query, 2).result, ClaimResult::free);
    const ClaimReply::Entry granted = world.ask(world.other, ClaimOp::acquire, 2);
    EXPECT_EQ(granted.result, ClaimResult::granted);
    EXPECT_EQ(granted.attempt, 1);
}

TEST(LedgerClaims, ALateReleaseDoesNotTakeTheKeyFromItsNextOwner) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    world.ask(world.pop, ClaimOp::release, 1);
    world.ask(world.other, ClaimOp::acquire, 2);
    EXPECT_EQ(world.ask(world.pop, ClaimOp::release, 1).result, ClaimResult::refused);
    EXPECT_EQ(world.ask(world.pop, ClaimOp::acquire, 3).result, ClaimResult::held);
}

// Two late copies of an ended request could free the key of the one that ran after it.
TEST(LedgerClaims, LateCopiesOfAnEndedRequestDoNotTouchTheOneThatFollowed) {
    ClaimWorld world;
    const std::uint64_t first = world.number + 1;
    world.ask(world.pop, ClaimOp::acquire, 1);
    world.ask(world.pop, ClaimOp::release, 1);
    world.ask(world.pop, ClaimOp::acquire, 2);
    for (const ClaimOp op : {ClaimOp::acquire, ClaimOp::release})
        ASSERT_TRUE(world.ledger.claim(world.pop, world.incarnation,
                                       {first, ttl_ms, {world.entry(op, 1)}}, world.now_ms));
    const ClaimReply::Entry held = world.ask(world.other, ClaimOp::acquire, 3);
    EXPECT_EQ(held.result, ClaimResult::held);
    EXPECT_EQ(held.request, request_of(world.pop, 2));
}

TEST(LedgerClaims, ALivingOwnerIsNotTakenOver) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    world.now_ms += silence_ms - 1;
    const ClaimReply::Entry held = world.ask(world.other, ClaimOp::takeover, 2, 1);
    EXPECT_EQ(held.result, ClaimResult::held);
    EXPECT_FALSE(held.owner_dead);
}

TEST(LedgerClaims, ASilentOwnerIsTakenOverOnceByTheExpectedAttempt) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    world.now_ms += silence_ms;
    EXPECT_TRUE(world.ask(world.other, ClaimOp::acquire, 2).owner_dead);
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 7).result, ClaimResult::held);
    const ClaimReply::Entry granted = world.ask(world.other, ClaimOp::takeover, 2, 1);
    EXPECT_EQ(granted.result, ClaimResult::granted);
    EXPECT_EQ(granted.attempt, 2);
    // The one that was thought dead comes back: it hears that the key is another's now.
    const ClaimReply::Entry late = world.ask(world.pop, ClaimOp::acquire, 1);
    EXPECT_EQ(late.result, ClaimResult::held);
    EXPECT_EQ(late.owner, world.other);
}

TEST(LedgerClaims, AHeartbeatKeepsAnOwnerAlive) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    for (int i = 0; i < 10; ++i) {
        world.now_ms += silence_ms / 2;
        world.hear_of(world.pop);
    }
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 1).result, ClaimResult::held);
}

// The backup's word on who spoke when is as old as the backup.
TEST(LedgerClaims, NobodyIsDeadBeforeAWholeSilenceAfterARestore) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    world.now_ms += 100 * silence_ms;
    ASSERT_TRUE(world.ledger.raise_epoch(world.now_ms));
    world.now_ms += silence_ms - 1;
    EXPECT_FALSE(world.ask(world.other, ClaimOp::acquire, 2).owner_dead);
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 1).result, ClaimResult::held);
    world.now_ms += 1;
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 1).result, ClaimResult::granted);
}

TEST(LedgerClaims, NobodyIsDeadBeforeAWholeSilenceThatWasListenedTo) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    world.now_ms += 100 * silence_ms;
    world.ledger.listens_from(world.now_ms);  // the process started, or woke, just now
    world.now_ms += silence_ms - 1;
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 1).result, ClaimResult::held);
    world.now_ms += 1;
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 1).result, ClaimResult::granted);
}

TEST(LedgerClaims, AContactFromBeforeTheClockWasSetBackIsReplacedAndKeepsNobodyAlive) {
    ClaimWorld world;
    world.ask(world.pop, ClaimOp::acquire, 1);
    world.now_ms -= 3'600'000;
    world.hear_of(world.pop);
    world.now_ms += silence_ms - 1;
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 1).result, ClaimResult::held);
    world.now_ms += 1;
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 1).result, ClaimResult::granted);
    world.now_ms -= 3'600'000;  // it says nothing any more
    EXPECT_EQ(world.ask(world.pop, ClaimOp::takeover, 3, 2).result, ClaimResult::granted);
}

TEST(LedgerClaims, AnOwnerWithANewDiskIsDeadAtOnce) {
    ClaimWorld world;
    world.ask(world.other, ClaimOp::acquire, 1);
    EXPECT_EQ(world.ask(world.pop, ClaimOp::takeover, 2, 1).result, ClaimResult::held);
    world.other_incarnation = world.register_other(60);
    EXPECT_EQ(world.ask(world.pop, ClaimOp::takeover, 2, 1).result, ClaimResult::granted);
}

TEST(LedgerClaims, ASettlementMakesTheClaimDoneAndTellsTheAnswer) {
    ClaimWorld world;
    world.lease(world.account_scope(), 4 * unit);
    storage::Settlement settlement = world.settlement(2 * unit, unit, 9);
    settlement.answer = numbered<BodyId>(50);
    settlement.status = 200;
    ClaimRequest::Entry acquire = world.entry(ClaimOp::acquire, 0);
    acquire.request = settlement.request_id;
    world.ask(world.pop, acquire);
    world.settle(settlement);
    const ClaimReply::Entry done = world.ask(world.other, ClaimOp::acquire, 2);
    EXPECT_EQ(done.result, ClaimResult::done);
    EXPECT_EQ(done.owner, world.pop);
    EXPECT_EQ(done.request, settlement.request_id);
    EXPECT_EQ(done.answer, numbered<BodyId>(50));
    EXPECT_EQ(done.charged, unit);
    world.now_ms += silence_ms;  // a dead owner's answer is not taken over: it was charged
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 2, 1).result, ClaimResult::done);
    EXPECT_EQ(world.ask(world.pop, acquire).result, ClaimResult::done);
    world.check();
}

TEST(LedgerClaims, TheFirstSettlementEndsTheClaimWhoeverHeldIt) {
    ClaimWorld world;
    world.lease(world.account_scope(), 4 * unit);
    world.ask(world.other, ClaimOp::acquire, 500);
    const storage::Settlement settlement = world.settlement(2 * unit, unit, 9);
    world.settle(settlement);  // ran without the centre's word
    const ClaimReply::Entry done = world.ask(world.other, ClaimOp::acquire, 500);
    EXPECT_EQ(done.result, ClaimResult::done);
    EXPECT_EQ(done.owner, world.pop);
    EXPECT_EQ(done.request, settlement.request_id);
}

TEST(LedgerClaims, AnExecutionThatNeverClaimedIsFoundByItsCharge) {
    ClaimWorld world;
    world.lease(world.account_scope(), 4 * unit);
    storage::Settlement settlement = world.settlement(2 * unit, unit, 9);
    settlement.settled_ms = world.now_ms;
    settlement.sealed_answer.id = numbered<BodyId>(1);
    settlement.sealed_answer.expires_ms = world.now_ms + 2 * ttl_ms;  // longer than who asks would
    world.settle(settlement);
    world.now_ms += ttl_ms;
    const ClaimReply::Entry done = world.ask(world.other, ClaimOp::acquire, 2);
    EXPECT_EQ(done.result, ClaimResult::done);
    EXPECT_EQ(done.owner, world.pop);
    EXPECT_EQ(done.request, settlement.request_id);
    world.now_ms += ttl_ms;  // the charge is kept for good, the key is not
    EXPECT_EQ(world.ask(world.other, ClaimOp::acquire, 2).result, ClaimResult::granted);
}

TEST(LedgerClaims, ExpiresAfterWhatItsPopToldAndIsSweptInBoundedSteps) {
    ClaimWorld world;
    for (std::uint64_t i = 1; i <= 10; ++i) {
        ClaimRequest::Entry asked = world.entry(ClaimOp::acquire, i);
        asked.idempotency = numbered<IdempotencyId>(i);
        world.ask(world.pop, asked);
    }
    world.now_ms += ttl_ms - 1;
    EXPECT_EQ(*world.ledger.sweep_claims(world.now_ms, 100), 0u);
    EXPECT_EQ(world.ask(world.other, ClaimOp::acquire, 20).result, ClaimResult::held);
    world.now_ms += 1;
    EXPECT_EQ(world.ask(world.other, ClaimOp::acquire, 20).result, ClaimResult::granted);
    unsigned swept = 0;
    for (int i = 0; i < 4; ++i) {
        const Result<unsigned> step = world.ledger.sweep_claims(world.now_ms, 3);
        ASSERT_TRUE(step);
        EXPECT_LE(*step, 3u);
        swept += *step;
    }
    EXPECT_EQ(swept, 9u);  // all but the one that was granted anew
    EXPECT_TRUE((*world.ledger.claim_of(world.account, numbered<IdempotencyId>(9))).has_value());
}

TEST(LedgerClaims, AnUnknownAccountIsRefusedBesideOthers) {
    ClaimWorld world;
    ClaimRequest request{
        1, ttl_ms, {world.entry(ClaimOp::acquire, 1), world.entry(ClaimOp::query, 1)}};
    request.entries[0].account = AccountId{4711};
    const Result<ClaimReply> reply =
        world.ledger.claim(world.pop, world.incarnation, request, world.now_ms);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->entries[0].result, ClaimResult::refused);
    EXPECT_EQ(reply->entries[1].result, ClaimResult::free);
}

// A thief of one POP's credential would have another one's requests stand for his.
TEST(LedgerClaims, AKeyIsNotTakenForARequestOfAnotherPop) {
    ClaimWorld world;
    for (const ClaimOp op : {ClaimOp::acquire, ClaimOp::takeover})
        EXPECT_EQ(world.ask(world.other, world.entry(op, 1)).result, ClaimResult::refused);
    EXPECT_EQ(world.ask(world.other, world.entry(ClaimOp::query, 1)).result, ClaimResult::free);
    EXPECT_EQ(world.ask(world.pop, ClaimOp::acquire, 1).result, ClaimResult::granted);
    EXPECT_EQ(world.ask(world.other, world.entry(ClaimOp::acquire, 1)).result,
              ClaimResult::refused);
    // Dead, its key goes to a request of who takes it over, and to no other.
    world.now_ms += silence_ms + 1;
    world.hear_of(world.other);
    EXPECT_EQ(world.ask(world.other, world.entry(ClaimOp::takeover, 1, 1)).result,
              ClaimResult::refused);
    EXPECT_EQ(world.ask(world.other, ClaimOp::takeover, 1, 1).result, ClaimResult::granted);
}

TEST(LedgerClaims, AnOldIncarnationHasNoSay) {
    ClaimWorld world;
    world.register_other(60);
    EXPECT_EQ(world.ledger
                  .claim(world.other, world.other_incarnation,
                         {1, ttl_ms, {world.entry(ClaimOp::acquire, 1)}}, world.now_ms)
                  .error()
                  .code,
              ErrorCode::stale);
}

TEST(LedgerClaims, AFailedCommitGrantsNothing) {
    ClaimWorld world;
    MemoryLedgerStore copy = world.store;
    copy.fail_next_commit();
    Ledger failing(copy);
    EXPECT_EQ(failing
                  .claim(world.pop, world.incarnation,
                         {1, ttl_ms, {world.entry(ClaimOp::acquire, 1)}}, world.now_ms)
                  .error()
                  .code,
              ErrorCode::storage_failed);
    EXPECT_EQ(world.ask(world.other, ClaimOp::acquire, 2).result, ClaimResult::granted);
}

}  // namespace
}  // namespace nodex::replication
