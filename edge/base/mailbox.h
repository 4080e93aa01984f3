// Messages between threads. A Mail is a member of the object that sends it (as a Completion is), so
// a mailbox needs no memory of its own and is bounded by the number of objects that may send. While
// a Mail is posted its owner must stay alive: owners join their mail before they are released.
#pragma once
#include <atomic>
#include <cstdint>
#include <utility>

#include "edge/base/result.h"

namespace nodex {

class Mailbox;

// One message. Derive from it or hold it as a member; `run` is called on the receiving thread.
class Mail {
  public:
    using Run = void (*)(Mail& mail) noexcept;
    explicit Mail(Run run) noexcept : run_(run) {}
    Mail(const Mail&) = delete;
    Mail& operator=(const Mail&) = delete;
    ~Mail() { NX_ASSERT(!posted_.load(std::memory_order_relaxed)); }
    // True from post(), or from when it was added to a chain, until just before run() is called.
    [[nodiscard]] bool posted() const noexcept { return posted_.load(std::memory_order_acquire); }

  private:
    friend class Mailbox;
    friend class MailChain;
    Run run_;
    Mail* next_ = nullptr;
    std::atomic<bool> posted_{false};
};

// Mail for one mailbox that is posted together: in the order it was added, with one wake-up for all. A
// receiver that shares the sender's processor runs as soon as it is woken, so a wake-up for each mail would
// be a change of threads for each.
class MailChain {
  public:
    MailChain() = default;
    MailChain(MailChain&& other) noexcept
        : newest_(std::exchange(other.newest_, nullptr)), oldest_(std::exchange(other.oldest_, nullptr)) {}
    ~MailChain() { NX_ASSERT(empty()); }
    void add(Mail& mail) noexcept {
        NX_ASSERT(!mail.posted_.load(std::memory_order_relaxed));
        mail.posted_.store(true, std::memory_order_relaxed);
        mail.next_ = newest_;
        newest_ = &mail;
        if (oldest_ == nullptr) oldest_ = &mail;
    }
    [[nodiscard]] bool empty() const noexcept { return newest_ == nullptr; }

  private:
    friend class Mailbox;
    Mail* newest_ = nullptr;  // linked towards the oldest, as in a mailbox
    Mail* oldest_ = nullptr;
};

// Wakes the thread that owns a mailbox. Called at most once per sleep.
class Waker {
  public:
    virtual ~Waker() = default;
    virtual void wake() noexcept = 0;
};

// Many senders, one receiver, in order of arrival. One word: a list of mail, or "asleep".
class Mailbox {
  public:
    explicit Mailbox(Waker& waker) noexcept : waker_(waker) {}

    // Any thread. The receiver is woken only if it said that it sleeps.
    void post(Mail& mail) noexcept {
        NX_ASSERT(!mail.posted_.load(std::memory_order_relaxed));
        mail.posted_.store(true, std::memory_order_relaxed);
        push(mail, mail);
    }
    // The same for all of `chain`, which is empty then; an empty one does nothing.
    void post(MailChain& chain) noexcept {
        if (chain.empty()) return;
        Mail& newest = *std::exchange(chain.newest_, nullptr);
        push(newest, *std::exchange(chain.oldest_, nullptr));
    }

    // Receiver only: runs everything that has arrived, oldest first; answers how many.
    std::uint32_t deliver() noexcept {
        Mail* head = head_.load(std::memory_order_relaxed);
        if (head == nullptr) return 0;
        head = head_.exchange(nullptr, std::memory_order_acq_rel);
        if (head == asleep()) return 0;
        Mail* oldest = nullptr;
        while (head != nullptr) {
            Mail* next = head->next_;
            head->next_ = oldest;
            oldest = head;
            head = next;
        }
        std::uint32_t count = 0;
        while (oldest != nullptr) {
            Mail* mail = oldest;
            oldest = mail->next_;
            mail->posted_.store(false, std::memory_order_release);
            mail->run_(*mail);  // may destroy or repost `mail`
            ++count;
        }
        return count;
    }

    // Receiver only: says that it is about to sleep. False if mail is waiting: deliver() first.
    [[nodiscard]] bool may_sleep() noexcept {
        Mail* expected = nullptr;
        return head_.compare_exchange_strong(expected, asleep(), std::memory_order_acq_rel,
                                             std::memory_order_relaxed) ||
               expected == asleep();
    }

  private:
    // `newest` to `oldest` are linked already. They may be run and gone before this returns.
    void push(Mail& newest, Mail& oldest) noexcept {
        Mail* head = head_.load(std::memory_order_relaxed);
        do {
            oldest.next_ = head == asleep() ? nullptr : head;
        } while (!head_.compare_exchange_weak(head, &newest, std::memory_order_acq_rel,
                                              std::memory_order_relaxed));
        if (head == asleep()) waker_.wake();
    }
    Mail* asleep() noexcept {
        return reinterpret_cast<Mail*>(this);
    }  // an address no Mail can have
    Waker& waker_;
    alignas(64) std::atomic<Mail*> head_{nullptr};
};

}  // namespace nodex
