// Provider answers and chunks: usage that adds up, kinds that text cannot fake, spans that cut cleanly.
#include "edge/api/chat_response.h"

#include <gtest/gtest.h>

namespace nodex::api {
namespace {

using nodex::Unit;
using Kind = ChatChunk::Kind;

std::uint64_t unit(const Usage& usage, Unit kind) { return usage.units[static_cast<std::size_t>(kind)]; }

ChatChunk chunk(Bytes data, bool hide = false) {
    JsonReader reader;
    return read_chat_chunk(reader, data, hide);
}

ChatAnswer answer(Bytes body) {
    JsonReader reader;
    return read_chat_answer(reader, body);
}

TEST(ChatUsage, CachedIsTakenOutOfInputAndReasoningOutOfOutput) {
    const ChatAnswer read = answer(
        R"({"id":"c","choices":[{"index":0,"message":{"role":"assistant","content":"four","refusal":null}}],)"
        R"("usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,)"
        R"("prompt_tokens_details":{"cached_tokens":60,"audio_tokens":0,"cache_write_tokens":10},)"
        R"("completion_tokens_details":{"reasoning_tokens":20}}})");
    ASSERT_TRUE(read.valid_json);
    ASSERT_TRUE(read.usage);
    EXPECT_EQ(read.usage->prompt_tokens, 100u);
    EXPECT_EQ(read.usage->completion_tokens, 50u);
    EXPECT_EQ(unit(*read.usage, Unit::input), 30u);
    EXPECT_EQ(unit(*read.usage, Unit::cached_input), 60u);
    EXPECT_EQ(unit(*read.usage, Unit::cache_write_5m), 10u);
    EXPECT_EQ(unit(*read.usage, Unit::output), 30u);
    EXPECT_EQ(unit(*read.usage, Unit::reasoning), 20u);
    EXPECT_EQ(read.output_text_bytes, 4u);
}

TEST(ChatUsage, DetailsNeverExceedTheirTotals) {
    const ChatAnswer read = answer(
        R"({"usage":{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":8,)"
        R"("cache_write_tokens":99},"completion_tokens_details":{"reasoning_tokens":99}}})");
    ASSERT_TRUE(read.usage);
    EXPECT_EQ(unit(*read.usage, Unit::input), 0u);
    EXPECT_EQ(unit(*read.usage, Unit::cached_input), 8u);
    EXPECT_EQ(unit(*read.usage, Unit::cache_write_5m), 2u);
    EXPECT_EQ(unit(*read.usage, Unit::output), 0u);
    EXPECT_EQ(unit(*read.usage, Unit::reasoning), 5u);
}

TEST(ChatUsage, UnusableUsageIsNoUsage) {
    const Bytes rows[] = {
        "null",
        "5",
        "\"x\"",
        "[]",
        "{}",
        R"({"prompt_tokens":1})",
        R"({"completion_tokens":1})",
        R"({"prompt_tokens":-1,"completion_tokens":1})",
        R"({"prompt_tokens":1.5,"completion_tokens":1})",
        R"({"prompt_tokens":1.0,"completion_tokens":1})",
        R"({"prompt_tokens":"1","completion_tokens":1})",
        R"({"prompt_tokens":1,"completion_tokens":null})",
        R"({"prompt_tokens":1,"completion_tokens":1000000001})",
        R"({"prompt_tokens":18446744073709551615,"completion_tokens":1})",
    };
    for (const Bytes row : rows) {
        const ChatAnswer read = answer("{\"usage\":" + std::string(row) + "}");
        EXPECT_TRUE(read.valid_json) << row;
        EXPECT_FALSE(read.usage) << row;
    }
    EXPECT_TRUE(answer(R"({"usage":{"prompt_tokens":0,"completion_tokens":1000000000}})").usage);
    const ChatAnswer odd_details = answer(
        R"({"usage":{"prompt_tokens":3,"completion_tokens":1,"prompt_tokens_details":7,)"
        R"("completion_tokens_details":{"reasoning_tokens":-4}}})");
    ASSERT_TRUE(odd_details.usage);
    EXPECT_EQ(unit(*odd_details.usage, Unit::input), 3u);
    EXPECT_EQ(unit(*odd_details.usage, Unit::output), 1u);
}

TEST(ChatAnswerReader, CountsWhatTheModelWroteInEveryChoice) {
    const ChatAnswer read = answer(
        R"({"choices":[{"message":{"role":"assistant","content":"ab"}},{"message":{"content":null,)"
        R"("refusal":"cde",)"
        R"("tool_calls":[{"id":"call_1","type":"function","function":{"name":"fn","arguments":"{}"}}]}},)"
        R"(7,{"message":1}]})");
    EXPECT_EQ(read.output_text_bytes, 2u + 3u + 4u);
    EXPECT_FALSE(answer("<html>").valid_json);
    EXPECT_FALSE(answer("[]").valid_json);
    EXPECT_FALSE(answer("").valid_json);
    EXPECT_TRUE(answer("{}").valid_json);
}

