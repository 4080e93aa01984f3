// What only the kernel's loop has: waking, sleeping, the empty buffer ring, restrictions.
#include "edge/io/uring_loop.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>
#include <vector>

#include "edge/io/self_test.h"
#include "edge/io/uring_errors.h"

namespace nodex {
namespace {

std::unique_ptr<UringLoop> make_loop(unsigned recv_buffers_count = 8) {
    auto made = UringLoop::create({.submission_entries = 8,
                                   .completion_entries = 64,
                                   .recv_buffers_count = recv_buffers_count,
                                   .recv_buffer_bytes = 1'024});
    NX_ASSERT(made.has_value());
    return std::move(*made);
}

struct Letter final : Mail {
    explicit Letter(Loop& its_loop) noexcept
        : Mail([](Mail& mail) noexcept { static_cast<Letter&>(mail).read(); }), loop(its_loop) {}
    void read() noexcept {
        ++count;
        loop.stop();
    }
    Loop& loop;
    int count = 0;
};

TEST(RingRestrictions, RefuseToOpenFilesAndMakeSockets) {
    EXPECT_TRUE(check_ring_restrictions().has_value());
}

// Made here, run there: the thread that runs a loop need not be the one that made it. A sleeping loop has
// nothing to wake it but the letter.
TEST(UringLoop, IsWokenByMailFromAnotherThread) {
    const auto loop = make_loop();
    for (int round = 1; round <= 50; ++round) {
        Letter letter(*loop);
        if (round == 1) loop->mailbox().post(letter);  // before the first turn
        std::thread sender([&] {
            if (round > 1) loop->mailbox().post(letter);
        });
        loop->run();
        sender.join();
        EXPECT_EQ(letter.count, 1);
    }
    EXPECT_EQ(loop->stats().mail_delivered.load(), 50u);
}

TEST(UringLoop, RunsOnTheThreadThatCallsRun) {
    const auto loop = make_loop();
    Letter letter(*loop);
    std::thread runner([&] { loop->run(); });
    loop->mailbox().post(letter);
    runner.join();
    EXPECT_EQ(letter.count, 1);
}

TEST(UringLoop, SleepsUntilTheNextTimerAndNotMuchMore) {
    const auto loop = make_loop();
    struct Stop {
        Loop& loop;
        Timer timer;
        Nanoseconds fired_ns = 0;
        void run() noexcept {
            fired_ns = loop.clock().now_ns();
            loop.stop();
        }
    } stop{*loop, {}};
    const Nanoseconds deadline_ns = loop->clock().now_ns() + 20 * millisecond;
    start_timer<&Stop::run>(loop->timers(), stop.timer, deadline_ns, &stop);
    loop->run();
    EXPECT_GE(stop.fired_ns, deadline_ns);
    EXPECT_LE(loop->stats().turns.load(), 5u);  // slept, not spun
    EXPECT_EQ(loop->stats().enters.load(), loop->stats().turns.load());
}

TEST(UringLoop, RunsTurnTasksOnceAndInOrder) {
    const auto loop = make_loop();
    static std::vector<int> order;
    order.clear();
    struct Task {
        Loop& loop;
        int number;
        TurnTask task;
        void run() noexcept {
            order.push_back(number);
            if (number == 1) at_turn_end<&Task::run>(loop, task, this), number = 9;
            if (number == 2) loop.stop();
        }
    };
    Task tasks[] = {{*loop, 1, {}}, {*loop, 2, {}}, {*loop, 3, {}}};
    for (Task& task : tasks) {
        at_turn_end<&Task::run>(*loop, task.task, &task);
        at_turn_end<&Task::run>(*loop, task.task, &task);
    }
    {
        Task gone{*loop, 4, {}};
        at_turn_end<&Task::run>(*loop, gone.task, &gone);
    }
    loop->run();
    EXPECT_EQ(order, (std::vector<int>{1, 2, 3, 9}));
}

// What a commit at a turn's end answers. Mail that posts itself again waits for the next turn: the ring
// has its turn between.
TEST(UringLoop, DeliversWhatATurnsTasksPostInThatTurnAndOnlyOnce) {
    const auto loop = make_loop();
    struct Echo final : Mail {
        explicit Echo(Loop& its_loop) noexcept
            : Mail([](Mail& mail) noexcept { static_cast<Echo&>(mail).read(); }), loop(its_loop) {}
        void post() noexcept {
            posted_in.push_back(loop.stats().turns.load());
            loop.mailbox().post(*this);
        }
        void read() noexcept {
            read_in.push_back(loop.stats().turns.load());
            at_turn_end<&Echo::answer>(loop, task, this);
        }
        void answer() noexcept {
            if (read_in.size() == 3) return loop.stop();
            post();
        }
        Loop& loop;
        TurnTask task;
        std::vector<std::uint64_t> posted_in, read_in;
    } echo(*loop);
    at_turn_end<&Echo::post>(*loop, echo.task, &echo);
    loop->run();
    ASSERT_EQ(echo.read_in.size(), 3u);
    EXPECT_EQ(echo.read_in[0], echo.posted_in[0]);      // by a task of the turn
    EXPECT_EQ(echo.read_in[1], echo.posted_in[1] + 1);  // by a task of that mail: the next turn
    EXPECT_EQ(echo.read_in[2], echo.posted_in[2]);
    EXPECT_EQ(loop->stats().mail_delivered.load(), 3u);
}

// More receives at once than there are buffers: some are told -ENOBUFS, and all data arrives when they ask
// again.
TEST(UringLoop, EmptyBufferRingIsAStallAndNotALoss) {
    const auto loop = make_loop(2);
    struct Reader {
        explicit Reader(Loop& its_loop) noexcept : loop(its_loop) {}
        Loop& loop;
        int ends[2] = {-1, -1};
        Completion completion;
        std::string received;
        unsigned stalls = 0;
        bool over = false;
        void read() noexcept { loop.io().recv(completion, ends[0], then<&Reader::read_done>(this)); }
        void read_done(std::int32_t result) noexcept {
            if (result > 0) received.append(completion.received());
            if (result == -ENOBUFS) {
                ++stalls;
                EXPECT_FALSE(completion.in_flight());
                return read();
            }
            if (result == 0) over = true;
            loop.stop();
        }
    };
    std::vector<std::unique_ptr<Reader>> readers;
    const std::string source(5'000, 'd');
    for (int i = 0; i < 6; ++i) {
        readers.push_back(std::make_unique<Reader>(*loop));
        Reader& reader = *readers.back();
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, reader.ends), 0);
        ASSERT_EQ(::write(reader.ends[1], source.data(), source.size()), static_cast<ssize_t>(source.size()));
        ::close(reader.ends[1]);
        reader.read();
    }
    unsigned stalls = 0;
    for (auto& reader : readers) {
        while (!reader->over) loop->run();
        EXPECT_EQ(reader->received, source);
        stalls += reader->stalls;
        ::close(reader->ends[0]);
    }
    EXPECT_GT(stalls, 0u);
    EXPECT_EQ(loop->stats().buffers_exhausted.load(), stalls);
}

TEST(UringErrors, TellWhoseFaultAndWhetherToRetry) {
    EXPECT_EQ(error_of(Operation::connect, -ECONNREFUSED).code, ErrorCode::connection_refused);
    EXPECT_EQ(error_of(Operation::recv, -ECONNRESET).code, ErrorCode::connection_reset);
    EXPECT_TRUE(error_of(Operation::recv, -ENOBUFS).retryable);
    EXPECT_EQ(error_of(Operation::accept, -EMFILE).code, ErrorCode::out_of_descriptors);
    EXPECT_EQ(error_of(Operation::send, -EXDEV).code, ErrorCode::io_failure);
    EXPECT_EQ(error_of(Operation::send, -EXDEV).os_errno, EXDEV);
}

TEST(UringErrorsDeathTest, NameTheOperationWhenTheMistakeIsOurs) {
    EXPECT_DEATH(error_of(Operation::recv, -EBADF), "recv: an errno of our making");
    EXPECT_DEATH(error_of(Operation::close, -EBADF), "close: an errno of our making");
}

TEST(CompletionDeathTest, MayNotBeDestroyedInFlight) {
    EXPECT_DEATH(
        {
            const auto loop = make_loop();
            int ends[2];
            (void)socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
            Completion completion;
            loop->io().recv(completion, ends[0], {[](void*, std::int32_t) noexcept {}, nullptr});
        },
        "in_flight_");
}

}  // namespace
}  // namespace nodex
