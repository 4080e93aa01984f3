// LoopCommits: who writes a turn's operations, in which order, and what happens when the store does
// not take them at once. Driven by hand except where threads are the point.
#include "storage/loop_commits.h"

#include <gtest/gtest.h>

#include <deque>
#include <latch>
#include <thread>

#include "edge/base/limits.h"
#include "storage/sim_store.h"
#include "tests/unit/storage/samples.h"

namespace nodex::storage::loop_commits_test {
namespace {

struct CountingWaker final : Waker {
    std::atomic<std::uint32_t> wakes{0};
    void wake() noexcept override {
        wakes.fetch_add(1);
        wakes.notify_one();
    }
};

struct Counter {
    int count = 0;
    void add() { ++count; }
};

std::uint64_t waits_of_the_loop = 0;  // as thread_waits() would tell them

// A loop as the store sees it.
struct Turns {
    explicit Turns(CommitThread& thread) : commits(thread, mailbox) {}
    void submit(Operation& operation) {
        commits.submit(operation, when_done<&Counter::add>(&done));
    }
    CountingWaker waker;
    Mailbox mailbox{waker};
    Counter done;
    LoopCommits commits;
};

class LoopCommitsTest : public ::testing::Test {
  protected:
    LoopCommitsTest() {
        auto opened = Journal::open(store, random);
        NX_ASSERT(opened.has_value());
        journal = std::move(*opened);
        use(Durability::process);
    }
    void use(Durability durability) {
        loop.reset();
        thread = std::make_unique<CommitThread>(store, *journal, clock, durability,
                                                [] () noexcept { return waits_of_the_loop; });
        loop = std::make_unique<Turns>(*thread);
        writes_before = store.writes_count();
    }
    ClaimOperation& claim(std::uint64_t number) {
        ClaimOperation& operation = claims.emplace_back();
        operation.request = samples::request(number);
        loop->submit(operation);
        return operation;
    }
    FinishOperation& finish(std::uint64_t number) {
        FinishOperation& operation = finishes.emplace_back();
        operation.finish = samples::finish(samples::request(number), 10);
        loop->submit(operation);
        return operation;
    }
    void turn() {
        loop->commits.end_turn();
        loop->mailbox.deliver();
    }
    void run_thread() {
        thread->run_once();
        loop->mailbox.deliver();
    }
    std::uint64_t writes() const { return store.writes_count() - writes_before; }
    std::uint64_t inline_batches() const { return thread->stats().inline_batches.load(); }
    std::uint64_t handed_over(HandOver reason) const {
        return thread->stats().handed_over[static_cast<std::size_t>(reason)].load();
    }

