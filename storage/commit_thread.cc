// CommitThread: intake, batch, write, replies. There is no wait to gather a larger batch: while one
// is being written the next fills by itself, so a lone request pays one write and a crowd shares
// one.
//
//   idle --mail--> intake --> apply until a limit --> write --> reads --> reply --> next batch or
//   idle
//
// Reads run after the write, because the store shows a batch only then: a read sees every append
// that was submitted before it.
#include "storage/commit_thread.h"

#include <thread>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "edge/base/parker.h"
#include "edge/base/thread_role.h"

namespace nodex::storage {

struct CommitThread::State {
    State(Store& the_store, Journal& the_journal, Clock& the_clock, Durability the_durability)
        : store(the_store), journal(the_journal), clock(the_clock), durability(the_durability) {
        stats.outbox_last.store(journal.outbox().last, std::memory_order_relaxed);
    }

    void run() noexcept;
    void drain() noexcept;
    void commit_some() noexcept;
    void read_all() noexcept;
    [[nodiscard]] Durability apply_some(std::size_t end_limit) noexcept;
    void write(Durability needed) noexcept;
    void fail(Error error) noexcept;
    void refuse_all(std::size_t count) noexcept;
    void reply_all(std::size_t count) noexcept;
    [[nodiscard]] MailChain& replies_to(Mailbox& mailbox_of_owner);
    void notify_outbox() noexcept;

