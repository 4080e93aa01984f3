// Model lists in both shapes, pages at their ends, dates.
#include "edge/api/models.h"

#include <gtest/gtest.h>

#include "edge/api/json_body.h"

namespace nodex::api {
namespace {

const ModelCard cards[] = {
    {"gpt-x", "GPT X", "openai", 1'700'000'000, 128'000, 16'384},
    {"org/claude\"y", "", "anthropic", 0, 0, 0},
    {"c", "C", "lab", 951'782'400, 1, 0},
};

std::string page(const ModelsPage& wanted) {
    auto result = anthropic_models(cards, wanted);
    if (const ApiError* error = std::get_if<ApiError>(&result)) return "refused " + error->param;
    JsonReader reader;
    EXPECT_FALSE(check_json(reader, std::get<std::string>(result)));
    return std::get<std::string>(result);
}

TEST(Models, OpenAiShapeHasContextSizeAndProvider) {
    EXPECT_EQ(
        openai_model(cards[0]),
        R"({"id":"gpt-x","object":"model","created":1700000000,"owned_by":"openai","provider":"openai",)"
        R"("context_window":128000,"max_output_tokens":16384})");
    EXPECT_EQ(openai_models({}), R"({"object":"list","data":[]})");
    EXPECT_EQ(openai_models(std::span(cards, 2)),
              R"({"object":"list","data":[)" + openai_model(cards[0]) + "," + openai_model(cards[1]) + "]}");
    EXPECT_NE(openai_model(cards[1]).find(R"("id":"org/claude\"y")"), std::string::npos);
    EXPECT_NE(openai_model(cards[1]).find(R"("context_window":null)"), std::string::npos);
}

TEST(Models, AnthropicShapeHasANameAndADate) {
    EXPECT_EQ(anthropic_model(cards[0]),
              R"({"type":"model","id":"gpt-x","display_name":"GPT X","created_at":"2023-11-14T22:13:20Z",)"
              R"("max_input_tokens":128000,"max_tokens":16384,"provider":"openai"})");
    EXPECT_NE(anthropic_model(cards[1]).find(R"("display_name":"org/claude\"y")"), std::string::npos);
}

TEST(Models, AnthropicPagesEndWhereTheListEnds) {
    const auto tail = [](const std::string& body) { return body.substr(body.rfind("],") + 1); };
    EXPECT_EQ(tail(page({})), R"(,"has_more":false,"first_id":"gpt-x","last_id":"c"})");
    EXPECT_EQ(tail(page({.limit = 3})), R"(,"has_more":false,"first_id":"gpt-x","last_id":"c"})");
    EXPECT_EQ(tail(page({.limit = 1})), R"(,"has_more":true,"first_id":"gpt-x","last_id":"gpt-x"})");
    EXPECT_EQ(tail(page({.limit = 1, .after_id = "gpt-x"})),
              R"(,"has_more":true,"first_id":"org/claude\"y","last_id":"org/claude\"y"})");
    EXPECT_EQ(tail(page({.after_id = "c"})), R"(,"has_more":false,"first_id":null,"last_id":null})");
    EXPECT_EQ(tail(page({.limit = 1, .before_id = "c"})),
              R"(,"has_more":true,"first_id":"org/claude\"y","last_id":"org/claude\"y"})");
    EXPECT_EQ(tail(page({.limit = 5, .before_id = "c"})),
              R"(,"has_more":false,"first_id":"gpt-x","last_id":"org/claude\"y"})");
}

TEST(Models, RefusesBadPages) {
    EXPECT_EQ(page({.limit = 0}), "refused limit");
    EXPECT_EQ(page({.limit = 1001}), "refused limit");
    EXPECT_NE(page({.limit = 1000}), "refused limit");
    EXPECT_EQ(page({.after_id = "nobody"}), "refused after_id");
    EXPECT_EQ(page({.before_id = "nobody"}), "refused before_id");
    EXPECT_EQ(page({.after_id = "c", .before_id = "c"}), "refused before_id");
}

TEST(Models, DatesAreThoseOfTheCalendar) {
    const struct {
        std::int64_t unix_s;
        const char* text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},          {-5, "1970-01-01T00:00:00Z"},
        {951'782'400, "2000-02-29T00:00:00Z"}, {951'868'800, "2000-03-01T00:00:00Z"},
        {1'709'251'199, "2024-02-29T23:59:59Z"}, {4'107'542'400, "2100-03-01T00:00:00Z"},
        {1'767'225'599, "2025-12-31T23:59:59Z"}, {253'402'300'799, "9999-12-31T23:59:59Z"},
        {INT64_MAX, "9999-12-31T23:59:59Z"},
    };
    for (const auto& row : rows) EXPECT_EQ(rfc3339(row.unix_s), row.text);
}

}  // namespace
}  // namespace nodex::api
