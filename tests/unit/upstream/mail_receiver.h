// A receiver of resolutions: the test's thread, which sleeps until mail comes.
#pragma once
#include <semaphore>

#include "edge/base/mailbox.h"
#include "edge/upstream/resolver.h"

namespace nodex::upstream {

struct MailReceiver final : Waker {
    void wake() noexcept override { woken.release(); }
    // Delivers until `resolution` has arrived.
    void join(const Resolution& resolution) {
        while (resolution.in_flight()) {
            mailbox.deliver();
            if (resolution.in_flight() && mailbox.may_sleep()) woken.acquire();
        }
    }
    std::counting_semaphore<> woken{0};
    Mailbox mailbox{*this};
};

}  // namespace nodex::upstream
