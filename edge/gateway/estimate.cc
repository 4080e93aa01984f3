// Upper bounds before a call, counted units after one.
#include "edge/gateway/estimate.h"

#include <algorithm>

namespace nodex::gateway {
namespace {

using storage::Unit;

constexpr std::uint64_t tokens_per_message =
    8;  // role and framing tokens of a chat template, generously
constexpr std::uint64_t tokens_per_request = 16;
constexpr std::uint64_t bytes_per_counted_token = 4;

Nano price_of(const replication::Prices& prices, Unit unit) noexcept {
    return prices[static_cast<std::size_t>(unit)];
}

}  // namespace

Result<Estimate> estimate(const api::ChatRequest& request, const replication::ModelEntry& model,
                          std::uint64_t output_tokens_default) noexcept {
    Estimate result;
    result.input_tokens = request.input_text_bytes + request.messages_count * tokens_per_message +
                          request.images_count * model.image_tokens_max + tokens_per_request;
    if (model.context_tokens > 0)
        result.input_tokens = std::min(result.input_tokens, model.context_tokens);

    std::uint64_t per_choice =
        model.output_tokens_max > 0 ? model.output_tokens_max : output_tokens_default;
    if (request.output_tokens_max) per_choice = std::min(per_choice, *request.output_tokens_max);
    result.output_tokens = per_choice * request.choices;

    const Nano input_price =
        std::max({price_of(model.prices, Unit::input), price_of(model.prices, Unit::cached_input),
                  price_of(model.prices, Unit::cache_write_5m),
                  price_of(model.prices, Unit::cache_write_1h)});
    const Nano output_price =
        std::max(price_of(model.prices, Unit::output), price_of(model.prices, Unit::reasoning));
    const auto amount = round_up_price(static_cast<Wide>(result.input_tokens) * input_price +
                                       static_cast<Wide>(result.output_tokens) * output_price);
    if (!amount) return amount.error();
    result.amount = *amount;
    return result;
}

storage::Units counted_units(std::uint64_t input_text_bytes,
                             std::uint64_t output_text_bytes) noexcept {
    storage::Units units{};
    const auto tokens = [](std::uint64_t bytes) {
        return (bytes + bytes_per_counted_token - 1) / bytes_per_counted_token;
    };
    units[static_cast<std::size_t>(Unit::input)] = tokens(input_text_bytes);
    units[static_cast<std::size_t>(Unit::output)] = tokens(output_text_bytes);
    return units;
}

}  // namespace nodex::gateway
