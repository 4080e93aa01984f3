// AppendTap: what a batch says of running answers, in references; once it is written, and bounded.
#include "storage/append_tap.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "storage/commit_thread.h"
#include "storage/sim_store.h"
#include "tests/unit/storage/samples.h"

namespace nodex::storage::append_tap_test {
namespace {

struct NoWaker final : Waker {
    void wake() noexcept override {}
};
struct Counter {
    int count = 0;
    void add() noexcept { ++count; }
};

class AppendTapTest : public ::testing::Test {
  protected:
    AppendTapTest() {
        auto opened = Journal::open(store, random);
        NX_ASSERT(opened.has_value());
        journal = std::move(*opened);
        commits = std::make_unique<CommitThread>(store, *journal, clock, Durability::power);
        commits->appends().listen(agent, when_done<&Counter::add>(&told));
    }
    ~AppendTapTest() override { commits->appends().stop_listening(); }
    void commit(std::function<void(Batch&)> work) {
        CallOperation operation;
        operation.call = [&work](Journal&, Store&, Batch& batch) -> Status {
            work(batch);
            return {};
        };
        commits->submit(operation, loop, when_done<&Counter::add>(&done));
        commits->run_once();
        loop.deliver();
    }

    SimStore store;
    SeededRandom random{1};
    ManualClock clock;
    NoWaker waker;
    Mailbox loop{waker}, agent{waker};
    Counter done, told;
    std::unique_ptr<Journal> journal;
    std::unique_ptr<CommitThread> commits;
    const OpenRequest request = samples::request(1);
};

TEST_F(AppendTapTest, TellsTheLifeOfAnAnswer) {
    commit([this](Batch& batch) { (void)journal->claim(request, {}, 1, batch); });
    commit([this](Batch& batch) {
        journal->append_chunk(request.answer, 0, "first", "key", batch);
        journal->append_chunk(request.answer, 1, "second!", "", batch);
    });
    commit([this](Batch& batch) { (void)journal->finish(samples::finish(request, 5), batch); });
    agent.deliver();
    EXPECT_EQ(told.count, 1);  // one mail, however many batches
    const AppendNews news = commits->appends().take();
    ASSERT_EQ(news.opened.size(), 1u);
    EXPECT_EQ(decode_open_request(news.opened[0])->request_id, request.request_id);
    ASSERT_TRUE(news.appended.contains(request.answer));
    EXPECT_EQ(news.appended.at(request.answer).chunks_count, 2u);
    EXPECT_EQ(news.appended.at(request.answer).bytes, 12u);
    ASSERT_EQ(news.finished.size(), 1u);
    EXPECT_EQ(decode_answer(news.finished[0])->request_id, request.request_id);
    EXPECT_EQ(news.ended, std::vector{request.request_id});
    EXPECT_TRUE(commits->appends().take().empty());
}

TEST_F(AppendTapTest, SaysNothingOfAWriteThatFailed) {
    store.fail_write_after(0, ErrorCode::storage_failed, false);
    commit([this](Batch& batch) { journal->append_chunk(request.answer, 0, "lost", "", batch); });
    EXPECT_TRUE(commits->appends().take().empty());
}

TEST_F(AppendTapTest, SaysNothingOfOtherRowsNorToNobody) {
    commit([](Batch& batch) { batch.put(Family::meta, "key", "value"); });
    EXPECT_EQ(agent.deliver(), 0u);
    commits->appends().stop_listening();
    commit([this](Batch& batch) { journal->append_chunk(request.answer, 0, "x", "", batch); });
    EXPECT_TRUE(commits->appends().take().empty());
    commits->appends().listen(agent, when_done<&Counter::add>(&told));
}

TEST_F(AppendTapTest, KeepsAtMostItsLimitAndSaysThatThereWasMore) {
    AppendTap tap;
    tap.listen();
    Batch batch;
    for (std::uint64_t i = 0; i < limits::append_news_max + 10; ++i)
        batch.put(Family::idem, "key", "answer");
    tap.record(batch);
    const AppendNews news = tap.take();
    EXPECT_TRUE(news.overflowed);
    EXPECT_EQ(news.finished.size(), limits::append_news_max);
    EXPECT_FALSE(tap.take().overflowed);
}

}  // namespace
}  // namespace nodex::storage::append_tap_test
