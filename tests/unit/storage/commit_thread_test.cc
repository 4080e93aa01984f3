// CommitThread: batches, durability, order, failure; driven by hand except where threads are the
// point.
#include "storage/commit_thread.h"

#include <gtest/gtest.h>

#include <deque>

#include "edge/base/limits.h"
#include "storage/sim_store.h"
#include "tests/unit/storage/samples.h"

namespace nodex::storage {
namespace {

struct CountingWaker final : Waker {
    int wakes = 0;
    void wake() noexcept override { ++wakes; }
};

struct Counter {
    int count = 0;
    void add() { ++count; }
};

class CommitThreadTest : public ::testing::Test {
  protected:
    CommitThreadTest() {
        auto opened = Journal::open(store, random);
        NX_ASSERT(opened.has_value());
        journal = std::move(*opened);
        commits = std::make_unique<CommitThread>(store, *journal, clock, Durability::power);
        writes_before = store.writes_count();
        synced_before = store.synced_writes_count();
    }
    void submit(Operation& operation) {
        commits->submit(operation, loop, when_done<&Counter::add>(&done));
    }
    void run() {
        commits->run_once();
        loop.deliver();
    }
    std::uint64_t writes() const { return store.writes_count() - writes_before; }
    std::uint64_t synced() const { return store.synced_writes_count() - synced_before; }

