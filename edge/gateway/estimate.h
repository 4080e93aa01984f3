// Money before the call: the most a request can cost, and after it: what it did cost. Pure.
#pragma once
#include <cstdint>

#include "edge/api/chat_request.h"
#include "edge/api/chat_response.h"
#include "edge/base/money.h"
#include "replication/directory.h"

namespace nodex::gateway {

struct Estimate {
    std::uint64_t input_tokens = 0;   // upper bound
    std::uint64_t output_tokens = 0;  // upper bound, all choices
    Nano amount = 0;                  // upper bound of the cost
};
// A token is at least one byte of text, so bytes bound tokens from above; the model's context
// bounds both. Prices used are the highest that a unit can turn into (cache write above input,
// reasoning above output). overflow(self) when the product leaves int64.
Result<Estimate> estimate(const api::ChatRequest& request, const replication::ModelEntry& model,
                          std::uint64_t output_tokens_default) noexcept;

// Units when a provider reported none: four bytes of text a token, rounded up. Marked
// UsageSource::counted.
storage::Units counted_units(std::uint64_t input_text_bytes,
                             std::uint64_t output_text_bytes) noexcept;

}  // namespace nodex::gateway
