// Hashes of identifiers whose first octets many of them share: OpaqueHash would put them all into
// one bucket.
#pragma once
#include <cstring>

#include "edge/base/ids.h"

namespace nodex::storage {

// The second half. A request id begins with its POP, incarnation and core, which all ids here
// share; counter and random octets are at its end. A body id begins with its time.
struct SecondHalfHash {
    template <class Id>
    std::size_t operator()(const Id& id) const noexcept {
        static_assert(Id::size == 16);
        std::uint64_t word;
        std::memcpy(&word, id.octets.data() + Id::size - sizeof word, sizeof word);
        return word * 0x9e3779b97f4a7c15u;
    }
};
using RequestIdHash = SecondHalfHash;
using BodyIdHash = SecondHalfHash;

}  // namespace nodex::storage