TEST(ChatChunkReader, TellsTheKindsApart) {
    const struct {
        Bytes data;
        Kind kind;
    } rows[] = {
        {"[DONE]", Kind::done},
        {" [DONE]\r", Kind::done},
        {"[DONE", Kind::malformed},
        {"", Kind::malformed},
        {"[]", Kind::malformed},
        {"{", Kind::malformed},
        {"{\"choices\":[]} x", Kind::malformed},
        {R"({"choices":[{"delta":{"content":"hi"}}]})", Kind::content},
        {R"({"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}})", Kind::usage_only},
        {R"({"usage":{"prompt_tokens":1,"completion_tokens":2},"choices":[]})", Kind::usage_only},
        {R"({"choices":[],"usage":{"prompt_tokens":-1}})",
         Kind::usage_only},  // useless, but still not for clients
        {R"({"choices":[],"usage":null})", Kind::content},
        {R"({"choices":[],"prompt_filter_results":[]})", Kind::content},
        {R"({"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":2}})", Kind::content},
        {R"({"error":{"message":"x"}})", Kind::error},
        {R"({"error":"x","choices":[]})", Kind::error},
        {R"({"error":{},"choices":[]})", Kind::error},
        {R"({"error":1})", Kind::error},
        {R"({"error":null,"choices":[]})", Kind::content},
        {R"({"error":false,"choices":[]})", Kind::content},
        {R"({"error":"","choices":[]})", Kind::content},
        {R"({"error":0,"choices":[]})", Kind::content},
        {R"({"choices":[{"delta":{"content":"\"error\":{\"message\":1},\"usage\":{}"}}]})", Kind::content},
        {R"({"choices":[{"delta":{"content":"[DONE]"}}]})", Kind::content},
        {R"({"choices":[{"error":{"m":1},"usage":{"prompt_tokens":1,"completion_tokens":1}}]})",
         Kind::content},
    };
    for (const auto& row : rows) EXPECT_EQ(chunk(row.data).kind, row.kind) << row.data;
}

TEST(ChatChunkReader, ReadsUsageWhereverItComes) {
    const ChatChunk last = chunk(
        R"({"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":4,)"
        R"("completion_tokens":2}})");
    EXPECT_TRUE(last.finished.test(0));
    ASSERT_TRUE(last.usage);
    EXPECT_EQ(last.usage->completion_tokens, 2u);
    EXPECT_FALSE(chunk(R"({"choices":[{"delta":{"content":"\"usage\":{\"prompt_tokens\":1}"}}]})").usage);
}

TEST(ChatChunkReader, CountsTextAndSeesTheEndOfAnyChoice) {
    const ChatChunk read = chunk(
        R"({"choices":[{"index":0,"delta":{"role":"assistant","content":"\u00e4b"},"finish_reason":null},)"
        R"({"index":1,"delta":{"tool_calls":[{"index":0,"id":"call_9","type":"function",)"
        R"("function":{"name":"f",)"
        R"("arguments":"{\"a\""}}]},"finish_reason":"length"}]})");
    EXPECT_EQ(read.output_text_bytes, 3u + 1u + 4u);
    EXPECT_TRUE(read.finished.any());
    EXPECT_FALSE(chunk(R"({"choices":[{"delta":{"content":"x"},"finish_reason":null}]})").finished.any());
}

std::string hidden(Bytes data) {
    const ChatChunk read = chunk(data, true);
    return std::string(data).erase(read.hide_offset, read.hide_size);
}

TEST(ChatChunkReader, HidesANullUsageWithTheRightComma) {
    const struct {
        Bytes data, rest;
    } rows[] = {
        {R"({"id":"c","choices":[],"usage":null})", R"({"id":"c","choices":[]})"},
        {R"({"id":"c", "usage" : null , "choices":[]})", R"({"id":"c" , "choices":[]})"},
        {R"({"usage":null,"choices":[]})", R"({"choices":[]})"},
        {R"({ "usage":null , "choices":[]})", R"({  "choices":[]})"},
        {R"({"usage":null})", R"({})"},
        {R"({"us\u0061ge":null,"a":1})", R"({"a":1})"},
        {R"({"choices":[{"delta":{"content":",\"usage\":null"}}],"x":{"usage":null}})",
         R"({"choices":[{"delta":{"content":",\"usage\":null"}}],"x":{"usage":null}})"},
        {R"({"choices":[{"delta":{"content":",\"usage\":null"}}],"x":[{"a":"}"}],"usage":null,"y":2})",
         R"({"choices":[{"delta":{"content":",\"usage\":null"}}],"x":[{"a":"}"}],"y":2})"},
    };
    for (const auto& row : rows) EXPECT_EQ(hidden(row.data), row.rest) << row.data;
    EXPECT_EQ(chunk(R"({"choices":[],"usage":null})", false).hide_size, 0u);
    EXPECT_EQ(chunk(R"({"choices":[{"delta":{}}],"usage":{"prompt_tokens":1,"completion_tokens":1}})", true)
                  .hide_size,
              0u);
}

}  // namespace
}  // namespace nodex::api
