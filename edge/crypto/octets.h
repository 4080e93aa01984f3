// Octets as BoringSSL takes them.
#pragma once

#include <cstdint>

#include "edge/base/bytes.h"

namespace nodex::crypto {

inline const std::uint8_t* octets(Bytes bytes) noexcept {
    return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace nodex::crypto
