// Journal: claims, ends, leases, outbox and what a restart finds of them.
#include "storage/journal.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "edge/crypto/crypto.h"
#include "storage/keyspace.h"
#include "storage/outbox_retention.h"
#include "tests/unit/storage/journal_on_disk.h"
#include "tests/unit/storage/samples.h"

namespace nodex::storage {
namespace {

constexpr std::int64_t now_ms = 1'000'000;
const Journal::Scope account_scope{Journal::Scope::Kind::account, 7};
const Journal::Scope key_scope{Journal::Scope::Kind::key, 3};

class JournalTest : public JournalOnDisk {
  protected:
    ClaimVerdict claim(const OpenRequest& request, std::int64_t at_ms = now_ms) {
        auto claimed = journal->claim(request, {1, 2, 3}, at_ms, batch);
        EXPECT_TRUE(claimed.has_value());
        outcome = std::move(*claimed);
        return outcome.verdict;
    }
    void claim_and_finish(std::uint64_t number, Nano amount) {
        const OpenRequest request = samples::request(number);
        ASSERT_EQ(claim(request), ClaimVerdict::granted);
        ASSERT_TRUE(journal->finish(samples::finish(request, amount), batch).has_value());
    }

    ClaimOutcome outcome;
};

TEST_F(JournalTest, GrantsAClaimOnceAndShowsTheOwnerToTheSecond) {
    EXPECT_EQ(claim(samples::request(1)), ClaimVerdict::granted);
    OpenRequest again = samples::request(1);
    again.request_id = samples::id<RequestId>(2);
    EXPECT_EQ(claim(again), ClaimVerdict::running);
    EXPECT_EQ(outcome.running_request, samples::id<RequestId>(1));
    EXPECT_EQ(outcome.owner.core, 1);
    EXPECT_EQ(outcome.owner.slot, 2u);
    EXPECT_EQ(journal->open_count(), 1u);
    journal->reassign(samples::id<RequestId>(1), {5, 6, 7});
    EXPECT_EQ(claim(again), ClaimVerdict::running);
    EXPECT_EQ(outcome.owner.generation, 7u);
}

TEST_F(JournalTest, RefusesAKeyThatRunsWithAnotherBody) {
    claim(samples::request(1));
    OpenRequest other = samples::request(1);
    other.request_id = samples::id<RequestId>(2);
    other.fingerprint = samples::id<Fingerprint>(99);
    EXPECT_EQ(claim(other), ClaimVerdict::mismatch);
}

TEST_F(JournalTest, KeepsEqualKeysOfTwoAccountsApart) {
    claim_and_finish(1, 10);
    OpenRequest other = samples::request(1);
    other.request_id = samples::id<RequestId>(2);
    other.account = AccountId{8};
    EXPECT_EQ(claim(other), ClaimVerdict::granted);
}

TEST_F(JournalTest, NeverJoinsRequestsWithoutAKey) {
    OpenRequest first = samples::request(1);
    first.idempotency = {};
    OpenRequest second = first;
    second.request_id = samples::id<RequestId>(2);
    EXPECT_EQ(claim(first), ClaimVerdict::granted);
    EXPECT_EQ(claim(second), ClaimVerdict::granted);
    Finish end = samples::finish(first, 5);
    end.settlement->idempotency = {};
    ASSERT_TRUE(journal->finish(end, batch).has_value());
    write();
    EXPECT_EQ(store.keys_count(Family::idem), 0u);
    EXPECT_EQ(journal->open_count(), 1u);
}

TEST_F(JournalTest, ReplaysAFinishedAnswerFromTheSameBatchAndFromTheStore) {
    const OpenRequest request = samples::request(1);
    claim(request);
    journal->append_chunk(request.answer, 0, "sealed", "key record", batch);
    ASSERT_TRUE(journal->finish(samples::finish(request, 10), batch).has_value());
    OpenRequest again = request;
    again.request_id = samples::id<RequestId>(2);
    for (int round = 0; round < 2; ++round) {
        ASSERT_EQ(claim(again), ClaimVerdict::finished) << round;
        EXPECT_EQ(outcome.answer->answer, request.answer);
        EXPECT_EQ(outcome.answer->charged, 10);
        EXPECT_EQ(outcome.key_record, "key record");
        if (round == 0) write();
    }
    EXPECT_TRUE(batch.empty()) << "a replay changes nothing";
}

TEST_F(JournalTest, LooksUpWithoutClaiming) {
    const OpenRequest request = samples::request(1);
    auto looked = journal->look_up(request, now_ms, batch);
    ASSERT_TRUE(looked.has_value());
    EXPECT_EQ(looked->verdict, ClaimVerdict::granted);
    EXPECT_EQ(journal->open_count(), 0u);
    EXPECT_EQ(claim(request), ClaimVerdict::granted);
    EXPECT_EQ(journal->look_up(request, now_ms, batch)->verdict, ClaimVerdict::running);
}

TEST_F(JournalTest, RefusesAFinishedKeyWithAnotherBodyUntilItExpires) {
    const OpenRequest request = samples::request(1);
    claim(request);
    ASSERT_TRUE(journal->finish(samples::finish(request, 10, now_ms + 100), batch).has_value());
    write();
    OpenRequest other = request;
    other.request_id = samples::id<RequestId>(2);
    other.fingerprint = samples::id<Fingerprint>(99);
    EXPECT_EQ(claim(other, now_ms + 99), ClaimVerdict::mismatch);
    EXPECT_EQ(claim(other, now_ms + 100), ClaimVerdict::granted)
        << "expired at its time, not after it";
}

TEST_F(JournalTest, FreesTheKeyOnRelease) {
    claim(samples::request(1));
    ASSERT_TRUE(journal->release(samples::id<RequestId>(1), batch).has_value());
    EXPECT_EQ(journal->open_count(), 0u);
    OpenRequest again = samples::request(1);
    again.request_id = samples::id<RequestId>(2);
    EXPECT_EQ(claim(again), ClaimVerdict::granted);
    write();
    EXPECT_EQ(store.keys_count(Family::open), 1u);
}

TEST_F(JournalTest, EndsARequestOnce) {
    const OpenRequest request = samples::request(1);
    claim(request);
    ASSERT_TRUE(journal->finish(samples::finish(request, 10), batch).has_value());
    const std::size_t changes = batch.count();
    EXPECT_EQ(journal->finish(samples::finish(request, 10), batch).error().code,
              ErrorCode::not_found);
    EXPECT_EQ(journal->release(request.request_id, batch).error().code, ErrorCode::not_found);
    EXPECT_EQ(batch.count(), changes);
    EXPECT_EQ(journal->outbox().last, 1u);
}

TEST_F(JournalTest, FailsAClaimWhoseRecordIsCorrupt) {
    claim_and_finish(1, 10);
    write();
    ASSERT_TRUE(store.corrupt_value(
        Family::idem, idem_key(AccountId{7}, samples::request(1).idempotency).view()));
    OpenRequest again = samples::request(1);
    again.request_id = samples::id<RequestId>(2);
    const auto claimed = journal->claim(again, {}, now_ms, batch);
    ASSERT_FALSE(claimed.has_value());
    EXPECT_EQ(claimed.error().code, ErrorCode::corrupt);
    EXPECT_EQ(journal->open_count(), 0u);
    store.fail_reads(true);
    EXPECT_EQ(journal->claim(again, {}, now_ms, batch).error().code, ErrorCode::storage_failed);
}

TEST_F(JournalTest, RecoversOpenRequestsUnderTheirKeys) {
    claim(samples::request(1));
    claim(samples::request(2));
    ASSERT_TRUE(journal->release(samples::id<RequestId>(2), batch).has_value());
    write();
    const InstallId install_id = journal->install_id();
    reopen();
    EXPECT_EQ(journal->install_id(), install_id);
    ASSERT_EQ(journal->recovered().size(), 1u);
    EXPECT_EQ(journal->recovered().front().request_id, samples::id<RequestId>(1));
    OpenRequest again = samples::request(1);
    again.request_id = samples::id<RequestId>(3);
    EXPECT_EQ(claim(again), ClaimVerdict::running);
    EXPECT_TRUE(journal->finish(samples::finish(samples::request(1), 1), batch).has_value());
}

TEST_F(JournalTest, CountsSettlementsOfBothScopesAndWritesEachRowOnceABatch) {
    journal->set_lease(account_scope, {.generation = 1, .granted = 5'000}, batch);
    journal->set_lease(key_scope, {.generation = 2, .granted = 3'000}, batch);
    for (std::uint64_t number = 1; number <= 3; ++number) {
        OpenRequest request = samples::request(number);
        request.reservation.key_generation = 2;
        claim(request);
        ASSERT_TRUE(journal->finish(samples::finish(request, 100), batch).has_value());
    }
    unsigned lease_puts = 0;
    for (std::size_t i = 0; i < batch.count(); ++i)
        lease_puts += batch.change(i).family == Family::lease;
    EXPECT_EQ(lease_puts, 2u);
    write();
    reopen();
    EXPECT_EQ(journal->lease(account_scope)->settled, 300);
    EXPECT_EQ(journal->lease(account_scope)->granted, 5'000);
    EXPECT_EQ(journal->lease(key_scope)->settled, 300);
    claim_and_finish(4, 50);
    write();
    reopen();
    EXPECT_EQ(journal->lease(account_scope)->settled, 350);
    EXPECT_EQ(journal->lease(key_scope)->settled, 300)
        << "an unbudgeted request touches no key row";
}

TEST_F(JournalTest, KeepsGenerationsOfALeaseApart) {
    claim_and_finish(1, 100);
    journal->set_lease(account_scope,
                       {.generation = 1, .granted = 900, .settled = 7, .returned = 20}, batch);
    EXPECT_EQ(journal->lease(account_scope)->settled, 100) << "finish() owns what was settled";
    EXPECT_EQ(journal->lease(account_scope)->returned, 20);
    journal->set_lease(account_scope, {.generation = 2, .granted = 400}, batch);
    EXPECT_EQ(journal->lease(account_scope)->settled, 0);
    claim_and_finish(2, 100);  // reserved under generation 1
    EXPECT_EQ(journal->lease(account_scope)->settled, 0);
    EXPECT_EQ(journal->outbox().last, 2u) << "a late settlement still goes to the ledger";
    journal->set_lease(account_scope, {.generation = 1, .granted = 900}, batch);
    EXPECT_EQ(journal->lease(account_scope)->generation, 2u);
}

TEST_F(JournalTest, RefusesASettlementThatOverflowsALeaseAndChangesNothing) {
    journal->set_lease(account_scope, {.generation = 1, .granted = 0, .settled = INT64_MAX - 10},
                       batch);
    const OpenRequest request = samples::request(1);
    claim(request);
    const std::size_t changes = batch.count();
    EXPECT_EQ(journal->finish(samples::finish(request, 11), batch).error().code,
              ErrorCode::overflow);
    EXPECT_EQ(batch.count(), changes);
    EXPECT_EQ(journal->open_count(), 1u);
    EXPECT_TRUE(journal->finish(samples::finish(request, 10), batch).has_value());
}

TEST_F(JournalTest, ChainsTheOutboxAndReadsItInOrder) {
    for (std::uint64_t number = 1; number <= 5; ++number)
        claim_and_finish(number, static_cast<Nano>(number));
    const auto entries = journal->read_outbox(2, 3, 1 << 20);
    ASSERT_TRUE(entries.has_value());
    ASSERT_EQ(entries->size(), 3u);
    EXPECT_EQ(entries->front().sequence, 2u);
    EXPECT_EQ(decode_settlement(entries->back().record)->amount, 4);
    const auto all = journal->read_outbox(1, 100, 1 << 20);
    ASSERT_EQ(all->size(), 5u);
    std::string chain(ChainHash::size, '\0');
    for (const auto& entry : *all) chain = crypto::view(crypto::sha256(chain + entry.record));
    EXPECT_EQ(journal->outbox().chain_at_last.view(), chain);
    const std::size_t record_bytes = all->front().record.size();
    EXPECT_EQ(journal->read_outbox(1, 100, 2 * record_bytes)->size(), 2u);
    EXPECT_EQ(journal->read_outbox(1, 100, 1)->size(), 1u) << "one record always fits";
    EXPECT_TRUE(journal->read_outbox(6, 100, 1 << 20)->empty());
}

TEST_F(JournalTest, ContinuesNumbersAndChainAfterTruncationAndRestart) {
    for (std::uint64_t number = 1; number <= 4; ++number) claim_and_finish(number, 1);
    write();
    ASSERT_TRUE(journal->truncate_outbox(3, now_ms, batch).has_value());
    ASSERT_TRUE(journal->truncate_outbox(2, now_ms, batch).has_value());
    EXPECT_EQ(journal->outbox().applied, 3u) << "an older mark changes nothing";
    write();
    const auto before = journal->outbox();
    reopen();
    const auto after = journal->outbox();
    EXPECT_EQ(after.applied, 3u);
    EXPECT_EQ(after.last, 4u);
    EXPECT_EQ(after.chain_at_applied, before.chain_at_applied);
    EXPECT_EQ(after.chain_at_last, before.chain_at_last);
    ASSERT_TRUE(journal->truncate_outbox(4, now_ms, batch).has_value());
    write();
    reopen();
    EXPECT_EQ(journal->outbox().last, 4u);
    EXPECT_EQ(journal->outbox().chain_at_last, before.chain_at_last);
    claim_and_finish(9, 1);
    EXPECT_EQ(journal->outbox().last, 5u);
}

// The commit thread merges what the agent stores (keys, feeds) with ends of requests. Told by an
// empty batch, the journal took one that began with a row of the agent's for its last one, and
// replaced a value at a place that was another row's.
TEST_F(JournalTest, KnowsANewBatchThatOthersHaveBegun) {
    claim_and_finish(1, 10);
    write();
    batch.put(Family::feed, "of the agent", "a row of another size");
    claim_and_finish(2, 20);
    write();
    reopen();
    EXPECT_EQ(journal->lease(account_scope)->settled, 30);
    EXPECT_EQ(*store.get(Family::feed, "of the agent"),
              std::optional<std::string>("a row of another size"));
}

TEST_F(JournalTest, KeepsAppliedRecordsForThreeDays) {
    for (std::uint64_t number = 1; number <= 4; ++number) claim_and_finish(number, 1);
    write();
    ASSERT_TRUE(journal->truncate_outbox(2, now_ms, batch).has_value());
    write();
    reopen();
    EXPECT_EQ(journal->outbox().kept, 1u);
    EXPECT_EQ(journal->read_outbox(1, 10, 1 << 20)->size(), 4u);
    constexpr std::int64_t kept_ms = limits::outbox_kept / millisecond;
    ASSERT_TRUE(journal->truncate_outbox(3, now_ms + kept_ms, batch).has_value());
    write();
    reopen();
    EXPECT_EQ(journal->outbox().kept, 3u);
    EXPECT_EQ(store.keys_count(Family::outbox), 2u);
    EXPECT_EQ(journal->read_outbox(2, 1, 1).error().code, ErrorCode::stale);
}

TEST_F(JournalTest, GoesBackToWhereARestoredLedgerStands) {
    for (std::uint64_t number = 1; number <= 6; ++number) claim_and_finish(number, 1);
    write();
    ASSERT_TRUE(journal->truncate_outbox(3, now_ms, batch).has_value());
    const ChainHash at_three = journal->outbox().chain_at_applied;
    ASSERT_TRUE(journal->truncate_outbox(6, now_ms, batch).has_value());
    write();
    reopen();  // nothing of it is in memory
    ASSERT_TRUE(journal->rewind_outbox(3, batch).has_value());
    write();
    for (const bool reopened : {false, true}) {
        if (reopened) reopen();
        EXPECT_EQ(journal->outbox().applied, 3u);
        EXPECT_EQ(journal->outbox().chain_at_applied, at_three);
        EXPECT_EQ(journal->read_outbox(4, 10, 1 << 20)->size(), 3u);
    }
    claim_and_finish(7, 1);
    write();
    EXPECT_EQ(journal->outbox().last, 7u);
    ASSERT_TRUE(journal->rewind_outbox(0, batch).has_value());
    write();
    EXPECT_TRUE(journal->outbox().chain_at_applied.is_zero());
    EXPECT_EQ(journal->read_outbox(1, 10, 1 << 20)->size(), 7u);
}

TEST_F(JournalTest, DoesNotGoBackToARecordThatIsNotKept) {
    for (std::uint64_t number = 1; number <= 3; ++number) claim_and_finish(number, 1);
    write();
    ASSERT_TRUE(journal->truncate_outbox(2, now_ms, batch).has_value());
    ASSERT_TRUE(
        journal->truncate_outbox(3, now_ms + limits::outbox_kept / millisecond, batch).has_value());
    write();
    EXPECT_EQ(journal->rewind_outbox(2, batch).error().code, ErrorCode::stale);
    EXPECT_EQ(journal->rewind_outbox(0, batch).error().code, ErrorCode::stale);
    EXPECT_EQ(journal->outbox().applied, 3u);
}

TEST(OutboxRetention, LetsTheOldestGoWhenThereAreTooMany) {
    OutboxRetention retention;
    constexpr std::int64_t span_ms = 10 * 60 * 1'000;
    for (std::int64_t i = 1; i <= 3; ++i)
        EXPECT_TRUE(retention.applied(
            static_cast<std::uint64_t>(i) * limits::outbox_kept_records / 2, i * span_ms));
    EXPECT_TRUE(retention.expire(3 * span_ms));
    EXPECT_EQ(retention.erased(), limits::outbox_kept_records / 2);
    EXPECT_FALSE(retention.expire(3 * span_ms));
    const std::string stored = retention.encode();
    EXPECT_EQ(OutboxRetention::decode(stored)->encode(), stored);
    for (std::size_t cut = 0; cut < stored.size(); ++cut)
        EXPECT_FALSE(OutboxRetention::decode(stored.substr(0, cut)));
}

TEST_F(JournalTest, ReadsRecordsBackThatLeftTheWindow) {
    const std::uint64_t count = limits::outbox_window_records + 10;
    for (std::uint64_t number = 1; number <= count; ++number) {
        claim_and_finish(number, static_cast<Nano>(number % 1'000));
        if (number % 1'000 == 0) write(Durability::process);
    }
    write();
    for (const bool reopened : {false, true}) {
        if (reopened) reopen();
        const auto entries = journal->read_outbox(1, 20, 1 << 20);
        ASSERT_TRUE(entries.has_value());
        ASSERT_EQ(entries->size(), 20u);
        for (std::uint64_t i = 0; i < 20; ++i) {
            EXPECT_EQ((*entries)[i].sequence, i + 1);
            EXPECT_EQ(decode_settlement((*entries)[i].record)->amount, static_cast<Nano>(i + 1));
        }
    }
    ASSERT_TRUE(journal->truncate_outbox(5, now_ms, batch).has_value());
    write();
    reopen();
    EXPECT_EQ(journal->outbox().last, count);
}

TEST_F(JournalTest, RefusesToOpenOverACorruptOutboxRow) {
    for (std::uint64_t number = 1; number <= 3; ++number) claim_and_finish(number, 1);
    write();
    // The last octet is part of settled_ms: the record still decodes, only the chain tells.
    const std::size_t last_octet = (*store.get(Family::outbox, outbox_key(2).view()))->size() - 1;
    ASSERT_TRUE(store.corrupt_value(Family::outbox, outbox_key(2).view(), last_octet));
    EXPECT_EQ(Journal::open(store, random).error().code, ErrorCode::corrupt);
}

TEST_F(JournalTest, RefusesToOpenOverAGapInTheOutbox) {
    for (std::uint64_t number = 1; number <= 3; ++number) claim_and_finish(number, 1);
    batch.erase(Family::outbox, outbox_key(2).view());
    write();
    EXPECT_EQ(Journal::open(store, random).error().code, ErrorCode::corrupt);
}

TEST_F(JournalTest, RefusesToOpenOverACorruptOpenRequestOrLease) {
    claim(samples::request(1));
    write();
    ASSERT_TRUE(store.corrupt_value(Family::open, open_key(samples::id<RequestId>(1)).view(), 5));
    EXPECT_EQ(Journal::open(store, random).error().code, ErrorCode::corrupt);
    ASSERT_TRUE(store.corrupt_value(Family::open, open_key(samples::id<RequestId>(1)).view(), 5));
    EXPECT_TRUE(Journal::open(store, random).has_value());
    batch.put(Family::lease, lease_key(account_scope).view(), "short");
    write();
    EXPECT_EQ(Journal::open(store, random).error().code, ErrorCode::corrupt);
}

}  // namespace
}  // namespace nodex::storage
