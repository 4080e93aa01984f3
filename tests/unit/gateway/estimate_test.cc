// The reservation is an upper bound; counted units round up.
#include "edge/gateway/estimate.h"

#include <gtest/gtest.h>

namespace nodex::gateway {
namespace {

replication::ModelEntry model_with(Nano input, Nano output) {
    replication::ModelEntry model;
    model.prices[static_cast<std::size_t>(storage::Unit::input)] = input;
    model.prices[static_cast<std::size_t>(storage::Unit::output)] = output;
    return model;
}

TEST(Estimate, BoundsInputByBytesAndOutputByTheRequestTimesChoices) {
    api::ChatRequest request;
    request.input_text_bytes = 1'000;
    request.messages_count = 2;
    request.output_tokens_max = 50;
    request.choices = 3;
    const auto result = estimate(request, model_with(1'000'000, 2'000'000), 4'096);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->input_tokens, 1'000u + 2 * 8 + 16);
    EXPECT_EQ(result->output_tokens, 150u);
    EXPECT_EQ(result->amount, static_cast<Nano>(result->input_tokens) * 1 + 150 * 2);
}

TEST(Estimate, TheModelsContextAndOutputLimitsLowerTheBound) {
    api::ChatRequest request;
    request.input_text_bytes = 1'000'000;
    request.output_tokens_max = 100'000;
    auto model = model_with(1, 1);
    model.context_tokens = 8'000;
    model.output_tokens_max = 500;
    const auto result = estimate(request, model, 4'096);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->input_tokens, 8'000u);
    EXPECT_EQ(result->output_tokens, 500u);
}

TEST(Estimate, UsesTheHighestPriceThatAUnitCanTurnInto) {
    api::ChatRequest request;
    request.output_tokens_max = 1'000'000;
    auto model = model_with(0, 5);
    model.prices[static_cast<std::size_t>(storage::Unit::reasoning)] = 9;
    const auto result = estimate(request, model, 2'000'000);
    ASSERT_TRUE(result);
    EXPECT_EQ(result->amount, 9);
}

TEST(Estimate, RefusesWhatDoesNotFitInsteadOfWrapping) {
    api::ChatRequest request;
    request.output_tokens_max = UINT32_MAX;
    request.choices = 128;
    EXPECT_EQ(estimate(request, model_with(0, INT64_MAX), UINT32_MAX).error().code, ErrorCode::overflow);
}

TEST(CountedUnits, FourBytesAreATokenRoundedUp) {
    const storage::Units units = counted_units(0, 9);
    EXPECT_EQ(units[static_cast<std::size_t>(storage::Unit::input)], 0u);
    EXPECT_EQ(units[static_cast<std::size_t>(storage::Unit::output)], 3u);
}

}  // namespace
}  // namespace nodex::gateway
