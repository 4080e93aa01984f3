// What an operator may tune of the request path; part of the configuration, immutable once a core
// has it.
#pragma once
#include <cstdint>
#include <string>

#include "edge/base/limits.h"
#include "replication/claims.h"

namespace nodex::gateway {

struct Settings {
    std::string node = "pop1";  // X-Nodex-Node
    std::string region = "local";
    std::string version;
    std::uint64_t body_bytes_max = limits::body_bytes_max;
    Nanoseconds heartbeat_interval = limits::heartbeat_interval;
    Nanoseconds disconnect_grace = limits::disconnect_grace;
    Nanoseconds drain_deadline = limits::drain_deadline;
    std::int64_t answer_retention_ms = 24 * 3'600 * 1'000;
    // What clients send is kept sealed beside the answers, for their own records (admin body get).
    bool request_bodies = true;
    // Clients and resale contracts differ on the status of the money codes: 402, 403 or 429
    // (deploy/api.md, Errors).
    int insufficient_balance_status = 402;
    int insufficient_quota_status = 403;
    // Output tokens assumed when neither the request nor the catalogue bounds them.
    std::uint64_t output_tokens_default = 16'384;
    // Keys across POPs (replication/claims.h); an account may have its own mode. `only_pop`: no
    // other POP can have a key, so the centre is never asked (--standalone).
    bool only_pop = false;
    replication::ClaimMode claims = replication::ClaimMode::overlap;
    bool proceed_on_partition = true;  // without the centre's word: run all the same, or 503
    // Events of streams go to clients once the buddy has their copies (durability.stream "buddy").
    bool copies_first = false;
    std::string cors_origin = "*";     // Access-Control-Allow-Origin; "": no CORS fields
};

}  // namespace nodex::gateway
