// ThreadCommitPort: the agent's way to the commit thread. One thread, the mailbox's owner; it stays until
// nothing is outstanding.
#pragma once
#include <memory>
#include <utility>

#include "replication/commit_port.h"
#include "storage/commit_thread.h"

namespace nodex::replication {

class ThreadCommitPort final : public CommitPort {
  public:
    ThreadCommitPort(storage::CommitThread& commits, Mailbox& mailbox)
        : commits_(commits), mailbox_(mailbox) {}
    using CommitPort::call;
    void call(Work work, Done done, Durable durable) override {
        Pending* pending = std::make_unique<Pending>(*this, std::move(done)).release();
        pending->operation.call = std::move(work);
        pending->operation.sync = durable == Durable::synced;
        pending->operation.reads_only = durable == Durable::reads;
        ++outstanding_;
        commits_.submit(pending->operation, mailbox_,
                        storage::when_done<&Pending::finished>(pending));
    }
    [[nodiscard]] unsigned outstanding() const noexcept { return outstanding_; }

  private:
    // Owns itself from submit() until its outcome was told.
    struct Pending {
        Pending(ThreadCommitPort& owner, Done when_finished)
            : port(owner), done(std::move(when_finished)) {}
        void finished() noexcept {
            const std::unique_ptr<Pending> self(this);
            --port.outstanding_;
            done(operation.status());
        }
        ThreadCommitPort& port;
        storage::CallOperation operation;
        Done done;
    };
    storage::CommitThread& commits_;
    Mailbox& mailbox_;
    unsigned outstanding_ = 0;
};

}  // namespace nodex::replication
