// The families of a LinkCounters.
#include "edge/metrics/link_page.h"

namespace nodex::metrics {

void add_link(Page& page, const replication::LinkCounters& link) {
    const auto number = [](std::uint64_t value) { return static_cast<double>(value); };
    page.gauge("nodex_nats_connected", "1: the local nats-server answers.", link.connected ? 1 : 0);
    page.counter("nodex_nats_disconnects_total", "Connections to it that were lost.",
                 number(link.disconnects));
    page.counter("nodex_nats_reopened_total", "Connections made anew because libnats had given up.",
                 number(link.reopened));
    page.counter("nodex_nats_tls_demands_total", "Attempts that ended because it wants TLS.",
                 number(link.tls_demands));
    page.counter("nodex_nats_messages_unsent_total",
                 "Messages that found no connection; whoever sent them sends again.",
                 number(link.unsent));
    page.counter("nodex_nats_messages_dropped_total",
                 "Messages that came faster than they were handled.", number(link.dropped));
    page.gauge("nodex_nats_messages_queued", "Messages that came and wait to be handled.",
               number(link.queued));
}

}  // namespace nodex::metrics
