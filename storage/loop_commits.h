// LoopCommits: a loop's way to the journal. What its turn has submitted is committed together at the
// end of the turn: by the loop itself, when nobody else is writing and it takes a moment, else by
// the commit thread. The loop saves two changes of threads and never waits for another writer.
#pragma once
#include <vector>

#include "storage/commit_thread.h"

namespace nodex::storage {

class LoopCommits {
  public:
    // `mailbox`: of the loop. All verbs are called by its thread.
    LoopCommits(CommitThread& thread, Mailbox& mailbox) noexcept;
    ~LoopCommits();

    // The callback runs when mail is delivered, never inside. Whoever calls it sees to it that
    // end_turn() is called before the loop sleeps.
    void submit(Operation& operation, OperationDone done) noexcept;
    // Commits what has been submitted, or hands it over. Writes stay in their order, and a read sees
    // every write that was submitted before it.
    void end_turn() noexcept;

  private:
    friend class Operation;
    static void came_back(Operation& operation) noexcept;
    void end_writes() noexcept;
    [[nodiscard]] GroupCommit::Tried try_commit(HandOver& reason) noexcept;

    CommitThread& thread_;
    Mailbox& mailbox_;
    std::vector<Operation*> writes_;  // of this turn, in order
    std::vector<Operation*> reads_;   // of this turn
    std::size_t rows_ = 0;            // of the writes together
    std::size_t bytes_ = 0;
    std::size_t writes_away_ = 0;  // with the commit thread
};

}  // namespace nodex::storage
