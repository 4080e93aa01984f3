// GET /metrics, and /healthz and /readyz for load balancers: the operator's page of a program, on a
// loopback listener.
#pragma once
#include <functional>
#include <string>

#include "edge/connection/server_connection.h"

namespace nodex::metrics {

class MetricsHandler final : public RequestHandler {
  public:
    // Both are called on the loop: `text` makes the page, `ready` says whether work is taken.
    MetricsHandler(std::function<std::string()> text, std::function<bool()> ready);
    std::uint64_t request_head(ServerConnection& connection,
                               const http::RequestHead& head) noexcept override;
    void request_body(ServerConnection&, Bytes) noexcept override {}
    void request_complete(ServerConnection&) noexcept override {}
    void request_refused(ServerConnection& connection, http::Refusal refusal) noexcept override;
    void response_writable(ServerConnection&) noexcept override {}
    void request_abandoned(ServerConnection&, Error) noexcept override {}
    void response_sent(ServerConnection&) noexcept override {}

  private:
    std::function<std::string()> text_;
    std::function<bool()> ready_;
};

}  // namespace nodex::metrics
