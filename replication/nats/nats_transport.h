// NatsTransport: a POP's end over the local nats-server. Requests are published with a reply
// subject under a standing subscription: nx.v1.ack.<pop>.<process>.<number> for the centre,
// nx.v1.popack.<pop>.<answering pop>.<process>.<number> for another POP. No inbox is made for a
// request, and the permissions of a POP name its own answers. A server without a responder says so
// at once (unavailable); while there is no connection every request is unavailable, nothing is kept
// for later: what must not be lost is in the outbox.
#pragma once
#include <memory>

#include "edge/base/ids.h"
#include "edge/base/random.h"
#include "replication/nats/link_counters.h"
#include "replication/nats/server_address.h"
#include "replication/transport.h"

namespace nodex::replication {

class NatsTransport final : public Transport {
  public:
    // Connects in the background. `clock` decides deadlines of requests.
    NatsTransport(const ServerAddress& address, PopId pop, Clock& clock, Random& random);
    ~NatsTransport() override;  // after attach(nullptr)

    void attach(Mailbox* mailbox) override;
    void expire() override;
    void request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                 ReplyHandler handler) override;
    void publish(Bytes subject, std::string payload) override;
    void subscribe(Bytes subject, MessageHandler handler) override;
    void serve(Bytes subject, RequestHandler handler) override;

    // As NatsConnection::flush; the driving thread.
    bool flush(Nanoseconds timeout_ns);
    [[nodiscard]] bool connected() const noexcept;  // any thread
    [[nodiscard]] LinkCounters counters() const noexcept;  // any thread
    [[nodiscard]] std::uint64_t dropped()
        const noexcept;  // messages, at our bounds; driving thread

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace nodex::replication
