// kill -9: what a store acknowledged is there afterwards. A program of its own, because its children must be
// forked before RocksDB makes a thread: neither RocksDB nor the thread sanitizer works on after such a fork.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "storage/loop_commits.h"
#include "storage/rocks_store.h"
#include "tests/unit/storage/samples.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage {
namespace {

// Claims and finishes requests through a journal, for ever, and tells every acknowledged one.
[[noreturn]] void serve_by_hand(const RocksOptions& options, std::uint64_t first, int told) {
    auto store = RocksStore::open(options);
    auto journal = Journal::open(**store);
    Batch writes;
    for (std::uint64_t number = first;; ++number) {
        auto claimed = (*journal)->claim(samples::request(number), {}, 1, writes);
        bool ok = claimed.has_value() && (*store)->write(writes, Durability::process).has_value();
        writes.clear();
        ok = ok && (number % 3 == 0 ||
                    ((*journal)->finish(samples::finish(samples::request(number), 1), writes).has_value() &&
                     (*store)->write(writes, Durability::process).has_value()));
        writes.clear();
        if (!ok || ::write(told, &number, sizeof number) != sizeof number) ::_exit(1);
    }
}

struct NoWaker final : Waker {
    void wake() noexcept override {}
};
struct NoNews {
    void ignore() {}
};

// The same through a loop that commits by itself.
[[noreturn]] void serve_on_a_loop(const RocksOptions& options, std::uint64_t first, int told) {
    auto store = RocksStore::open(options);
    auto journal = Journal::open(**store);
    CommitThread thread(**store, **journal, system_clock(), Durability::process);
    NoWaker waker;
    Mailbox mailbox(waker);
    LoopCommits commits(thread, mailbox);
    NoNews news;
    ClaimOperation claim;
    FinishOperation finish;
    const auto commit = [&](Operation& operation) {
        commits.submit(operation, when_done<&NoNews::ignore>(&news));
        commits.end_turn();
        thread.run_once();  // what could not be written at once
        mailbox.deliver();
        return operation.status().has_value();
    };
    for (std::uint64_t number = first;; ++number) {
        claim.request = samples::request(number);
        finish.finish = samples::finish(claim.request, 1);
        const bool ok = commit(claim) && (number % 3 == 0 || commit(finish));
        if (!ok || ::write(told, &number, sizeof number) != sizeof number) ::_exit(1);
    }
}

// A child that serves once it is told to, until its own progress says when it is killed.
class Victim {
  public:
    using Serve = void (*)(const RocksOptions&, std::uint64_t first, int told);
    Victim(const RocksOptions& options, std::uint64_t kill_after, Serve serve)
        : kill_after_(kill_after) {
        NX_ASSERT(::pipe(go_.data()) == 0);
        NX_ASSERT(::pipe(told_.data()) == 0);
        child_ = ::fork();
        NX_ASSERT(child_ >= 0);
        // Ends that the other side or a later child would keep open: each pipe must end with its one writer.
        ::close(child_ > 0 ? told_[1] : told_[0]);
        if (child_ > 0) return;
        ::close(go_[1]);
        char go = 0;
        if (::read(go_[0], &go, 1) != 1) ::_exit(1);
        serve(options, kill_after * 10'000, told_[1]);
    }
    ~Victim() {
        for (const int fd : {go_[0], go_[1], told_[0]}) ::close(fd);
    }
    Victim(const Victim&) = delete;
    Victim& operator=(const Victim&) = delete;

    // What it acknowledged before it died.
    std::vector<std::uint64_t> run() {
        NX_ASSERT(::write(go_[1], "g", 1) == 1);
        std::vector<std::uint64_t> acknowledged;
        std::uint64_t number = 0;
        while (::read(told_[0], &number, sizeof number) == sizeof number) {
            acknowledged.push_back(number);
            if (acknowledged.size() == kill_after_) ::kill(child_, SIGKILL);  // more may follow from the pipe
        }
        int status = 0;
        EXPECT_EQ(::waitpid(child_, &status, 0), child_);
        EXPECT_TRUE(WIFSIGNALED(status));
        EXPECT_GE(acknowledged.size(), kill_after_);
        return acknowledged;
    }

  private:
    const std::uint64_t kill_after_;
    std::array<int, 2> go_{};
    std::array<int, 2> told_{};
    pid_t child_ = -1;
};

TEST(RocksStoreKill, KeepsEveryAcknowledgedOperationAcrossKill9) {
    TemporaryDirectory directory;
    ManualClock clock;
    RocksOptions options;
    options.path = directory.path() + "/data";
    options.clock = &clock;
    std::array<Victim, 4> victims{Victim(options, 1, serve_on_a_loop), Victim(options, 37, serve_by_hand),
                                  Victim(options, 210, serve_on_a_loop),
                                  Victim(options, 400, serve_by_hand)};
    for (Victim& victim : victims) {
        const std::vector<std::uint64_t> acknowledged = victim.run();
        const auto store = RocksStore::open(options);
        ASSERT_TRUE(store.has_value());
        auto journal = Journal::open(**store);
        ASSERT_TRUE(journal.has_value());
        Batch batch;
        for (const std::uint64_t told : acknowledged) {
            OpenRequest again = samples::request(told);
            again.request_id = samples::id<RequestId>(told, 'r');
            const auto found = (*journal)->look_up(again, 1, batch);
            ASSERT_TRUE(found.has_value());
            EXPECT_EQ(found->verdict, told % 3 == 0 ? ClaimVerdict::running : ClaimVerdict::finished) << told;
        }
    }
}

}  // namespace
}  // namespace nodex::storage
