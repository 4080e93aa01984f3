// MailDoor: the way of other threads to the thread that drives one end of a transport, as long as
// that end is attached.
#pragma once
#include <memory>
#include <mutex>
#include <utility>

#include "edge/base/mailbox.h"

namespace nodex::replication {

class MailDoor {
  public:
    // Any thread. When set(nullptr) has returned no further work is posted; what was posted before
    // still runs where the mailbox is delivered.
    void set(Mailbox* mailbox) {
        const std::lock_guard lock(mutex_);
        mailbox_ = mailbox;
    }
    // Any thread; posted under the lock that guards whether the end is still there. False: it is
    // not, and `work`, a callable, is dropped.
    template <class Work>
    bool post(Work work) {
        const std::lock_guard lock(mutex_);
        if (mailbox_ == nullptr) return false;
        mailbox_->post(*std::make_unique<Task<Work>>(std::move(work)).release());
        return true;
    }

  private:
    // Owns itself from post() until it has run.
    template <class Work>
    struct Task final : Mail {
        explicit Task(Work given) : Mail(&Task::run), work(std::move(given)) {}
        static void run(Mail& mail) noexcept {
            const std::unique_ptr<Task> self(&static_cast<Task&>(mail));
            self->work();
        }
        Work work;
    };
    std::mutex mutex_;
    Mailbox* mailbox_ = nullptr;
};

}  // namespace nodex::replication
