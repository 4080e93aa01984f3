// ThreadMailbox: a mailbox whose owner is a plain thread (no loop): it sleeps until mail or a
// deadline.
#pragma once
#include "edge/base/clock.h"
#include "edge/base/mailbox.h"
#include "edge/base/parker.h"

namespace nodex::replication {

class ThreadMailbox final {
  public:
    ThreadMailbox() noexcept : mailbox_(parker_) {}
    [[nodiscard]] Mailbox& mailbox() noexcept { return mailbox_; }

    // Owner only: runs what has arrived; when nothing had, sleeps at most `wait_ns` or until mail
    // comes.
    void run(Nanoseconds wait_ns) noexcept {
        if (mailbox_.deliver() > 0 || wait_ns <= 0) return;
        if (mailbox_.may_sleep()) parker_.park(wait_ns);
    }

  private:
    Parker parker_;
    Mailbox mailbox_;
};

}  // namespace nodex::replication
