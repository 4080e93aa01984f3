// Ids of requests, as POPs make them.
#pragma once
#include <cstring>

#include "edge/base/ids.h"

namespace nodex::replication {

// The number-th request of that POP: the ledger takes from a POP what is its own only.
inline RequestId request_of(PopId pop, std::uint64_t number) noexcept {
    RequestId id;
    id.octets[0] = static_cast<std::uint8_t>(raw(pop) >> 8);
    id.octets[1] = static_cast<std::uint8_t>(raw(pop));
    std::memcpy(id.octets.data() + RequestId::size - sizeof number, &number, sizeof number);
    return id;
}

}  // namespace nodex::replication
