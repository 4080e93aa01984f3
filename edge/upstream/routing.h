// Routing: the order in which endpoints are tried for one request. Pure.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "edge/base/random.h"
#include "edge/upstream/health.h"

namespace nodex::upstream {

struct Candidate {
    std::size_t endpoint = 0;
    std::uint32_t weight = 0;
    Standing standing = Standing::healthy;
};

// First one endpoint whose probe is due (if it fails, the request goes on to the next, so a client pays at
// most one failed attempt for the knowledge), then the healthy ones, then the rest; each tier in a random
// order in which an endpoint comes first as often as its share of the weights. Weight 0 comes after every
// positive weight of its tier. At most limits::endpoints_chosen_max.
std::vector<std::size_t> order_candidates(std::vector<Candidate> candidates, Random& random);

}  // namespace nodex::upstream