    SimStore store;
    SeededRandom random{1};
    ManualClock clock;
    CountingWaker waker;
    Mailbox loop{waker};
    Counter done;
    std::unique_ptr<Journal> journal;
    std::unique_ptr<CommitThread> commits;
    std::uint64_t writes_before = 0;
    std::uint64_t synced_before = 0;
};

TEST_F(CommitThreadTest, WritesWhatWaitsInOneBatch) {
    std::deque<ClaimOperation> claims(10);
    std::uint64_t number = 0;
    for (ClaimOperation& claim : claims) {
        claim.request = samples::request(++number);
        submit(claim);
        EXPECT_TRUE(claim.in_flight());
    }
    run();
    EXPECT_EQ(done.count, 10);
    EXPECT_EQ(writes(), 1u);
    EXPECT_EQ(synced(), 1u);
    for (ClaimOperation& claim : claims) {
        EXPECT_FALSE(claim.in_flight());
        EXPECT_TRUE(claim.status().has_value());
        EXPECT_EQ(claim.outcome.verdict, ClaimVerdict::granted);
    }
    EXPECT_EQ(commits->stats().operations.load(), 10u);
}

TEST_F(CommitThreadTest, EndsABatchAtItsOperationLimit) {
    std::deque<ClaimOperation> claims(limits::commit_batch_operations_max + 1);
    std::uint64_t number = 0;
    for (ClaimOperation& claim : claims) {
        claim.request = samples::request(++number);
        submit(claim);
    }
    run();
    EXPECT_EQ(writes(), 2u);
    EXPECT_EQ(done.count, static_cast<int>(claims.size()));
}

TEST_F(CommitThreadTest, EndsABatchWithTheOperationThatReachesTheByteLimit) {
    std::deque<AppendOperation> appends(3);
    for (AppendOperation& append : appends) {
        append.arena.assign(limits::commit_batch_bytes_max / 2, 'x');
        append.chunks.push_back({samples::id<BodyId>(1), 0, 0, append.arena.size(), 0, 0});
        submit(append);
    }
    run();
    EXPECT_EQ(writes(), 2u);
}

TEST_F(CommitThreadTest, SyncsOnlyWhatMustSurviveAPowerLoss) {
    ClaimOperation claim;
    claim.request = samples::request(1);
    submit(claim);
    run();
    EXPECT_EQ(synced(), 1u);

    AppendOperation append;
    append.arena = "sealedkey";
    append.chunks.push_back({claim.request.answer, 0, 0, 6, 6, 3});
    submit(append);
    run();
    EXPECT_EQ(writes(), 2u);
    EXPECT_EQ(synced(), 1u) << "a chunk alone is not synced";

    CallOperation truncation;
    truncation.sync = false;
    truncation.call = [](Journal&, Store&, Batch& batch) -> Status {
        batch.put(Family::meta, "k", "v");
        return {};
    };
    submit(truncation);
    run();
    EXPECT_EQ(synced(), 1u);

    ClaimOperation duplicate;
    duplicate.request = samples::request(1);
    duplicate.request.request_id = samples::id<RequestId>(2);
    submit(duplicate);
    run();
    EXPECT_EQ(duplicate.outcome.verdict, ClaimVerdict::running);
    EXPECT_EQ(writes(), 3u) << "a join writes nothing";

    FinishOperation finish;
    finish.finish = samples::finish(claim.request, 10);
    submit(append);
    submit(finish);
    run();
    EXPECT_EQ(synced(), 2u) << "one sync for the batch";
}

TEST_F(CommitThreadTest, ReadsSeeAppendsSubmittedBeforeThem) {
    AppendOperation append;
    samples::append_two_chunks(append);
    ReadOperation read;
    samples::read_body(read);
    submit(append);
    submit(read);
    run();
    ASSERT_EQ(read.chunks.size(), 2u);
    EXPECT_EQ(read.chunks[1], "two");
    read.bytes_max = 1;
    submit(read);
    run();
    EXPECT_EQ(read.chunks.size(), 1u) << "stops after the chunk that reaches the limit";
}

TEST_F(CommitThreadTest, WritesAnEndInOneBatch) {
    ClaimOperation claim;
    claim.request = samples::request(1);
    submit(claim);
    run();
    FinishOperation finish;
    finish.finish = samples::finish(claim.request, 10);
    finish.body = claim.request.answer;
    finish.chunks = {{0, "first"}, {1, "second"}};
    finish.key_record = "key";
    submit(finish);
    run();
    EXPECT_EQ(writes(), 2u);
    claim.request.request_id = samples::id<RequestId>(2);
    ReadOperation read;
    read.body = claim.request.answer;
    read.count = 2;
    submit(claim);
    submit(read);
    run();
    EXPECT_EQ(claim.outcome.verdict, ClaimVerdict::finished);
    EXPECT_EQ(claim.outcome.key_record, "key");
    EXPECT_EQ(read.chunks, (std::vector<std::string>{"first", "second"}));
}

TEST_F(CommitThreadTest, ALateFinishAddsNothing) {
    FinishOperation finish;
    finish.finish = samples::finish(samples::request(1), 10);
    finish.body = samples::request(1).answer;
    finish.chunks = {{0, "orphan"}};
    submit(finish);
    run();
    EXPECT_EQ(finish.status().error().code, ErrorCode::not_found);
    EXPECT_EQ(writes(), 0u);
}

TEST_F(CommitThreadTest, FailsTheWholeBatchAndEveryWriteAfterIt) {
    store.fail_write_after(0, ErrorCode::storage_failed, true);
    ClaimOperation claim, other;
    claim.request = samples::request(1);
    other.request = samples::request(2);
    ReadOperation read;
    read.body = claim.request.answer;
    read.count = 1;
    submit(claim);
    submit(other);
    submit(read);
    run();
    EXPECT_EQ(claim.status().error().code, ErrorCode::storage_failed);
    EXPECT_EQ(other.status().error().code, ErrorCode::storage_failed);
    EXPECT_EQ(read.status().error().code, ErrorCode::storage_failed);
    EXPECT_TRUE(commits->failed());
    const std::uint64_t writes_so_far = writes();
    ClaimOperation later, joined;
    later.request = samples::request(3);
    joined.request = samples::request(1);
    joined.request.request_id = samples::id<RequestId>(4);
    ReleaseOperation release;
    release.request_id = samples::id<RequestId>(2);
    submit(later);
    submit(joined);
    submit(release);
    run();
    EXPECT_EQ(later.status().error().code, ErrorCode::storage_failed);
    EXPECT_EQ(joined.status().error().code, ErrorCode::storage_failed) << "its claim may be lost";
    EXPECT_EQ(release.status().error().code, ErrorCode::storage_failed);
    EXPECT_EQ(writes(), writes_so_far) << "a failed write is not tried again";
    EXPECT_EQ(commits->stats().failures.load(), 6u);
    EXPECT_EQ(done.count, 6);
}

// Promise 16 (deploy/threat-model.md): a disk that takes no more keeps what it has. Such a store once
// refused stored answers too.
TEST_F(CommitThreadTest, StillAnswersWhatIsStoredAfterAFailedWrite) {
    ClaimOperation first;
    first.request = samples::request(1);
    submit(first);
    run();
    FinishOperation finish;
    finish.finish = samples::finish(first.request, 10);
    finish.body = first.request.answer;
    finish.chunks = {{0, "sealed"}};
    finish.key_record = "key";
    submit(finish);
    run();
    store.fail_write_after(0, ErrorCode::storage_full, false);
    ClaimOperation refused, repeated, looked_up, other_request;
    refused.request = samples::request(2);
    submit(refused);
    run();
    EXPECT_EQ(refused.status().error().code, ErrorCode::storage_full);

    repeated.request = looked_up.request = other_request.request = samples::request(1);
    looked_up.look_up_only = true;
    other_request.request.fingerprint = samples::id<Fingerprint>(9, 'f');
    ReadOperation read;
    read.body = first.request.answer;
    read.count = 1;
    submit(repeated);
    submit(looked_up);
    submit(other_request);
    submit(read);
    run();
    EXPECT_TRUE(repeated.status().has_value());
    EXPECT_EQ(repeated.outcome.verdict, ClaimVerdict::finished);
    EXPECT_EQ(repeated.outcome.key_record, "key");
    EXPECT_EQ(looked_up.outcome.verdict, ClaimVerdict::finished);
    EXPECT_EQ(other_request.outcome.verdict, ClaimVerdict::mismatch);
    EXPECT_EQ(read.chunks, std::vector<std::string>{"sealed"});
}

TEST_F(CommitThreadTest, RefusesNewClaimsWhenSpaceIsLowButEndsRunningOnes) {
    ClaimOperation running, refused, joined;
    running.request = samples::request(1);
    submit(running);
    run();
    store.set_low_on_space(true);
    refused.request = samples::request(2);
    joined.request = samples::request(1);
    joined.request.request_id = samples::id<RequestId>(3);
    FinishOperation finish;
    finish.finish = samples::finish(running.request, 10);
    submit(refused);
    submit(joined);
    submit(finish);
    run();
    EXPECT_EQ(refused.status().error().code, ErrorCode::storage_full);
    EXPECT_EQ(joined.outcome.verdict, ClaimVerdict::running);
    EXPECT_TRUE(finish.status().has_value());
    EXPECT_FALSE(commits->failed());
    store.set_low_on_space(false);
    submit(refused);
    run();
    EXPECT_TRUE(refused.status().has_value());
}

TEST_F(CommitThreadTest, LooksUpWithoutClaimingWhenAsked) {
    ClaimOperation claim;
    claim.request = samples::request(1);
    claim.look_up_only = true;
    submit(claim);
    run();
    EXPECT_EQ(claim.outcome.verdict, ClaimVerdict::granted);
    EXPECT_EQ(journal->open_count(), 0u);
    EXPECT_EQ(writes(), 0u);
}

TEST_F(CommitThreadTest, TellsTheAgentOnceEachTimeItAwaitsGrowth) {
    Mailbox agent(waker);
    Counter told;
    commits->on_outbox(agent, when_done<&Counter::add>(&told));
    const auto finish_one = [this](std::uint64_t number) {
        ClaimOperation claim;
        claim.request = samples::request(number);
        FinishOperation finish;
        finish.finish = samples::finish(claim.request, 1);
        submit(claim);
        submit(finish);
        run();
        ASSERT_TRUE(finish.status().has_value());
    };
    finish_one(1);
    EXPECT_EQ(agent.deliver(), 0u);  // nobody asked
    EXPECT_FALSE(commits->await_outbox(0));  // it has grown already
    EXPECT_TRUE(commits->await_outbox(1));
    finish_one(2);
    finish_one(3);
    agent.deliver();
    EXPECT_EQ(told.count, 1);
    EXPECT_TRUE(commits->await_outbox(3));
    finish_one(4);
    commits->off_outbox();
    EXPECT_EQ(told.count, 1);
    EXPECT_TRUE(commits->await_outbox(4));
    finish_one(5);
    EXPECT_EQ(agent.deliver(), 0u);
}

TEST_F(CommitThreadTest, AnswersABatchWithOneWakeUp) {
    Mailbox mailbox(waker);
    Counter answered;
    std::deque<ClaimOperation> claims(20);
    std::uint64_t number = 100;
    for (ClaimOperation& claim : claims) {
        claim.request = samples::request(++number);
        commits->submit(claim, mailbox, when_done<&Counter::add>(&answered));
    }
    ASSERT_TRUE(mailbox.may_sleep());
    const int before = waker.wakes;
    run();
    EXPECT_EQ(waker.wakes, before + 1);
    EXPECT_EQ(mailbox.deliver(), 20u);
    EXPECT_EQ(answered.count, 20);
}

// The lab cut a POP off under load: nodex_outbox_depth stood still for ten seconds at a time, because it
// counted what the agent had read, and the agent reads nothing while the centre does not answer.
TEST_F(CommitThreadTest, TellsTheNewestOutboxRecordThoughNobodyReadsIt) {
    EXPECT_EQ(commits->stats().outbox_last, 0u);
    for (std::uint64_t number = 1; number <= 3; ++number) {
        ClaimOperation claim;
        claim.request = samples::request(number);
        FinishOperation finish;
        finish.finish = samples::finish(claim.request, 1);
        submit(claim);
        submit(finish);
        run();
        EXPECT_EQ(commits->stats().outbox_last, number);
    }
    commits = std::make_unique<CommitThread>(store, *journal, clock, Durability::power);
    EXPECT_EQ(commits->stats().outbox_last, 3u);
}

// The receiving side of a real thread: sleeps until mail comes.
struct SleepingWaker final : Waker {
    std::atomic<std::uint32_t> wakes{0};
    void wake() noexcept override {
        wakes.fetch_add(1);
        wakes.notify_one();
    }
};

TEST_F(CommitThreadTest, AnswersFromItsOwnThreadAndFinishesBeforeItStops) {
    SleepingWaker sleeper;
    Mailbox mailbox(sleeper);
    Counter answered;
    std::deque<ClaimOperation> claims(500);
    commits->start();
    std::uint64_t number = 0;
    for (ClaimOperation& claim : claims) {
        claim.request = samples::request(++number);
        commits->submit(claim, mailbox, when_done<&Counter::add>(&answered));
    }
    while (answered.count < 250) {
        const std::uint32_t seen = sleeper.wakes.load();
        if (mailbox.deliver() == 0 && mailbox.may_sleep()) sleeper.wakes.wait(seen);
    }
    commits->stop();
    mailbox.deliver();
    EXPECT_EQ(answered.count, 500);
    EXPECT_EQ(journal->open_count(), 500u);
}

}  // namespace
}  // namespace nodex::storage
