// LinkCounters: how the connection to the local nats-server is, for operators.
#pragma once
#include <cstdint>

namespace nodex::replication {

struct LinkCounters {
    bool connected = false;
    std::uint64_t disconnects = 0;  // lost, by whichever side
    std::uint64_t reopened = 0;     // made anew because libnats had given up
    std::uint64_t tls_demands = 0;  // attempts that ended because the server wants TLS
    std::uint64_t unsent = 0;       // messages that found no connection: gone, never kept
    std::uint64_t dropped = 0;      // that came faster than they were handled: up to a second old
    std::uint64_t queued = 0;       // that came and wait to be handled
};

}  // namespace nodex::replication
