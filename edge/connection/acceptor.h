// Acceptor: one listener of one core: accepts, owns the pool of ServerConnections, counts, drains.
#pragma once
#include <cstdint>
#include <memory>

#include "edge/base/limits.h"
#include "edge/connection/server_connection.h"

namespace nodex {

struct AcceptorOptions {
    std::uint32_t connections_max = limits::connections_max;  // at it: accepting pauses until one closes
    std::uint32_t connections_per_address_max = limits::connections_unauthenticated_per_ip_max;
    Nanoseconds keep_alive = limits::keep_alive_deadline;
};

class Acceptor final : public ServerConnectionOwner {
  public:
    // `listener` is a bound, listening descriptor; the acceptor owns it. `context` null: plain.
    Acceptor(Loop& loop, RequestHandler& handler, int listener, std::shared_ptr<tls::ServerContext> context,
             AcceptorOptions options) noexcept;
    ~Acceptor();
    void start() noexcept;
    void replace_context(std::shared_ptr<tls::ServerContext> context) noexcept;  // new connections only
    // A lower limit closes nothing: accepting pauses until there are fewer. The keep-alive of open
    // connections counts from their next response.
    void replace_options(AcceptorOptions options) noexcept;
    // Stops accepting, closes idle connections, lets running responses finish. drained() becomes true when
    // none is left.
    void drain() noexcept;
    void abort_all() noexcept;  // the drain deadline
    [[nodiscard]] bool drained() const noexcept;
    [[nodiscard]] std::uint32_t connections_count() const noexcept;

    void connection_closed(ServerConnection& connection) noexcept override;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// A listening socket: "127.0.0.1:8443", "[::]:8443" or "unix:/run/nodex/admin.sock" (mode 0600, replaced).
// SO_REUSEPORT for TCP, so that every core has its own. Errors: bad_configuration, io_failure (address in
// use).
Result<int> listen_on(Bytes address) noexcept;
// Whether nobody listens at a TCP address yet. SO_REUSEPORT would let a second process share it unnoticed and
// take half of the connections. io_failure with EADDRINUSE; port 0 and Unix paths are always free.
Status check_address_free(Bytes address) noexcept;
// The port a TCP listener got (for ":0" in tests).
std::uint16_t local_port(int listener) noexcept;

}  // namespace nodex