    Store& store;
    Journal& journal;
    Clock& clock;
    const Durability durability;
    Parker parker;
    Mailbox mailbox{parker};
    std::atomic<bool> stopping{false};
    std::atomic<bool> failed{false};
    Error failure{};                  // valid when failed; commit thread only
    std::vector<Operation*> waiting;  // in order of arrival; [0, next) have been answered
    std::size_t next = 0;
    std::vector<Operation*> reads;  // of the current batch
    struct Replies {
        Mailbox* mailbox;
        MailChain mail;
    };
    std::vector<Replies> replies;  // of the current batch, gathered
    Batch batch;
    std::atomic<bool> outbox_awaited{false};    // the agent wants to be told
    Notice outbox_notice;
    AppendTap appends;
    CommitStats stats;
    std::thread thread;
};

Operation::Operation() noexcept
    : link_(
          [](Mail& mail) noexcept {
              Operation& operation = static_cast<Link&>(mail).operation;
              if (CommitThread* thread = operation.thread_;
                  thread != nullptr) {  // arrived at the commit thread
                  operation.thread_ = nullptr;
                  thread->state_->waiting.push_back(&operation);
                  return;
              }
              operation.in_flight_ = false;  // came back
              operation.done_.run(operation.done_.owner);
          },
          *this) {}

CommitThread::CommitThread(Store& store, Journal& journal, Clock& clock, Durability durability)
    : state_(std::make_unique<State>(store, journal, clock, durability)) {}

CommitThread::~CommitThread() {
    NX_ASSERT(!state_->thread.joinable());
}

void CommitThread::start() {
    NX_ASSERT(!state_->thread.joinable());
    state_->thread = std::thread([this] { state_->run(); });
}

void CommitThread::stop() {
    if (!state_->thread.joinable()) return;
    state_->stopping.store(true, std::memory_order_release);
    state_->parker.wake();
    state_->thread.join();
}

void CommitThread::submit(Operation& operation, Mailbox& reply_to, OperationDone done) noexcept {
    NX_ASSERT(!operation.in_flight_);
    NX_ASSERT(done.run != nullptr);
    operation.reply_to_ = &reply_to;
    operation.thread_ = this;
    operation.done_ = done;
    operation.status_ = {};
    operation.in_flight_ = true;
    state_->mailbox.post(operation.link_);
}

void CommitThread::on_outbox(Mailbox& mailbox, OperationDone notify) noexcept {
    state_->outbox_notice.on(mailbox, notify);
}
void CommitThread::off_outbox() noexcept {
    state_->outbox_notice.off();
}
AppendTap& CommitThread::appends() noexcept {
    return state_->appends;
}

bool CommitThread::failed() const noexcept {
    // The centre of a standalone node writes to the same store, and may be the first to fail.
    return state_->failed.load(std::memory_order_acquire) || state_->store.failed();
}
CommitStats& CommitThread::stats() noexcept {
    return state_->stats;
}
void CommitThread::run_once() noexcept {
    state_->drain();
}

void CommitThread::State::run() noexcept {
    begin_helper_thread("nodex-commit");
    for (;;) {
        const bool last_round = stopping.load(std::memory_order_acquire);
        drain();
        if (last_round) return;
        if (mailbox.may_sleep()) parker.park(INT64_MAX);
    }
}

// Everything that has arrived; what arrives meanwhile belongs to the next call.
void CommitThread::State::drain() noexcept {
    mailbox.deliver();
    while (next < waiting.size()) failed ? read_all() : commit_some();
    waiting.clear();
    next = 0;
}

// One batch: at most commit_batch_operations_max operations, ended by the one that reaches
// commit_batch_bytes_max.
void CommitThread::State::commit_some() noexcept {
    const std::size_t first = next;
    const std::size_t end_limit =
        std::min(waiting.size(), first + limits::commit_batch_operations_max);
    const Durability needed = apply_some(end_limit);
    if (!batch.empty()) write(needed);
    if (failed) refuse_all(next - first);
    for (Operation* read : reads) {
        if (failed) break;
        read->status_ = read->apply(journal, store, batch, clock.wall_ms());
    }
    reads.clear();
    if (!failed) appends.record(batch);
    batch.clear();
    reply_all(next - first);
    if (!failed && journal.outbox().last != stats.outbox_last.load(std::memory_order_relaxed))
        notify_outbox();
}

// After a failed write: each operation answers from what the store has, or is refused.
void CommitThread::State::read_all() noexcept {
    const std::size_t first = next;
    for (; next < waiting.size(); ++next) {
        Operation& operation = *waiting[next];
        operation.status_ =
            operation.apply_read_only(journal, store, clock.wall_ms(), failure);
        if (!operation.status_) stats.failures.fetch_add(1, std::memory_order_relaxed);
    }
    reply_all(next - first);
}

// Advances `next` over the operations of one batch; answers the durability that they need together.
Durability CommitThread::State::apply_some(std::size_t end_limit) noexcept {
    Durability needed = Durability::process;
    const std::int64_t now_ms = clock.wall_ms();
    for (; next < end_limit && batch.bytes() < limits::commit_batch_bytes_max; ++next) {
        Operation& operation = *waiting[next];
        if (operation.after_write()) {
            reads.push_back(&operation);
            continue;
        }
        const std::size_t changes_before = batch.count();
        operation.status_ = operation.apply(journal, store, batch, now_ms);
        // What changed nothing (a join, a replay, a look) needs no sync of its own.
        if (operation.must_survive_power_loss() && batch.count() != changes_before)
            needed = durability;
    }
    return needed;
}

void CommitThread::State::write(Durability needed) noexcept {
    const Nanoseconds began_ns = clock.now_ns();
    const Status written = store.write(batch, needed);
    stats.batch_ns.record(static_cast<std::uint64_t>(clock.now_ns() - began_ns));
    stats.batches.fetch_add(1, std::memory_order_relaxed);
    stats.bytes.fetch_add(batch.bytes(), std::memory_order_relaxed);
    if (!written) fail(written.error());
}

// For good: memory is ahead of the disk now, and what the kernel dropped cannot be known.
void CommitThread::State::fail(Error error) noexcept {
    failure = error;
    failed.store(true, std::memory_order_release);
    log::error(
        "store_write_failed",
        {{"error", error}, {"remedy", "nothing more is accepted; repair the disk and restart"}});
}

// All of the batch whose write failed, also those that changed nothing: a look-up may have seen an answer
// that only this batch had.
void CommitThread::State::refuse_all(std::size_t count) noexcept {
    stats.failures.fetch_add(count, std::memory_order_relaxed);
    for (std::size_t i = next - count; i < next; ++i) waiting[i]->status_ = failure;
}

// The last `count` operations before `next`, each to the mailbox it came from, one wake-up a mailbox. An
// operation may be destroyed or submitted again as soon as it is posted.
void CommitThread::State::reply_all(std::size_t count) noexcept {
    stats.operations.fetch_add(count, std::memory_order_relaxed);
    for (std::size_t i = next - count; i < next; ++i) {
        Operation& operation = *waiting[i];
        replies_to(*operation.reply_to_).add(operation.link_);
    }
    for (Replies& to_one : replies) to_one.mailbox->post(to_one.mail);
    replies.clear();
}

// A mailbox a core and the agent's: few enough to look through.
MailChain& CommitThread::State::replies_to(Mailbox& mailbox_of_owner) {
    for (Replies& to_one : replies)
        if (to_one.mailbox == &mailbox_of_owner) return to_one.mail;
    return replies.emplace_back(Replies{&mailbox_of_owner, {}}).mail;
}

// Both sides write their word before they read the other's, so one of them sees what happened.
void CommitThread::State::notify_outbox() noexcept {
    stats.outbox_last.store(journal.outbox().last);
    if (!outbox_awaited.exchange(false)) return;
    outbox_notice.post();
}

bool CommitThread::await_outbox(std::uint64_t known) noexcept {
    State& state = *state_;
    state.outbox_awaited.store(true);
    if (state.stats.outbox_last.load() <= known) return true;
    return !state.outbox_awaited.exchange(false);
}

}  // namespace nodex::storage
