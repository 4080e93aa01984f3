// How often something is said that a sender can cause at will.
#pragma once
#include <cstdint>

namespace nodex::replication {

// Whether to say it this time: the first, second, fourth, eighth... Whoever makes us say something
// (a POP whose credential is stolen, a broken one) does not fill the log.
inline bool is_told(std::uint64_t times) noexcept {
    return (times & (times - 1)) == 0;
}

}  // namespace nodex::replication
