// GroupCommit: the batch, the baton around it, and what happens when a write fails. There is no wait
// to gather a larger batch: while one is being written the next fills by itself, so a lone request
// pays one write and a crowd shares one.
//
// Reads run after the write, because the store shows a batch only then: a read sees every append
// that was submitted before it.
#include "storage/group_commit.h"

#include <algorithm>
#include <mutex>
#include <vector>

#include "edge/base/limits.h"
#include "edge/base/log.h"

namespace nodex::storage {

struct GroupCommit::State {
    State(Store& the_store, Journal& the_journal, Clock& the_clock, Durability the_durability,
          SlowWrites::ThreadWaits waits)
        : store(the_store),
          journal(the_journal),
          clock(the_clock),
          durability(the_durability),
          slow_writes(waits) {
        stats.outbox_last.store(journal.outbox().last, std::memory_order_relaxed);
    }

    [[nodiscard]] bool left() const noexcept { return !group.empty(); }
    [[nodiscard]] bool free_for_loops(HandOver& reason) const noexcept;
    void apply(Operation& operation, std::int64_t now_ms) noexcept;
    [[nodiscard]] std::size_t apply_some(std::span<Operation* const> waiting) noexcept;
    [[nodiscard]] std::size_t read_only(std::span<Operation* const> waiting) noexcept;
    void write_group() noexcept;
    [[nodiscard]] bool try_write(Nanoseconds began_ns) noexcept;
    void wrote(const Status& written, Nanoseconds began_ns) noexcept;
    void fail(Error error) noexcept;
    void complete() noexcept;
    void gather_replies() noexcept;
    [[nodiscard]] MailChain& replies_to(Mailbox& mailbox_of_owner);
    void notify_outbox() noexcept;

