// The connection to the local nats-server, the same at a POP and at a centre.
#pragma once
#include "edge/metrics/page.h"
#include "replication/nats/link_counters.h"

namespace nodex::metrics {

void add_link(Page& page, const replication::LinkCounters& link);

}  // namespace nodex::metrics
