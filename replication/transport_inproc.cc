// InprocLink: see the header. Every message is copied into a mail to the other end's thread.
#include "replication/transport_inproc.h"

#include "edge/base/limits.h"
#include "replication/mail_door.h"
#include "replication/pending_requests.h"
#include "replication/subject.h"

namespace nodex::replication {

struct InprocLink::State final : Transport {
    struct Centre final : TransportServer {
        explicit Centre(State& state) : link(state) {}
        void attach(Mailbox* mailbox) override { link.centre_door.set(mailbox); }
        void serve(Bytes subject, RequestHandler handler) override {
            handlers.set(subject, std::move(handler));
        }
        void publish(Bytes subject, std::string payload) override;
        State& link;
        SubjectTable<RequestHandler> handlers;  // centre's thread, or before it runs
    };

    explicit State(Clock& time) : clock(time), centre(*this) {}

    void attach(Mailbox* mailbox) override {
        pop_door.set(mailbox);
        attached = mailbox != nullptr;
        if (!attached) pending.clear();
    }
    void request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                 ReplyHandler handler) override;
    void publish(Bytes subject, std::string payload) override;
    void subscribe(Bytes subject, MessageHandler handler) override {
        subscriptions.set(subject, std::move(handler));
    }
    void serve(Bytes subject, RequestHandler handler) override {
        served.set(subject, std::move(handler));
    }
    void expire() override { pending.expire(clock.now_ns()); }

    MailDoor& door_of(Bytes subject) {
        return served.find(subject) != nullptr ? pop_door : centre_door;
    }
    void answer(const std::string& subject, const std::string& payload, std::uint64_t number);
    void reply(std::uint64_t number, Result<std::string> outcome) {
        pop_door.post([this, number, told = std::move(outcome)]() mutable {
            pending.finish(number, std::move(told));
        });
    }

    Clock& clock;
    MailDoor pop_door;
    MailDoor centre_door;
    Centre centre;
    // The POP's thread only.
    bool attached = false;
    PendingRequests pending;
    SubjectTable<MessageHandler> subscriptions;
    SubjectTable<RequestHandler> served;  // made before the first request: both threads read it
};

void InprocLink::State::request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                                ReplyHandler handler) {
    if (!attached) return;
    NX_ASSERT(payload.size() <= limits::message_bytes_max + 64);  // and its envelope
    const bool full = pending.size() >= limits::link_requests_max;
    const std::uint64_t number = pending.add(clock.now_ns() + timeout_ns, std::move(handler));
    const bool sent = !full && door_of(subject).post(
                                   [this, number, where = std::string(subject),
                                    text = std::move(payload)] { answer(where, text, number); });
    // Never from inside request(): the caller may not be ready for its answer.
    if (!sent) reply(number, PendingRequests::link_error(ErrorCode::unavailable));
}

// On the thread of the end that serves the subject: this POP itself, else the centre.
void InprocLink::State::answer(const std::string& subject, const std::string& payload,
                               std::uint64_t number) {
    const RequestHandler* handler = served.find(subject);
    if (handler == nullptr) handler = centre.handlers.find(subject);
    if (handler == nullptr)
        return reply(number, PendingRequests::link_error(ErrorCode::unavailable));
    (*handler)(subject, payload,
               [this, number](std::string text) { reply(number, std::move(text)); });
}

// POPs publish nothing that the centre listens to; the subject is there for POPs.
void InprocLink::State::publish(Bytes subject, std::string payload) {
    centre.publish(subject, std::move(payload));
}

void InprocLink::State::Centre::publish(Bytes subject, std::string payload) {
    link.pop_door.post([this, where = std::string(subject), text = std::move(payload)] {
        if (!link.attached) return;
        if (const MessageHandler* handler = link.subscriptions.find(where)) (*handler)(where, text);
    });
}

InprocLink::InprocLink(Clock& clock) : state_(std::make_unique<State>(clock)) {}
InprocLink::~InprocLink() = default;
Transport& InprocLink::pop() noexcept {
    return *state_;
}
TransportServer& InprocLink::centre() noexcept {
    return state_->centre;
}

}  // namespace nodex::replication