    SimStore store;
    SeededRandom random{1};
    ManualClock clock;
    std::unique_ptr<Journal> journal;
    std::deque<ClaimOperation> claims;
    std::deque<FinishOperation> finishes;
    std::unique_ptr<CommitThread> thread;
    std::unique_ptr<Turns> loop;
    std::uint64_t writes_before = 0;
};

TEST_F(LoopCommitsTest, ATurnIsWrittenByItsLoopAtItsEndAndAnsweredLater) {
    for (std::uint64_t number = 1; number <= 3; ++number) claim(number);
    EXPECT_EQ(writes(), 0u);
    loop->commits.end_turn();
    EXPECT_EQ(writes(), 1u);
    EXPECT_EQ(inline_batches(), 1u);
    EXPECT_EQ(loop->done.count, 0) << "callbacks run when mail is delivered";
    EXPECT_FALSE(loop->mailbox.may_sleep()) << "the loop must not sleep before that";
    loop->mailbox.deliver();
    EXPECT_EQ(loop->done.count, 3);
    EXPECT_EQ(loop->waker.wakes, 0u);
    EXPECT_EQ(thread->stats().operations, 3u);
    for (const ClaimOperation& operation : claims) {
        EXPECT_TRUE(operation.status().has_value());
        EXPECT_EQ(operation.outcome.verdict, ClaimVerdict::granted);
    }
}

TEST_F(LoopCommitsTest, ATurnThatOnlyLooksWritesNothing) {
    claim(1);
    turn();
    claim(1).request.request_id = samples::id<RequestId>(2);
    turn();
    EXPECT_EQ(claims.back().outcome.verdict, ClaimVerdict::running);
    EXPECT_EQ(writes(), 1u);
}

TEST_F(LoopCommitsTest, AReadGoesToTheThreadAndSeesItsTurnsWrites) {
    AppendOperation append;
    samples::append_two_chunks(append);
    ReadOperation read;
    samples::read_body(read);
    loop->submit(append);
    loop->submit(read);
    turn();
    EXPECT_FALSE(append.in_flight());
    EXPECT_TRUE(read.in_flight());
    claim(1);
    turn();
    EXPECT_EQ(inline_batches(), 2u) << "a read that is away holds no write up";
    run_thread();
    EXPECT_EQ(read.chunks, (std::vector<std::string>{"one", "two"}));

    // And so it does when the write was left.
    store.set_busy(true);
    append.chunks[0].number = 2;
    append.chunks[1].number = 3;
    loop->submit(append);
    read.first = 2;
    loop->submit(read);
    turn();
    run_thread();
    EXPECT_EQ(read.chunks, (std::vector<std::string>{"one", "two"}));
}

TEST_F(LoopCommitsTest, NothingOvertakesWhatIsStillWithTheThread) {
    store.set_busy(true);
    claim(1);
    turn();
    EXPECT_EQ(handed_over(HandOver::store_busy), 1u);
    EXPECT_EQ(writes(), 0u);
    store.set_busy(false);
    FinishOperation& end = finish(1);
    turn();
    EXPECT_EQ(handed_over(HandOver::order), 1u);
    EXPECT_EQ(writes(), 0u);
    run_thread();
    EXPECT_TRUE(end.status().has_value());
    EXPECT_EQ(writes(), 2u);
    EXPECT_EQ(journal->open_count(), 0u);
    claim(2);
    turn();
    EXPECT_EQ(inline_batches(), 1u) << "all are back: the loop writes again";
}

// The journal's memory is ahead of the store then: with another batch before it the outbox would have a gap.
TEST_F(LoopCommitsTest, ABatchThatWasLeftIsTheNextOneWritten) {
    Turns other(*thread);
    claim(1);
    finish(1);
    store.set_busy(true);
    turn();
    store.set_busy(false);
    ClaimOperation second;
    second.request = samples::request(2);
    FinishOperation end;
    end.finish = samples::finish(second.request, 10);
    other.submit(second);
    other.submit(end);
    other.commits.end_turn();
    EXPECT_EQ(handed_over(HandOver::busy), 1u);
    EXPECT_EQ(writes(), 0u);
    run_thread();
    other.mailbox.deliver();
    EXPECT_EQ(loop->done.count, 2);
    EXPECT_EQ(other.done.count, 2);
    EXPECT_EQ(writes(), 2u);
    store.lose_power(1);  // the older write is kept, the newer one lost
    auto again = Journal::open(store, random);
    ASSERT_TRUE(again.has_value());
    const auto entries = (*again)->read_outbox(1, 10, SIZE_MAX);
    ASSERT_EQ(entries->size(), 1u);
    EXPECT_EQ(decode_settlement(entries->front().record)->request_id, samples::id<RequestId>(1));
}

TEST_F(LoopCommitsTest, AWriteThatFailsOnALoopFailsEverywhereForGood) {
    claim(1);
    turn();
    finish(1);
    turn();
    store.fail_write_after(0, ErrorCode::storage_full, false);
    ClaimOperation& refused = claim(2);
    ClaimOperation& repeated = claim(1);
    turn();
    EXPECT_EQ(refused.status().error().code, ErrorCode::storage_full);
    EXPECT_EQ(repeated.status().error().code, ErrorCode::storage_full) << "of the same group";
    EXPECT_TRUE(thread->failed());
    ClaimOperation& later = claim(3);
    ClaimOperation& replayed = claim(1);
    turn();
    EXPECT_EQ(handed_over(HandOver::failed), 1u);
    run_thread();
    EXPECT_EQ(later.status().error().code, ErrorCode::storage_full);
    EXPECT_EQ(replayed.outcome.verdict, ClaimVerdict::finished) << "what is stored is still told";
    EXPECT_EQ(writes(), 2u);
}

TEST_F(LoopCommitsTest, ALeftBatchWhoseWriteFailsIsRefusedWhole) {
    ClaimOperation& first = claim(1);
    store.set_busy(true);
    turn();
    store.fail_write_after(0, ErrorCode::storage_failed, true);
    ClaimOperation& second = claim(2);
    turn();
    run_thread();
    EXPECT_EQ(first.status().error().code, ErrorCode::storage_failed);
    EXPECT_EQ(second.status().error().code, ErrorCode::storage_failed);
    EXPECT_TRUE(thread->failed());
    EXPECT_EQ(loop->done.count, 2);
}

// The second one: the first slow write may have been one that lost its processor.
TEST_F(LoopCommitsTest, SlowWritesSendTheNextOnesToTheThreadForAHundredTimesAsLong) {
    Nanoseconds takes_ns = limits::inline_commit_ns_max;
    store.on_write([&] {
        clock.advance(takes_ns);
        waits_of_the_loop += takes_ns > 0;
    });
    const auto turn_of = [&](std::uint64_t number) {
        claim(number);
        turn();
    };
    turn_of(1);
    turn_of(2);
    takes_ns = 2 * millisecond;
    turn_of(3);
    EXPECT_EQ(inline_batches(), 3u);
    turn_of(4);
    EXPECT_EQ(inline_batches(), 4u) << "watched, not yet paused";
    takes_ns = 0;
    turn_of(5);
    EXPECT_EQ(handed_over(HandOver::slow_disk), 1u);
    run_thread();
    clock.advance(200 * millisecond - 1);
    turn_of(6);
    EXPECT_EQ(handed_over(HandOver::slow_disk), 2u);
    run_thread();
    clock.advance(1);
    takes_ns = 3'600 * second;
    turn_of(7);
    EXPECT_EQ(inline_batches(), 5u);
    takes_ns = 0;
    turn_of(8);
    EXPECT_EQ(handed_over(HandOver::slow_disk), 3u) << "still watched: one is enough";
    run_thread();
    clock.advance(limits::inline_pause_ns_max);
    turn_of(9);
    EXPECT_EQ(inline_batches(), 6u) << "the pause has an end";
}

// On a processor that it shares a loop is taken off in the middle of a write, some milliseconds at a time.
TEST_F(LoopCommitsTest, AWriteThatLostItsProcessorIsNotTheDisks) {
    store.on_write([&] { clock.advance(3 * millisecond); });
    for (std::uint64_t number = 1; number <= 20; ++number) {
        claim(number);
        turn();
    }
    EXPECT_EQ(inline_batches(), 20u);
}

TEST_F(LoopCommitsTest, SlowWritesThatAreFarApartPauseNothing) {
    store.on_write([&] {
        clock.advance(2 * millisecond);
        ++waits_of_the_loop;
    });
    for (std::uint64_t number = 1; number <= 20; ++number) {
        claim(number);
        turn();
        clock.advance(200 * millisecond);
    }
    EXPECT_EQ(inline_batches(), 20u);
}

TEST_F(LoopCommitsTest, ALargeTurnIsLeftToTheThread) {
    AppendOperation append;
    append.arena.assign(limits::inline_commit_bytes_max + 1, 'x');
    append.chunks.push_back({samples::id<BodyId>(1), 0, 0, append.arena.size(), 0, 0});
    loop->submit(append);
    turn();
    EXPECT_EQ(handed_over(HandOver::large), 1u);
    run_thread();
    for (std::uint64_t number = 1; number <= limits::inline_commit_rows_max + 1; ++number)
        claim(number);
    turn();
    EXPECT_EQ(handed_over(HandOver::large), 2u);
    run_thread();
    EXPECT_EQ(inline_batches(), 0u);
    claim(1'000);
    turn();
    EXPECT_EQ(inline_batches(), 1u) << "sizes are of a turn";
}

TEST_F(LoopCommitsTest, AtPowerNothingIsWrittenOnALoop) {
    use(Durability::power);
    const std::uint64_t synced = store.synced_writes_count();
    claim(1);
    run_thread();  // it has it before the turn ends
    EXPECT_EQ(loop->done.count, 1);
    EXPECT_EQ(store.synced_writes_count(), synced + 1);
    finish(1);
    turn();
    EXPECT_EQ(loop->done.count, 1);
    run_thread();
    EXPECT_EQ(loop->done.count, 2);
    EXPECT_EQ(inline_batches(), 0u);
}

TEST_F(LoopCommitsTest, TheAgentIsToldOfWhatALoopHasWritten) {
    Mailbox agent(loop->waker);
    Counter told;
    thread->on_outbox(agent, when_done<&Counter::add>(&told));
    ASSERT_TRUE(thread->await_outbox(0));
    claim(1);
    finish(1);
    turn();
    agent.deliver();
    EXPECT_EQ(told.count, 1);
    EXPECT_EQ(thread->stats().outbox_last, 1u);
    thread->off_outbox();
}

// The thread is held inside the store: a loop that has work goes on at once.
TEST_F(LoopCommitsTest, ALoopDoesNotWaitForAThreadThatWrites) {
    std::latch inside(1), go_on(1);
    std::atomic<bool> hold{true};
    store.on_write([&] {
        if (!hold.exchange(false)) return;
        inside.count_down();
        go_on.wait();
    });
    ClaimOperation of_thread;
    of_thread.request = samples::request(1);
    thread->start();
    thread->submit(of_thread, loop->mailbox, when_done<&Counter::add>(&loop->done));
    inside.wait();
    claim(2);
    turn();
    EXPECT_EQ(handed_over(HandOver::busy), 1u);
    EXPECT_EQ(loop->done.count, 0);
    go_on.count_down();
    thread->stop();
    loop->mailbox.deliver();
    EXPECT_EQ(loop->done.count, 2);
}

// One loop on its own thread: claims and ends requests, several under way, as fast as it can.
class BusyLoop {
  public:
    BusyLoop(CommitThread& thread, std::uint64_t first) : turns_(thread), first_(first) {}
    static constexpr std::uint64_t requests = 600;

    void run() {
        while (ended_ < requests) {
            const std::uint32_t seen = turns_.waker.wakes.load();
            const bool mail = turns_.mailbox.deliver() > 0;
            for (Request& request : slots_) step(request);
            turns_.commits.end_turn();
            if (!mail && turns_.mailbox.may_sleep()) turns_.waker.wakes.wait(seen);
        }
    }

  private:
    enum class Phase : std::uint8_t { idle, claiming, ending };
    struct Request {
        Phase phase = Phase::idle;
        std::uint64_t number = 0;
        ClaimOperation claim;
        FinishOperation finish;
    };
    void step(Request& request) {
        if (request.phase == Phase::claiming && !request.claim.in_flight()) {
            ASSERT_EQ(request.claim.outcome.verdict, ClaimVerdict::granted);
            request.finish.finish = samples::finish(samples::request(request.number), 1);
            request.phase = Phase::ending;
            turns_.submit(request.finish);
        } else if (request.phase == Phase::ending && !request.finish.in_flight()) {
            ASSERT_TRUE(request.finish.status().has_value());
            ++ended_;
            request.phase = Phase::idle;
        }
        if (request.phase != Phase::idle || begun_ == requests) return;
        request.number = first_ + begun_++;
        request.claim.request = samples::request(request.number);
        request.phase = Phase::claiming;
        turns_.submit(request.claim);
    }

    Turns turns_;
    const std::uint64_t first_;
    std::uint64_t begun_ = 0, ended_ = 0;
    std::array<Request, 7> slots_;
};

// Two loops, the commit thread with work of its own, and a store that is busy every third time it is tried.
TEST_F(LoopCommitsTest, LoopsAndThreadWriteOneHistory) {
    std::atomic<std::uint64_t> tried{0};
    store.on_write([&] { store.set_busy(tried.fetch_add(1) % 3 == 0); });
    thread->start();
    BusyLoop first(*thread, 10'000), second(*thread, 20'000);
    std::thread first_thread([&first] { first.run(); });
    std::thread second_thread([&second] { second.run(); });
    CountingWaker waker;
    Mailbox mailbox(waker);
    Counter answered;
    std::deque<CallOperation> calls(200);
    for (CallOperation& call : calls) {
        call.call = [](Journal& its, Store&, Batch& batch) -> Status {
            return its.truncate_outbox(its.outbox().applied, 1, batch);
        };
        const std::uint32_t seen = waker.wakes.load();
        thread->submit(call, mailbox, when_done<&Counter::add>(&answered));
        if (mailbox.deliver() == 0 && mailbox.may_sleep()) waker.wakes.wait(seen);
    }
    first_thread.join();
    second_thread.join();
    thread->stop();
    mailbox.deliver();
    EXPECT_EQ(answered.count, 200);
    EXPECT_EQ(journal->open_count(), 0u);
    EXPECT_EQ(journal->outbox().last, 2 * BusyLoop::requests);
    auto again = Journal::open(store, random);
    ASSERT_TRUE(again.has_value()) << "the store has the chain without a gap";
    EXPECT_EQ((*again)->outbox().last, 2 * BusyLoop::requests);
    EXPECT_EQ((*again)->outbox().chain_at_last, journal->outbox().chain_at_last);
    EXPECT_EQ((*again)->lease({Journal::Scope::Kind::account, 7})->settled,
              static_cast<Nano>(2 * BusyLoop::requests));
}

}  // namespace
}  // namespace nodex::storage::loop_commits_test
