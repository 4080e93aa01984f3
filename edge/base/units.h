// What is billed, by kind.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace nodex {

// Indexes are stored in ledger rows: append only.
enum class Unit : std::uint8_t {
    input,
    cached_input,
    cache_write_5m,
    cache_write_1h,
    output,
    reasoning,
    image,
    other,
    count
};
inline constexpr std::size_t units_count = static_cast<std::size_t>(Unit::count);
using Units = std::array<std::uint64_t, units_count>;

}  // namespace nodex
