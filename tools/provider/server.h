// Server: one loop, listener and handler a core, each on a thread of its own.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "tools/provider/counters.h"
#include "tools/provider/exchange.h"

namespace nodex::provider {

struct ServerOptions {
    std::string listen = "127.0.0.1:9900";
    std::string tls_certificate, tls_key;  // PEM files; both or none
    unsigned cores = 1;
    Defaults defaults;
};

class Server {
  public:
    // Listens at once. Errors are those of listen_on, of tls::ServerContext and of UringLoop.
    static Result<std::unique_ptr<Server>> create(const ServerOptions& options);
    ~Server();

    void start();
    // Cuts what runs, and joins the threads.
    void stop();
    [[nodiscard]] std::string address() const;  // "127.0.0.1:9900", with the real port

  private:
    struct Core;
    Server() = default;

    Counters counters_;
    ServerOptions options_;
    std::uint16_t port_ = 0;
    std::vector<std::unique_ptr<Core>> cores_;
};

}  // namespace nodex::provider
