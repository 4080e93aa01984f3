// NatsConnection: one connection to the local nats-server and its subscriptions, on libnats's
// threads. It reconnects for ever, and is made anew when libnats gives up (a server that refuses us
// twice). Before libnats opens a socket the server was asked whether it wants TLS
// (server_address.h): if it does we wait and say so.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "replication/nats/link_counters.h"
#include "replication/nats/server_address.h"

namespace nodex::replication {

struct NatsMessage {
    Bytes subject;
    Bytes reply;  // empty: nobody waits for an answer
    Bytes payload;
    bool no_responders = false;  // the server's: nobody serves the subject of our request
};

class NatsConnection {
  public:
    // On a thread of libnats, one message at a time: copies what it needs and returns.
    using Handler = std::function<void(const NatsMessage& message)>;

    // `name` is shown by the server's monitoring. Connects in the background when nobody answers.
    NatsConnection(ServerAddress address, std::string name);
    // No handler runs any more when this returns.
    ~NatsConnection();
    NatsConnection(const NatsConnection&) = delete;
    NatsConnection& operator=(const NatsConnection&) = delete;

    // Below: one thread, the one that drives the end (or before it runs).
    // unavailable(central): libnats has no memory or threads; nothing else can fail. May block for
    // two limits::nats_connect_deadline.
    Status open();
    // For this object's life. `group` not empty: one member of it gets the message.
    void subscribe(Bytes subject, Bytes group, Handler handler);
    // May block for limits::nats_write_deadline. False: not connected or refused; the message is
    // dropped, never kept for later.
    bool publish(Bytes subject, Bytes reply, Bytes payload);
    // A few times a second: makes the connection anew when libnats closed it, on a thread of its
    // own, because a server that accepts and says nothing is waited for.
    void keep();
    // What was published is with the server, and what it had for us has been through the handlers.
    // False after `timeout_ns`.
    bool flush(Nanoseconds timeout_ns);

    [[nodiscard]] bool connected() const noexcept;             // any thread
    [[nodiscard]] std::uint64_t disconnects() const noexcept;  // any thread
    // How often it was made anew, and how often the server demanded TLS. Any thread.
    [[nodiscard]] std::uint64_t reopens() const noexcept;
    [[nodiscard]] std::uint64_t tls_demands() const noexcept;
    [[nodiscard]] std::uint64_t dropped() const noexcept;  // by libnats's own bound; driving thread
    // All of it but `queued`; any thread. `dropped` is as the last keep() saw it.
    [[nodiscard]] LinkCounters counters() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::replication
