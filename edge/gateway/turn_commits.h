// TurnCommits: what a core's turn wants durable, committed together, behind the rest of
// the turn.
#pragma once
#include "edge/io/loop.h"
#include "storage/loop_commits.h"

namespace nodex::gateway {

class TurnCommits {
  public:
    TurnCommits(Loop& loop, storage::CommitThread& commits) noexcept
        : loop_(loop), commits_(commits, loop.mailbox()) {}

    // Loop thread. The callback runs when mail is delivered, never inside.
    void submit(storage::Operation& operation, storage::OperationDone done) noexcept {
        commits_.submit(operation, done);
        at_turn_end<&TurnCommits::end_turn>(loop_, task_, this);
    }

  private:
    // Twice back to the end of the queue: behind the tasks that seal what has come, and behind the one
    // that gathers what was sealed (append_log.h), so that a turn is one write.
    void end_turn() noexcept {
        if (++passes_ <= 2) return at_turn_end<&TurnCommits::end_turn>(loop_, task_, this);
        passes_ = 0;
        commits_.end_turn();
    }

    Loop& loop_;
    storage::LoopCommits commits_;
    TurnTask task_;
    unsigned passes_ = 0;
};

}  // namespace nodex::gateway
