// NatsTransportServer: see the header.
#include "replication/nats/nats_transport_server.h"

#include "replication/nats/inbox.h"

namespace nodex::replication {

struct NatsTransportServer::State : std::enable_shared_from_this<State> {
    explicit State(const ServerAddress& address) : connection(address, "nodex-central") {}
    std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
    NatsConnection connection;  // last: its threads end before the rest goes
};

NatsTransportServer::NatsTransportServer(const ServerAddress& address)
    : state_(std::make_shared<State>(address)) {
    (void)state_->connection.open();
}

NatsTransportServer::~NatsTransportServer() = default;

// What has arrived is answered after attach(nullptr) too, while the mailbox is delivered.
void NatsTransportServer::attach(Mailbox* mailbox) {
    state_->inbox->attach(mailbox);
}

void NatsTransportServer::keep() {
    state_->connection.keep();
}

void NatsTransportServer::serve(Bytes subject, RequestHandler handler) {
    state_->connection.subscribe(
        subject, "central",
        [inbox = state_->inbox, weak = state_->weak_from_this(),
         handler =
             std::make_shared<RequestHandler>(std::move(handler))](const NatsMessage& message) {
            if (message.reply.empty()) return;
            inbox->post(NatsMail(message), [weak, handler](const NatsMail& mail) {
                if (weak.expired()) return;
                (*handler)(mail.subject, mail.payload,
                           [weak, reply = mail.reply](const std::string& text) {
                               if (const auto state = weak.lock())
                                   (void)state->connection.publish(reply, {}, text);
                           });
            });
        });
}

void NatsTransportServer::publish(Bytes subject, std::string payload) {
    (void)state_->connection.publish(subject, {}, payload);
}

bool NatsTransportServer::flush(Nanoseconds timeout_ns) {
    return state_->connection.flush(timeout_ns);
}

bool NatsTransportServer::connected() const noexcept {
    return state_->connection.connected();
}

LinkCounters NatsTransportServer::counters() const noexcept {
    LinkCounters counters = state_->connection.counters();
    counters.dropped += state_->inbox->dropped();
    counters.queued = state_->inbox->queued();
    return counters;
}

std::uint64_t NatsTransportServer::dropped() const noexcept {
    return state_->inbox->dropped() + state_->connection.dropped();
}

}  // namespace nodex::replication
