// Money: int64 nano-units of an account's currency, 128-bit intermediates, overflow refused.
#pragma once
#include <cstdint>

#include "edge/base/result.h"

namespace nodex {

using Nano = std::int64_t;  // 1e-9 of a currency unit
inline constexpr Nano nano_per_unit = 1'000'000'000;
__extension__ using Wide = __int128;                   // intermediates of a price
inline constexpr std::int64_t price_unit = 1'000'000;  // prices are nano-units per this many tokens

// Sum, or Error overflow(self).
inline Result<Nano> add_nano(Nano left, Nano right) noexcept {
    Nano sum = 0;
    if (__builtin_add_overflow(left, right, &sum))
        return Error{ErrorCode::overflow, ErrorSource::self};
    return sum;
}

// ceil(total / price_unit) for a non-negative 128-bit product sum; overflow when it leaves int64.
// Rounding happens here and only here: once per request, upwards.
inline Result<Nano> round_up_price(Wide total) noexcept {
    NX_ASSERT(total >= 0);
    const Wide rounded = (total + (price_unit - 1)) / price_unit;
    if (rounded > INT64_MAX) return Error{ErrorCode::overflow, ErrorSource::self};
    return static_cast<Nano>(rounded);
}

}  // namespace nodex
