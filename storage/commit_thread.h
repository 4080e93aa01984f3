// CommitThread: the writer that may wait. Takes operations from all cores and the agent through a
// mailbox and commits what is waiting in groups (group_commit.h). At durability `process` loops
// write by themselves what takes a moment (loop_commits.h) and leave the rest to this thread.
#pragma once
#include <memory>

#include "storage/group_commit.h"

namespace nodex::storage {

class CommitThread {
  public:
    // Owns the writing side of `store` and `journal`, with the loops that write by themselves, until
    // stop(). `durability`: of B1, B4 and CallOperations; B3 and B5 are always `process` when alone
    // in a batch (ARCHITECTURE.md, section 4).
    CommitThread(Store& store, Journal& journal, Clock& clock, Durability durability,
                 SlowWrites::ThreadWaits waits = thread_waits);
    ~CommitThread();
    void start();
    void
    stop();  // finishes what was submitted before, then joins; nothing may be submitted after it

    // Any thread; the callback runs on the thread that owns `reply_to`.
    void submit(Operation& operation, Mailbox& reply_to, OperationDone done) noexcept;
    // Whom to tell that the outbox has grown: the agent, by at most one mail, and only while it
    // awaits it. At thousands of requests a second being told of each batch cost more than shipping.
    void on_outbox(Mailbox& mailbox, OperationDone notify) noexcept;
    // The thread that owns that mailbox, when no such mail is on its way. True: it will be told
    // once, as soon as the outbox holds more than `known`. False: it does already, no mail comes.
    [[nodiscard]] bool await_outbox(std::uint64_t known) noexcept;
    // The thread that owns that mailbox, before it goes away: after this no mail of ours is in it
    // or will come.
    void off_outbox() noexcept;
    // What is written about running answers, for the agent.
    [[nodiscard]] AppendTap& appends() noexcept;

    // A write failed: none will succeed any more. Claims whose answer is stored, and reads, still do.
    [[nodiscard]] bool failed() const noexcept;
    [[nodiscard]] CommitStats& stats() noexcept;

    // Simulator and tests: runs what is waiting on the calling thread instead of start().
    void run_once() noexcept;

  private:
    friend class Operation;
    friend class LoopCommits;
    void accept(Operation& operation, Mailbox& reply_to, OperationDone done) noexcept;
    void hand_over(Operation& operation) noexcept;
    [[nodiscard]] GroupCommit& group() noexcept;
    void wake() noexcept;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::storage
