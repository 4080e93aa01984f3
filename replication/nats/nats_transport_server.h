// NatsTransportServer: the centre's end over the nats-server of its machine. Each subject is served
// in the queue group "central": of several centres one gets a request.
#pragma once
#include <memory>

#include "replication/nats/link_counters.h"
#include "replication/nats/server_address.h"
#include "replication/transport.h"

namespace nodex::replication {

class NatsTransportServer final : public TransportServer {
  public:
    explicit NatsTransportServer(const ServerAddress& address);  // connects in the background
    ~NatsTransportServer() override;                             // after attach(nullptr)

    void attach(Mailbox* mailbox) override;
    void keep() override;
    void serve(Bytes subject, RequestHandler handler) override;
    void publish(Bytes subject, std::string payload) override;

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
