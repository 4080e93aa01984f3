// NatsTransport: see the header. Handlers of libnats copy the message and post it; everything else
// is on the driving thread.
#include "replication/nats/nats_transport.h"

#include <charconv>

#include "edge/base/limits.h"
#include "replication/nats/inbox.h"
#include "replication/pending_requests.h"

namespace nodex::replication {
namespace {

constexpr Bytes pop_prefix = "nx.v1.pop.";

// The last token of a reply subject.
std::optional<std::uint64_t> number_of(Bytes subject) noexcept {
    const Bytes text = subject.substr(subject.rfind('.') + 1);
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return number;
}

}  // namespace

struct NatsTransport::State : std::enable_shared_from_this<State> {
    State(const ServerAddress& address, PopId pop, Clock& time, Random& random)
        : clock(time),
          own(std::to_string(raw(pop))),
          process(std::to_string(random.next_u64())),
          connection(address, "nodex-edge pop " + own) {}

    // Where the answer comes to. Another POP may publish only under its own number, so its answers
    // have a subject that names it: nobody can answer in the place of another.
    std::string reply_subject(Bytes subject, std::uint64_t number) const {
        const std::string tail = process + "." + std::to_string(number);
        if (!subject.starts_with(pop_prefix)) return "nx.v1.ack." + own + "." + tail;
        const Bytes rest = subject.substr(pop_prefix.size());
        return "nx.v1.popack." + own + "." + std::string(rest.substr(0, rest.find('.'))) + "." +
               tail;
    }

    // From the inbox on: mail may be delivered after the transport is gone.
    template <class Handle>
    NatsConnection::Handler through_inbox(Handle handle) {
        return [inbox = inbox, weak = weak_from_this(), handle](const NatsMessage& message) {
            inbox->post(NatsMail(message), [weak, handle](const NatsMail& mail) {
                const std::shared_ptr<State> state = weak.lock();
                if (state != nullptr && state->attached) handle(*state, mail);
            });
        };
    }
    void on_reply(const NatsMail& mail) {
        const std::optional<std::uint64_t> number = number_of(mail.subject);
        if (!number) return;
        if (mail.no_responders)
            pending.finish(*number, PendingRequests::link_error(ErrorCode::unavailable));
        else
            pending.finish(*number, mail.payload);
    }

    Clock& clock;
    const std::string own;      // this POP's number
    const std::string process;  // answers to a process that is gone are not for us
    std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
    bool attached = false;
    PendingRequests pending;
    NatsConnection connection;  // last: its threads end before the rest goes
};

NatsTransport::NatsTransport(const ServerAddress& address, PopId pop, Clock& clock, Random& random)
    : state_(std::make_shared<State>(address, pop, clock, random)) {
    State& state = *state_;
    for (const std::string& subject : {"nx.v1.ack." + state.own + "." + state.process + ".*",
                                       "nx.v1.popack." + state.own + ".*." + state.process + ".*"})
        state.connection.subscribe(
            subject, {},
            state.through_inbox([](State& self, const NatsMail& mail) { self.on_reply(mail); }));
    (void)state.connection.open();
}

NatsTransport::~NatsTransport() {
    NX_ASSERT(!state_->attached);
}

void NatsTransport::attach(Mailbox* mailbox) {
    state_->inbox->attach(mailbox);
    state_->attached = mailbox != nullptr;
    if (!state_->attached) state_->pending.clear();
}

void NatsTransport::expire() {
    state_->connection.keep();
    state_->pending.expire(state_->clock.now_ns());
}

void NatsTransport::request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                            ReplyHandler handler) {
    State& state = *state_;
    if (!state.attached) return;
    NX_ASSERT(payload.size() <= limits::message_bytes_max + 64);  // and its envelope
    const bool full = state.pending.size() >= limits::link_requests_max;
    const std::uint64_t number =
        state.pending.add(state.clock.now_ns() + timeout_ns, std::move(handler));
    if (!full && state.connection.publish(subject, state.reply_subject(subject, number), payload))
        return;
    // Never from inside request(): the caller may not be ready for its answer.
    state.inbox->post_own([weak = state.weak_from_this(), number] {
        if (const auto self = weak.lock())
            self->pending.finish(number, PendingRequests::link_error(ErrorCode::unavailable));
    });
}

void NatsTransport::publish(Bytes subject, std::string payload) {
    (void)state_->connection.publish(subject, {}, payload);  // it may be lost, here as anywhere
}

void NatsTransport::subscribe(Bytes subject, MessageHandler handler) {
    state_->connection.subscribe(
        subject, {},
        state_->through_inbox([handler = std::move(handler)](State&, const NatsMail& mail) {
            if (mail.reply.empty()) handler(mail.subject, mail.payload);
        }));
}

void NatsTransport::serve(Bytes subject, RequestHandler handler) {
    state_->connection.subscribe(
        subject, {},
        state_->through_inbox([handler = std::move(handler)](State& self, const NatsMail& mail) {
            if (mail.reply.empty()) return;
            handler(mail.subject, mail.payload,
                    [weak = self.weak_from_this(), reply = mail.reply](const std::string& text) {
                        const std::shared_ptr<State> state = weak.lock();
                        if (state != nullptr && state->attached)
                            (void)state->connection.publish(reply, {}, text);
                    });
        }));
}

bool NatsTransport::flush(Nanoseconds timeout_ns) {
    return state_->connection.flush(timeout_ns);
}

bool NatsTransport::connected() const noexcept {
    return state_->connection.connected();
}

LinkCounters NatsTransport::counters() const noexcept {
    LinkCounters counters = state_->connection.counters();
    counters.dropped += state_->inbox->dropped();
    counters.queued = state_->inbox->queued();
    return counters;
}

std::uint64_t NatsTransport::dropped() const noexcept {
    return state_->inbox->dropped() + state_->connection.dropped();
}

}  // namespace nodex::replication
