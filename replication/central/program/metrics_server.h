// MetricsServer: /metrics, /healthz and /readyz of nodex-central, on a loop and a thread of their
// own: a scrape never waits for the ledger, nor the ledger for a scrape.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "edge/base/result.h"

namespace nodex::central {

class MetricsServer {
  public:
    // Both are called on the server's thread.
    MetricsServer(std::function<std::string()> text, std::function<bool()> ready);
    ~MetricsServer();  // stops
    // Listens and serves. Errors: io_failure (address taken), unsupported(kernel): no io_uring; the
    // log says which.
    Status start(const std::string& address);
    [[nodiscard]] const std::string& address() const noexcept;  // as bound, with the port
    void stop();                                                // closes what is open, joins

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::central
