// Identifiers that grow with time, as UUID version 7 does (RFC 9562, 5.7): new rows stand at the end of their
// family instead of anywhere, and inserting them compares a few keys, not dozens.
#pragma once
#include <cstdint>

#include "edge/base/random.h"

namespace nodex {

// `now_ms` since the epoch in 48 bits, big endian, then chance to the end (80 bits of an id of 16 octets).
template <class Id>
Id time_ordered_id(std::int64_t now_ms, Random& random) noexcept {
    constexpr std::size_t time_bytes = 6;
    static_assert(Id::size == 16);
    Id id;
    for (std::size_t i = 0; i < time_bytes; ++i)
        id.octets[i] = static_cast<std::uint8_t>(now_ms >> ((time_bytes - 1 - i) * 8));
    random.fill(id.octets.data() + time_bytes, id.octets.size() - time_bytes);
    return id;
}

}  // namespace nodex
