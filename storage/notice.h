// Notice: "there is something new" from the commit thread to one registered mailbox; at most one
// mail is under way, however often it is posted.
#pragma once
#include <mutex>
#include <utility>

#include "edge/base/mailbox.h"
#include "storage/operation_done.h"

namespace nodex::storage {

class Notice {
  public:
    Notice() noexcept = default;
    // The thread that owns `mailbox`, once, before the first post it wants to see.
    void on(Mailbox& mailbox, OperationDone notify) noexcept {
        const std::lock_guard lock(mutex_);
        NX_ASSERT(mailbox_ == nullptr);
        mail_.notify = notify;
        mailbox_ = &mailbox;
    }
    // The same thread, before that mailbox goes away: after this no mail of ours is in it or will
    // come.
    void off() noexcept {
        Mailbox* mailbox = nullptr;
        {
            const std::lock_guard lock(mutex_);
            mailbox = std::exchange(mailbox_, nullptr);
        }
        if (mailbox == nullptr) return;
        mail_.notify = {};
        while (mail_.posted()) mailbox->deliver();
    }
    // Any thread.
    void post() noexcept {
        const std::lock_guard lock(mutex_);
        if (mailbox_ != nullptr && !mail_.posted()) mailbox_->post(mail_);
    }

  private:
    struct Told final : Mail {
        Told() noexcept
            : Mail([](Mail& mail) noexcept {
                  const OperationDone done = static_cast<Told&>(mail).notify;
                  if (done.run != nullptr) done.run(done.owner);
              }) {}
        OperationDone notify{};
    };
    std::mutex mutex_;  // registering races with the commit thread
    Mailbox* mailbox_ = nullptr;
    Told mail_;
};

}  // namespace nodex::storage
