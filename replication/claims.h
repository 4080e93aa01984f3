// Claims: what the gateway knows about an idempotency key that may be in use at another POP.
#pragma once
#include <cstdint>

#include "edge/base/ids.h"
#include "edge/base/money.h"

namespace nodex::replication {

// When a paid request may go on, with respect to its key at other POPs.
enum class ClaimMode : std::uint8_t {
    node,     // of an account: as the node is configured
    overlap,  // the provider is called at once, nothing is delivered before the centre's word
    strict,   // the provider is called after it
    local,    // the centre is not asked
    last = local,
};

// Who owns a key that cannot run here.
struct ClaimOwner {
    bool done = false;  // it has been charged: the owner has the answer; else it runs
    bool dead = false;  // not done: the centre has not heard of the owner for too long
    PopId pop{};
    std::uint32_t incarnation = 0;  // 0: not known
    RequestId request;
    BodyId answer;             // done, unless not known (zero)
    std::uint16_t status = 0;  // done
    Nano charged = 0;          // done
    std::uint16_t attempt = 0;
};

}  // namespace nodex::replication
