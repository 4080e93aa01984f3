// LoopCommits: here or over there, by turn.
#include "storage/loop_commits.h"

#include <utility>

#include "edge/base/limits.h"

namespace nodex::storage {

LoopCommits::LoopCommits(CommitThread& thread, Mailbox& mailbox) noexcept
    : thread_(thread), mailbox_(mailbox) {}

LoopCommits::~LoopCommits() {
    NX_ASSERT(writes_.empty());
    NX_ASSERT(reads_.empty());
    NX_ASSERT(writes_away_ == 0);
}

// At `power` nothing is ever written here: an fsync holds a loop up for milliseconds. The thread
// then begins at once, beside the rest of the turn.
void LoopCommits::submit(Operation& operation, OperationDone done) noexcept {
    thread_.accept(operation, mailbox_, done);
    if (thread_.group().durability() == Durability::power) return thread_.hand_over(operation);
    if (operation.after_write()) return reads_.push_back(&operation);
    const Operation::Extent extent = operation.extent();
    rows_ += extent.rows;
    bytes_ += extent.bytes;
    writes_.push_back(&operation);
}

void LoopCommits::end_turn() noexcept {
    if (!writes_.empty()) end_writes();
    for (Operation* operation : reads_) thread_.hand_over(*operation);
    reads_.clear();
}

void LoopCommits::end_writes() noexcept {
    HandOver reason = HandOver::order;
    const GroupCommit::Tried tried = try_commit(reason);
    if (tried != GroupCommit::Tried::done) {
        for (Operation* operation : writes_) {
            operation->loop_ = this;
            ++writes_away_;
            if (tried == GroupCommit::Tried::not_begun) thread_.hand_over(*operation);
        }
        if (tried == GroupCommit::Tried::left) thread_.wake();
        thread_.stats().handed_over[static_cast<std::size_t>(reason)].fetch_add(
            1, std::memory_order_relaxed);
    }
    writes_.clear();
    rows_ = 0;
    bytes_ = 0;
}

GroupCommit::Tried LoopCommits::try_commit(HandOver& reason) noexcept {
    if (writes_away_ > 0) {
        reason = HandOver::order;
        return GroupCommit::Tried::not_begun;
    }
    if (rows_ > limits::inline_commit_rows_max || bytes_ > limits::inline_commit_bytes_max) {
        reason = HandOver::large;
        return GroupCommit::Tried::not_begun;
    }
    return thread_.group().try_commit(writes_, reason);
}

void LoopCommits::came_back(Operation& operation) noexcept {
    LoopCommits& loop = *std::exchange(operation.loop_, nullptr);
    NX_ASSERT(loop.writes_away_ > 0);
    --loop.writes_away_;
}

}  // namespace nodex::storage
