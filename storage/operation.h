// Operations: what the journal is asked to do, each a member of its owner and joined like a completion.
// A group commit (group_commit.h) applies them; what each does is in operations.cc.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "edge/base/mailbox.h"
#include "storage/journal.h"
#include "storage/operation_done.h"
#include "storage/store.h"

namespace nodex::storage {

class CommitThread;
class GroupCommit;
class LoopCommits;

// Base of all operations. After the callback `status()` tells success; results are in the derived
// class.
class Operation {
  public:
    struct Extent {
        std::size_t rows = 0;
        std::size_t bytes = 0;
    };
    virtual ~Operation() { NX_ASSERT(!in_flight_); }
    [[nodiscard]] bool in_flight() const noexcept { return in_flight_; }
    [[nodiscard]] const Status& status() const noexcept { return status_; }

  protected:
    Operation() noexcept;
    // With the baton (group_commit.h): adds to the batch, or reads. What it answers becomes status(),
    // unless the write fails. An operation that refuses must have added nothing to the batch.
    virtual Status apply(Journal& journal, Store& store, Batch& batch, std::int64_t now_ms) = 0;
    // Whether what it added needs the configured durability; false: `process` will do (B3, B5, B6).
    [[nodiscard]] virtual bool must_survive_power_loss() const noexcept { return true; }
    // Runs when the batch it came with is in the store, and adds nothing: reads. A loop leaves them
    // to the commit thread: they may wait for a disk.
    [[nodiscard]] virtual bool after_write() const noexcept { return false; }
    // About what it adds at the most: a loop writes itself only what takes a moment.
    [[nodiscard]] virtual Extent extent() const noexcept { return {1, 0}; }
    // Instead of apply() once a write has failed: nothing can be promised any more, but what was
    // acknowledged is still there to be read. `failure` where the answer would need a write.
    virtual Status apply_read_only(Journal&, Store&, std::int64_t now_ms, Error failure) {
        (void)now_ms;
        return failure;
    }

  private:
    friend class CommitThread;
    friend class GroupCommit;
    friend class LoopCommits;
    struct Link final : Mail {
        Link(Run run, Operation& owner) noexcept : Mail(run), operation(owner) {}
        Operation& operation;
    };
    Link link_;
    Mailbox* reply_to_ = nullptr;
    CommitThread* thread_ = nullptr;  // on its way there
    LoopCommits* loop_ = nullptr;     // that handed it over to the thread, until it is back
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
    [[nodiscard]] Extent extent() const noexcept override { return {chunks.size(), arena.size()}; }
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
    [[nodiscard]] Extent extent() const noexcept override;
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

}  // namespace nodex::storage
