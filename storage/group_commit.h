// GroupCommit: operations become one batch, the batch one write, and every operation is answered in
// the mailbox it came from. One thread at a time: whoever has work takes the baton. The commit
// thread waits for it; a loop, at the end of its turn, only tries (loop_commits.h).
//
//   free --commit()------> apply until a limit --> write --------> reads, answers --> free
//   free --try_commit()--> apply all -----------> try to write --> answers ---------> free
//                                                     '--> left: applied, not written
//   left --commit()------> write it, answer it, then as from free
//
// The journal's memory is ahead of the store while a batch is left, so that very batch is the next
// one written: only commit() goes on from there.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "edge/base/clock.h"
#include "edge/base/histogram.h"
#include "storage/append_tap.h"
#include "storage/notice.h"
#include "storage/operation.h"
#include "storage/slow_writes.h"

namespace nodex::storage {

// Why a loop did not write what it had.
enum class HandOver : std::uint8_t {
    order,       // earlier operations of this loop are still with the commit thread
    large,       // more than limits::inline_commit_rows_max or _bytes_max
    busy,        // another thread commits
    store_busy,  // another thread writes to the same store, or it stalls writes
    slow_disk,   // a loop's writes took too long a moment ago (slow_writes.h)
    failed,      // no write will succeed any more
    count
};
const char* name(HandOver reason) noexcept;

struct CommitStats {
    std::atomic<std::uint64_t> batches{0};
    std::atomic<std::uint64_t> inline_batches{0};  // of them, written by a loop
    std::atomic<std::uint64_t> operations{0};
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<std::uint64_t> failures{0};
    // Turns whose operations a loop handed over to the commit thread, by reason.
    std::array<std::atomic<std::uint64_t>, static_cast<std::size_t>(HandOver::count)> handed_over{};
    Histogram batch_ns;  // one write, fsync included
    // The newest outbox record that is written. The agent's own position says how far it has read, and it
    // stops reading while the centre does not answer.
    std::atomic<std::uint64_t> outbox_last{0};
};

class GroupCommit {
  public:
    // Owns the writing side of `store` and `journal`. `durability`: of B1, B4 and CallOperations.
    // `waits`: how often the calling thread has waited so far (thread_waits()).
    GroupCommit(Store& store, Journal& journal, Clock& clock, Durability durability,
                SlowWrites::ThreadWaits waits);
    ~GroupCommit();

    // The commit thread (or whoever drives it by hand). First what a loop has left, then one batch
    // from the front of `waiting`: at most limits::commit_batch_operations_max, ended by the one
    // that reaches limits::commit_batch_bytes_max. How many were answered: they may be gone.
    // After a failed write: all of them, by what the store has.
    std::size_t commit(std::span<Operation* const> waiting) noexcept;

    enum class Tried : std::uint8_t {
        done,      // written, or failed: all are answered
        not_begun, // nothing happened to any of them: `reason` says why
        left,      // applied, and theirs is the next batch: commit() must be called soon
    };
    // A loop: all of `operations`, none of which reads, in one batch at `process`. Waits for nobody.
    Tried try_commit(std::span<Operation* const> operations, HandOver& reason) noexcept;

    [[nodiscard]] Durability durability() const noexcept;
    // Any thread.
    [[nodiscard]] bool failed() const noexcept;
    [[nodiscard]] CommitStats& stats() noexcept;
    [[nodiscard]] AppendTap& appends() noexcept;
    // CommitThread's verbs of the same names.
    void on_outbox(Mailbox& mailbox, OperationDone notify) noexcept;
    [[nodiscard]] bool await_outbox(std::uint64_t known) noexcept;
    void off_outbox() noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::storage
