// The page of nodex-central's GET /metrics.
#pragma once
#include <string>

#include "edge/base/clock.h"
#include "replication/central/central_stats.h"
#include "replication/nats/link_counters.h"

namespace nodex::central {

// Any thread. What POPs tell of themselves is up to limits::report_interval and a second old.
std::string metrics_text(const replication::CentralStats& stats,
                         const replication::LinkCounters& link, Clock& clock);

}  // namespace nodex::central
