// GET /metrics: everything the node counts, in Prometheus's text format. Served on a loopback
// listener, which also answers /healthz and /readyz for load balancers.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "edge/connection/server_connection.h"
#include "edge/gateway/metrics.h"
#include "edge/io/loop.h"
#include "edge/upstream/upstream.h"
#include "replication/agent.h"
#include "storage/commit_thread.h"

namespace nodex::core {

// Borrowed counters of all cores; read with relaxed loads.
struct MetricsSources {
    std::vector<gateway::Metrics*> gateways;
    std::vector<LoopStats*> loops;
    std::function<std::vector<std::vector<upstream::EndpointStatus>>()>
        endpoints;                                            // by core, at most a second old
    std::function<std::vector<std::uint32_t>()> connections;  // by core
    storage::CommitStats* commits = nullptr;
    replication::AgentStats* agent = nullptr;
    Clock* clock = nullptr;
};

std::string metrics_text(const MetricsSources& sources);

class MetricsHandler final : public RequestHandler {
  public:
    MetricsHandler(MetricsSources sources, std::function<bool()> ready);
    std::uint64_t request_head(ServerConnection& connection,
                               const http::RequestHead& head) noexcept override;
    void request_body(ServerConnection&, Bytes) noexcept override {}
    void request_complete(ServerConnection&) noexcept override {}
    void request_refused(ServerConnection& connection, http::Refusal refusal) noexcept override;
    void response_writable(ServerConnection&) noexcept override {}
    void request_abandoned(ServerConnection&, Error) noexcept override {}
    void response_sent(ServerConnection&) noexcept override {}

  private:
    MetricsSources sources_;
    std::function<bool()> ready_;
};

}  // namespace nodex::core