    Store& store;
    Journal& journal;
    Clock& clock;
    const Durability durability;
    std::atomic<bool> failed{false};
    // commit() waits for the baton. Loops stand back until it has had it: a mutex alone would let
    // several of them pass it on among themselves.
    std::atomic<bool> wanted{false};
    std::mutex baton;  // guards the journal and what follows, down to slow_writes
    Error failure{};   // valid when failed
    std::vector<Operation*> group;  // came with the batch; not empty while the baton is free: left
    std::vector<Operation*> reads;  // of them, those to run after the write
    Durability needed = Durability::process;  // by them together
    Batch batch;
    SlowWrites slow_writes;  // of loops
    struct Replies {
        Mailbox* mailbox;
        MailChain mail;
    };
    std::vector<Replies> replies;  // of commit() only: posted when the baton is free
    std::atomic<bool> outbox_awaited{false};  // the agent wants to be told
    Notice outbox_notice;
    AppendTap appends;
    CommitStats stats;
};

const char* name(HandOver reason) noexcept {
    switch (reason) {
        case HandOver::order: return "order";
        case HandOver::large: return "large";
        case HandOver::busy: return "busy";
        case HandOver::store_busy: return "store_busy";
        case HandOver::slow_disk: return "slow_disk";
        case HandOver::failed: return "failed";
        case HandOver::count: break;
    }
    return "";
}

GroupCommit::GroupCommit(Store& store, Journal& journal, Clock& clock, Durability durability,
                         SlowWrites::ThreadWaits waits)
    : state_(std::make_unique<State>(store, journal, clock, durability, waits)) {}

GroupCommit::~GroupCommit() {
    NX_ASSERT(!state_->left());
}

Durability GroupCommit::durability() const noexcept {
    return state_->durability;
}
bool GroupCommit::failed() const noexcept {
    // The centre of a standalone node writes to the same store, and may be the first to fail.
    return state_->failed.load(std::memory_order_acquire) || state_->store.failed();
}
CommitStats& GroupCommit::stats() noexcept {
    return state_->stats;
}
AppendTap& GroupCommit::appends() noexcept {
    return state_->appends;
}
void GroupCommit::on_outbox(Mailbox& mailbox, OperationDone notify) noexcept {
    state_->outbox_notice.on(mailbox, notify);
}
void GroupCommit::off_outbox() noexcept {
    state_->outbox_notice.off();
}

// The answers leave when the baton is free: a loop that shares the processor runs as soon as it is
// woken, and would find the baton taken by whom it keeps from going on.
std::size_t GroupCommit::commit(std::span<Operation* const> waiting) noexcept {
    State& state = *state_;
    std::size_t taken = 0;
    state.wanted.store(true, std::memory_order_relaxed);
    {
        const std::lock_guard lock(state.baton);
        state.wanted.store(false, std::memory_order_relaxed);
        if (state.left()) state.write_group();
        taken = state.failed ? state.read_only(waiting) : state.apply_some(waiting);
        if (!state.failed) state.write_group();
    }
    for (State::Replies& to_one : state.replies) to_one.mailbox->post(to_one.mail);
    state.replies.clear();
    return taken;
}

GroupCommit::Tried GroupCommit::try_commit(std::span<Operation* const> operations,
                                           HandOver& reason) noexcept {
    State& state = *state_;
    MailChain answers;
    Mailbox& mailbox = *operations.front()->reply_to_;
    reason = HandOver::busy;
    if (state.wanted.load(std::memory_order_relaxed)) return Tried::not_begun;
    {
        const std::unique_lock lock(state.baton, std::try_to_lock);
        if (!lock.owns_lock() || !state.free_for_loops(reason)) return Tried::not_begun;
        const Nanoseconds began_ns = state.clock.now_ns();
        state.slow_writes.begin(began_ns);
        const std::int64_t now_ms = state.clock.wall_ms();
        for (Operation* operation : operations) state.apply(*operation, now_ms);
        NX_ASSERT(state.reads.empty());
        if (!state.batch.empty() && !state.try_write(began_ns)) {
            reason = HandOver::store_busy;
            return Tried::left;
        }
        state.slow_writes.end(state.clock.now_ns());
        state.complete();
        for (Operation* operation : state.group) answers.add(operation->link_);
        state.group.clear();
    }
    mailbox.post(answers);
    return Tried::done;
}

// Into the group, and what it adds into the batch.
void GroupCommit::State::apply(Operation& operation, std::int64_t now_ms) noexcept {
    group.push_back(&operation);
    if (operation.after_write()) {
        reads.push_back(&operation);
        return;
    }
    const std::size_t changes_before = batch.count();
    operation.status_ = operation.apply(journal, store, batch, now_ms);
    // What changed nothing (a join, a replay, a look) needs no sync of its own.
    if (operation.must_survive_power_loss() && batch.count() != changes_before) needed = durability;
}

// With the baton: whether a loop may use it; if not, `reason` says why.
bool GroupCommit::State::free_for_loops(HandOver& reason) const noexcept {
    const bool pausing = slow_writes.pausing(clock.now_ns());
    reason = failed ? HandOver::failed : pausing ? HandOver::slow_disk : HandOver::busy;
    return !failed && !pausing && !left();
}

// As many as make one batch.
std::size_t GroupCommit::State::apply_some(std::span<Operation* const> waiting) noexcept {
    const std::int64_t now_ms = clock.wall_ms();
    for (Operation* operation : waiting) {
        if (group.size() == limits::commit_batch_operations_max ||
            batch.bytes() >= limits::commit_batch_bytes_max)
            break;
        apply(*operation, now_ms);
    }
    return group.size();
}

// After a failed write: each operation answers from what the store has, or is refused.
std::size_t GroupCommit::State::read_only(std::span<Operation* const> waiting) noexcept {
    for (Operation* operation : waiting) {
        group.push_back(operation);
        operation->status_ =
            operation->apply_read_only(journal, store, clock.wall_ms(), failure);
        if (!operation->status_) stats.failures.fetch_add(1, std::memory_order_relaxed);
    }
    stats.operations.fetch_add(group.size(), std::memory_order_relaxed);
    gather_replies();
    return waiting.size();
}

// Waits for the store.
void GroupCommit::State::write_group() noexcept {
    if (!batch.empty()) {
        const Nanoseconds began_ns = clock.now_ns();
        wrote(store.write(batch, needed), began_ns);
    }
    complete();
    gather_replies();
}

// On a loop. False: not now, the group is left.
bool GroupCommit::State::try_write(Nanoseconds began_ns) noexcept {
    const Result<Written> tried = store.try_write(batch);
    if (tried && *tried == Written::not_now) return false;
    wrote(tried ? Status{} : Status(tried.error()), began_ns);
    stats.inline_batches.fetch_add(1, std::memory_order_relaxed);
    return true;
}

void GroupCommit::State::wrote(const Status& written, Nanoseconds began_ns) noexcept {
    stats.batch_ns.record(static_cast<std::uint64_t>(clock.now_ns() - began_ns));
    stats.batches.fetch_add(1, std::memory_order_relaxed);
    stats.bytes.fetch_add(batch.bytes(), std::memory_order_relaxed);
    if (!written) fail(written.error());
}

// For good: memory is ahead of the disk now, and what the kernel dropped cannot be known.
void GroupCommit::State::fail(Error error) noexcept {
    failure = error;
    failed.store(true, std::memory_order_release);
    log::error(
        "store_write_failed",
        {{"error", error}, {"remedy", "nothing more is accepted; repair the disk and restart"}});
}

// The batch is in the store, or its write has failed. Then all of the group are refused, also those that
// changed nothing: a look-up may have seen an answer that only this batch had.
void GroupCommit::State::complete() noexcept {
    stats.operations.fetch_add(group.size(), std::memory_order_relaxed);
    if (failed) {
        stats.failures.fetch_add(group.size(), std::memory_order_relaxed);
        for (Operation* operation : group) operation->status_ = failure;
    } else {
        for (Operation* read : reads)
            read->status_ = read->apply(journal, store, batch, clock.wall_ms());
        appends.record(batch);
    }
    reads.clear();
    batch.clear();
    needed = Durability::process;
    if (!failed && journal.outbox().last != stats.outbox_last.load(std::memory_order_relaxed))
        notify_outbox();
}

// The whole group, each for the mailbox it came from, with one wake-up a mailbox. An operation may be
// destroyed or submitted again as soon as it is posted.
void GroupCommit::State::gather_replies() noexcept {
    for (Operation* operation : group) replies_to(*operation->reply_to_).add(operation->link_);
    group.clear();
}

// A mailbox a core and the agent's: few enough to look through.
MailChain& GroupCommit::State::replies_to(Mailbox& mailbox_of_owner) {
    for (Replies& to_one : replies)
        if (to_one.mailbox == &mailbox_of_owner) return to_one.mail;
    return replies.emplace_back(Replies{&mailbox_of_owner, {}}).mail;
}

// Both sides write their word before they read the other's, so one of them sees what happened.
void GroupCommit::State::notify_outbox() noexcept {
    stats.outbox_last.store(journal.outbox().last);
    if (!outbox_awaited.exchange(false)) return;
    outbox_notice.post();
}

bool GroupCommit::await_outbox(std::uint64_t known) noexcept {
    State& state = *state_;
    state.outbox_awaited.store(true);
    if (state.stats.outbox_last.load() <= known) return true;
    return !state.outbox_awaited.exchange(false);
}

}  // namespace nodex::storage
