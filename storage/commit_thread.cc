// CommitThread: intake and a thread around GroupCommit.
//
//   idle --mail--> intake --> commit, group after group --> idle
#include "storage/commit_thread.h"

#include <span>
#include <thread>
#include <vector>

#include "edge/base/parker.h"
#include "edge/base/thread_role.h"
#include "storage/loop_commits.h"

namespace nodex::storage {

struct CommitThread::State {
    State(Store& store, Journal& journal, Clock& clock, Durability durability,
          SlowWrites::ThreadWaits waits)
        : group(store, journal, clock, durability, waits) {}

    void run() noexcept;
    void drain() noexcept;

    GroupCommit group;
    Parker parker;
    Mailbox mailbox{parker};
    std::atomic<bool> stopping{false};
    std::vector<Operation*> waiting;  // in order of arrival
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
              if (operation.loop_ != nullptr) LoopCommits::came_back(operation);
              operation.done_.run(operation.done_.owner);
          },
          *this) {}

CommitThread::CommitThread(Store& store, Journal& journal, Clock& clock, Durability durability,
                           SlowWrites::ThreadWaits waits)
    : state_(std::make_unique<State>(store, journal, clock, durability, waits)) {}

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
    accept(operation, reply_to, done);
    hand_over(operation);
}

void CommitThread::accept(Operation& operation, Mailbox& reply_to, OperationDone done) noexcept {
    NX_ASSERT(!operation.in_flight_);
    NX_ASSERT(done.run != nullptr);
    operation.reply_to_ = &reply_to;
    operation.done_ = done;
    operation.status_ = {};
    operation.in_flight_ = true;
}

void CommitThread::hand_over(Operation& operation) noexcept {
    operation.thread_ = this;
    state_->mailbox.post(operation.link_);
}

GroupCommit& CommitThread::group() noexcept {
    return state_->group;
}
void CommitThread::wake() noexcept {
    state_->parker.wake();
}

void CommitThread::on_outbox(Mailbox& mailbox, OperationDone notify) noexcept {
    state_->group.on_outbox(mailbox, notify);
}
bool CommitThread::await_outbox(std::uint64_t known) noexcept {
    return state_->group.await_outbox(known);
}
void CommitThread::off_outbox() noexcept {
    state_->group.off_outbox();
}
AppendTap& CommitThread::appends() noexcept {
    return state_->group.appends();
}
bool CommitThread::failed() const noexcept {
    return state_->group.failed();
}
CommitStats& CommitThread::stats() noexcept {
    return state_->group.stats();
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

// Everything that has arrived; what arrives meanwhile belongs to the next call. Once also when nothing
// has: a loop may have left a batch.
void CommitThread::State::drain() noexcept {
    mailbox.deliver();
    std::span<Operation* const> rest = waiting;
    do {
        rest = rest.subspan(group.commit(rest));
    } while (!rest.empty());
    waiting.clear();
}

}  // namespace nodex::storage
