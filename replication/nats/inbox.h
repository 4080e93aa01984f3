// Inbox: messages on their way from libnats's threads to the thread that drives an end. Bounded: at
// the limit a message is dropped and counted, as a network would lose it.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "edge/base/limits.h"
#include "replication/mail_door.h"
#include "replication/nats/connection.h"

namespace nodex::replication {

// A message that was copied out of libnats.
struct NatsMail {
    explicit NatsMail(const NatsMessage& message)
        : subject(message.subject),
          reply(message.reply),
          payload(message.payload),
          no_responders(message.no_responders) {}
    std::string subject;
    std::string reply;
    std::string payload;
    bool no_responders;
    [[nodiscard]] std::size_t bytes() const noexcept { return payload.size() + 256; }  // about
};

class Inbox : public std::enable_shared_from_this<Inbox> {
  public:
    void attach(Mailbox* mailbox) { door_.set(mailbox); }

    // Any thread: `handle(mail)` runs where the mailbox is delivered. Nobody attached: dropped.
    template <class Handle>
    void post(NatsMail mail, Handle handle) {
        const std::size_t bytes = mail.bytes();
        if (!take(bytes)) {
            dropped_.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        const bool posted = door_.post(
            [self = shared_from_this(), bytes, mail = std::move(mail), handle = std::move(handle)] {
                self->give_back(bytes);
                handle(mail);
            });
        if (!posted) give_back(bytes);
    }

    // Work that comes from the driving thread itself, to be run later: never dropped.
    template <class Work>
    void post_own(Work work) {
        door_.post(std::move(work));
    }
    [[nodiscard]] std::uint64_t dropped() const noexcept {
        return dropped_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] std::size_t queued() const noexcept {  // any thread
        return messages_.load(std::memory_order_relaxed);
    }

  private:
    // libnats calls from one thread at a time, so the two counters need not move as one.
    bool take(std::size_t bytes) noexcept {
        if (messages_.load(std::memory_order_relaxed) >= limits::link_inbound_messages_max ||
            bytes_.load(std::memory_order_relaxed) + bytes > limits::link_inbound_bytes_max)
            return false;
        messages_.fetch_add(1, std::memory_order_relaxed);
        bytes_.fetch_add(bytes, std::memory_order_relaxed);
        return true;
    }
    void give_back(std::size_t bytes) noexcept {
        messages_.fetch_sub(1, std::memory_order_relaxed);
        bytes_.fetch_sub(bytes, std::memory_order_relaxed);
    }

    MailDoor door_;
    std::atomic<std::size_t> messages_{0};
    std::atomic<std::size_t> bytes_{0};
    std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace nodex::replication
