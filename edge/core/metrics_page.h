// The page of GET /metrics: everything the node counts, in Prometheus's text format.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "edge/gateway/metrics.h"
#include "edge/io/loop.h"
#include "edge/upstream/upstream.h"
#include "replication/agent.h"
#include "replication/nats/link_counters.h"
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
    std::function<replication::LinkCounters()> link;  // empty: the centre is in this process
};

std::string metrics_text(const MetricsSources& sources);

}  // namespace nodex::core
