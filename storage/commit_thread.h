// CommitThread: the one writer. Takes operations from all cores through a mailbox, merges what is
// waiting into one batch (group commit), writes it at the configured durability, then posts every
// operation back to the mailbox it came from. Operations are members of their owners and are joined
// like completions.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/clock.h"
#include "edge/base/histogram.h"
#include "edge/base/mailbox.h"
#include "storage/append_tap.h"
#include "storage/journal.h"
#include "storage/operation_done.h"
#include "storage/store.h"

namespace nodex::storage {

class CommitThread;

// Base of all operations. After the callback `status()` tells success; results are in the derived
// class.
class Operation {
  public:
    virtual ~Operation() { NX_ASSERT(!in_flight_); }
    [[nodiscard]] bool in_flight() const noexcept { return in_flight_; }
    [[nodiscard]] const Status& status() const noexcept { return status_; }

  protected:
    Operation() noexcept;
    // Commit thread: adds to the batch, or reads. What it answers becomes status(), unless the
    // write fails. An operation that refuses must have added nothing to the batch.
    virtual Status apply(Journal& journal, Store& store, Batch& batch, std::int64_t now_ms) = 0;
    // Whether what it added needs the configured durability; false: `process` will do (B3, B5, B6).
    [[nodiscard]] virtual bool must_survive_power_loss() const noexcept { return true; }
    // Runs when the batch it came with is in the store, and adds nothing: reads.
    [[nodiscard]] virtual bool after_write() const noexcept { return false; }
    // Instead of apply() once a write has failed: nothing can be promised any more, but what was
    // acknowledged is still there to be read. `failure` where the answer would need a write.
    virtual Status apply_read_only(Journal&, Store&, std::int64_t now_ms, Error failure) {
        (void)now_ms;
        return failure;
    }

  private:
    friend class CommitThread;
    struct Link final : Mail {
        Link(Run run, Operation& owner) noexcept : Mail(run), operation(owner) {}
        Operation& operation;
    };
    Link link_;
    Mailbox* reply_to_ = nullptr;
    CommitThread* thread_ = nullptr;
    OperationDone done_{};
    Status status_{};
    bool in_flight_ = false;
};

class ClaimOperation final : public Operation {
  public:
    OpenRequest request;        // in
    Owner owner;                // in
    bool look_up_only = false;  // in: Journal::look_up instead of claim
    ClaimOutcome outcome;       // out
  protected:
    Status apply(Journal&, Store&, Batch&, std::int64_t now_ms) override;
    Status apply_read_only(Journal&, Store&, std::int64_t now_ms, Error failure) override;
};

// Chunks of any number of running answers of one core: one operation a turn.
class AppendOperation final : public Operation {
  public:
    struct Chunk {
        BodyId body;
        std::uint32_t number;
        std::size_t sealed_offset, sealed_size;  // into arena
        std::size_t key_record_offset,
            key_record_size;  // into arena; size 0 but for the first chunk
    };
    std::vector<Chunk> chunks;  // in
    std::string arena;          // in
    void clear() noexcept {
        chunks.clear();
        arena.clear();
    }

  protected:
    Status apply(Journal&, Store&, Batch&, std::int64_t now_ms) override;
    [[nodiscard]] bool must_survive_power_loss() const noexcept override { return false; }
};

// The end of a request: last chunks, answer, settlement, claim, outbox: one write (B4).
class FinishOperation final : public Operation {
  public:
    Finish finish;  // in
    BodyId body;    // in: for `chunks`
    struct Chunk {
        std::uint32_t number;
        std::string sealed;
    };
    std::vector<Chunk> chunks;  // in: not yet appended
    std::string key_record;     // in: when the first chunk is among them
  protected:
    Status apply(Journal&, Store&, Batch&, std::int64_t now_ms) override;
};

class ReleaseOperation final : public Operation {
  public:
    RequestId request_id;  // in
  protected:
    Status apply(Journal&, Store&, Batch&, std::int64_t now_ms) override;
    // Undone by a power loss it is repeated by recovery: nothing was logged for that request.
    [[nodiscard]] bool must_survive_power_loss() const noexcept override { return false; }
};

// Reads sealed chunks [first, first + count) of a body, and its key record when asked.
class ReadOperation final : public Operation {
  public:
    BodyId body;                         // in
    std::uint32_t first = 0;             // in
    std::uint32_t count = 0;             // in
    std::size_t bytes_max = 256 * 1024;  // in: stops after the chunk that reaches it
    std::vector<std::string> chunks;     // out: fewer when absent
  protected:
    Status apply(Journal&, Store&, Batch&, std::int64_t now_ms) override;
    Status apply_read_only(Journal&, Store&, std::int64_t now_ms, Error failure) override;
    [[nodiscard]] bool after_write() const noexcept override { return true; }
};

// Anything else that must run on the commit thread (the agent's outbox reads, truncation, lease
// rows, KEKs).
class CallOperation final : public Operation {
  public:
    std::function<Status(Journal&, Store&, Batch&)> call;  // in
    bool sync = true;  // in: false when a power loss may undo it (B5 truncation, B6 feeds)
    bool reads_only = false;  // in: adds nothing, and sees what was submitted before it
  protected:
    Status apply(Journal&, Store&, Batch&, std::int64_t now_ms) override;
    [[nodiscard]] bool must_survive_power_loss() const noexcept override { return sync; }
    [[nodiscard]] bool after_write() const noexcept override { return reads_only; }
};

struct CommitStats {
    std::atomic<std::uint64_t> batches{0};
    std::atomic<std::uint64_t> operations{0};
    std::atomic<std::uint64_t> bytes{0};
    std::atomic<std::uint64_t> failures{0};
    Histogram batch_ns;  // one write, fsync included
    // The newest outbox record that is written. The agent's own position says how far it has read, and it
    // stops reading while the centre does not answer.
    std::atomic<std::uint64_t> outbox_last{0};
};

class CommitThread {
  public:
    // Owns the writing side of `store` and `journal` until stop(). `durability`: of B1, B4 and
    // CallOperations; B3 and B5 are always `process` when alone in a batch
    // (ARCHITECTURE.md, section 4).
    CommitThread(Store& store, Journal& journal, Clock& clock, Durability durability);
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
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::storage
