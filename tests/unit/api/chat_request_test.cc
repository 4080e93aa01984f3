// Chat requests: facts, refusals at their boundaries, and splices that touch nothing else.
#include "edge/api/chat_request.h"

#include <gtest/gtest.h>

#include <vector>

#include "edge/base/limits.h"

namespace nodex::api {
namespace {

constexpr Bytes hello = R"("model":"gpt-x","messages":[{"role":"user","content":"hello"}])";

std::string with(Bytes more) { return std::string("{").append(hello).append(",").append(more).append("}"); }

ChatRequest accepted(Bytes body) {
    JsonReader reader;
    auto parsed = parse_chat_request(reader, body);
    if (const ApiError* error = std::get_if<ApiError>(&parsed)) {
        ADD_FAILURE() << body << ": " << error->message;
        return {};
    }
    return std::get<ChatRequest>(parsed);
}

ApiError refused(Bytes body) {
    JsonReader reader;
    auto parsed = parse_chat_request(reader, body);
    if (std::holds_alternative<ChatRequest>(parsed)) {
        ADD_FAILURE() << "accepted: " << body;
        return {};
    }
    return std::get<ApiError>(parsed);
}

TEST(ChatRequestParser, ReadsTheFactsOfARequest) {
    const ChatRequest request = accepted(
        R"({"model":"gpt-x","stream":true,"stream_options":{"include_usage":true},"n":2,"max_tokens":10,)"
        R"("max_completion_tokens":20,"user":"u1","messages":[{"role":"system","content":"a"},)"
        R"({"role":"user","content":[{"type":"text","text":"b"},)"
        R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]})");
    EXPECT_EQ(request.model, "gpt-x");
    EXPECT_TRUE(request.stream);
    EXPECT_TRUE(request.include_usage);
    EXPECT_EQ(request.choices, 2u);
    EXPECT_EQ(request.output_tokens_max, 20u);
    EXPECT_EQ(request.messages_count, 2u);
    EXPECT_EQ(request.images_count, 1u);
    EXPECT_EQ(request.user, "u1");
}

TEST(ChatRequestParser, DefaultsAreThoseOfTheApiAlsoForNull) {
    for (const std::string& body :
         {with("\"x\":1"),
          with(R"("stream":null,"stream_options":null,"n":null,"max_tokens":null,"temperature":null,)"
               R"("top_p":null,"stop":null,"user":null,"logprobs":null,"top_logprobs":null)")}) {
        const ChatRequest request = accepted(body);
        EXPECT_FALSE(request.stream);
        EXPECT_FALSE(request.include_usage);
        EXPECT_EQ(request.choices, 1u);
        EXPECT_FALSE(request.output_tokens_max);
        EXPECT_EQ(request.user, "");
    }
}

TEST(ChatRequestParser, TheNewNameOfMaxTokensWinsInAnyOrder) {
    EXPECT_EQ(accepted(with(R"("max_completion_tokens":7,"max_tokens":9)")).output_tokens_max, 7u);
    EXPECT_EQ(accepted(with(R"("max_tokens":9,"max_completion_tokens":7)")).output_tokens_max, 7u);
    EXPECT_EQ(accepted(with(R"("max_completion_tokens":null,"max_tokens":9)")).output_tokens_max, 9u);
}

TEST(ChatRequestParser, UserComesBeforeSafetyIdentifier) {
    EXPECT_EQ(accepted(with(R"("safety_identifier":"s")")).user, "s");
    EXPECT_EQ(accepted(with(R"("safety_identifier":"s","user":"u")")).user, "u");
}

TEST(ChatRequestParser, UnknownFieldsPass) {
    accepted(
        with(R"("reasoning_effort":"xhigh","store":true,"metadata":{"a":"b"},"from_the_future":[{"x":1}])"));
    accepted(
        R"({"model":"m","messages":[{"role":"critic","content":[{"type":"hologram","h":{}}],"extra":1}]})");
    accepted(
        R"({"model":"m","messages":[{"role":"assistant","content":null,"tool_calls":[{"id":"c",)"
        R"("type":"function",)"
        R"("function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"c","content":"r"}]})");
}

TEST(ChatRequestParser, RangesEndWhereTheySay) {
    const struct {
        Bytes good, bad, param;
    } rows[] = {
        {"\"temperature\":0", "\"temperature\":-0.001", "temperature"},
        {"\"temperature\":2", "\"temperature\":2.001", "temperature"},
        {"\"temperature\":2.0", "\"temperature\":3", "temperature"},
        {"\"top_p\":0", "\"top_p\":-1", "top_p"},
        {"\"top_p\":1", "\"top_p\":1.0000001", "top_p"},
        {"\"frequency_penalty\":-2", "\"frequency_penalty\":-2.01", "frequency_penalty"},
        {"\"frequency_penalty\":2", "\"frequency_penalty\":2.01", "frequency_penalty"},
        {"\"presence_penalty\":-2.0", "\"presence_penalty\":-3", "presence_penalty"},
        {"\"presence_penalty\":2.0", "\"presence_penalty\":1e300", "presence_penalty"},
        {"\"n\":1", "\"n\":0", "n"},
        {"\"n\":128", "\"n\":129", "n"},
        {"\"n\":2", "\"n\":2.0", "n"},
        {"\"n\":2", "\"n\":\"2\"", "n"},
        {"\"n\":2", "\"n\":18446744073709551615", "n"},
        {"\"max_tokens\":1", "\"max_tokens\":0", "max_tokens"},
        {"\"max_tokens\":1000000000", "\"max_tokens\":1000000001", "max_tokens"},
        {"\"max_completion_tokens\":1", "\"max_completion_tokens\":-1", "max_completion_tokens"},
        {"\"max_completion_tokens\":1", "\"max_completion_tokens\":1.5", "max_completion_tokens"},
        {"\"top_logprobs\":0", "\"top_logprobs\":-1", "top_logprobs"},
        {"\"top_logprobs\":20", "\"top_logprobs\":21", "top_logprobs"},
        {"\"logprobs\":true", "\"logprobs\":1", "logprobs"},
        {"\"stop\":\"a\"", "\"stop\":1", "stop"},
        {"\"stop\":[\"a\"]", "\"stop\":[]", "stop"},
        {"\"stop\":[\"a\",\"b\",\"c\",\"d\"]", "\"stop\":[\"a\",\"b\",\"c\",\"d\",\"e\"]", "stop"},
        {"\"stop\":[\"a\"]", "\"stop\":[\"a\",1]", "stop[1]"},
        {"\"stream\":true", "\"stream\":\"true\"", "stream"},
        {"\"stream\":true,\"stream_options\":{}", "\"stream\":true,\"stream_options\":[]", "stream_options"},
        {"\"stream_options\":{},\"stream\":true", "\"stream_options\":{}", "stream_options"},
        {"\"stream\":true,\"stream_options\":{\"include_usage\":false}",
         "\"stream\":true,\"stream_options\":{\"include_usage\":1}", "stream_options.include_usage"},
        {"\"user\":\"u\"", "\"user\":7", "user"},
    };
    for (const auto& row : rows) {
        accepted(with(row.good));
        const ApiError error = refused(with(row.bad));
        EXPECT_EQ(error.code, Code::invalid_request_error);
        EXPECT_EQ(error.param, row.param) << row.bad;
        EXPECT_NE(error.message.find(std::string(row.param)), std::string::npos) << error.message;
    }
}

TEST(ChatRequestParser, AMessageSaysWhatIsAllowed) {
    EXPECT_EQ(
        refused(with("\"temperature\":2.5")).message,
        "Invalid 'temperature': number out of range. Expected a value between 0 and 2, but got 2.5 instead.");
    EXPECT_EQ(refused(with("\"n\":\"two\"")).message,
              "Invalid type for 'n': expected an integer, but got a string instead.");
}

TEST(ChatRequestParser, RefusesMissingOrMisshapenRequiredFields) {
    const struct {
        Bytes body, param;
    } rows[] = {
        {R"({"messages":[{"role":"user","content":"x"}]})", "model"},
        {R"({"model":null,"messages":[{"role":"user","content":"x"}]})", "model"},
        {R"({"model":"","messages":[{"role":"user","content":"x"}]})", "model"},
        {R"({"model":5,"messages":[{"role":"user","content":"x"}]})", "model"},
        {R"({"model":"m"})", "messages"},
        {R"({"model":"m","messages":null})", "messages"},
        {R"({"model":"m","messages":{}})", "messages"},
        {R"({"model":"m","messages":[]})", "messages"},
        {R"({"model":"m","messages":["x"]})", "messages[0]"},
        {R"({"model":"m","messages":[{"role":"user","content":"x"},{"content":"x"}]})", "messages[1].role"},
        {R"({"model":"m","messages":[{"role":1,"content":"x"}]})", "messages[0].role"},
        {R"({"model":"m","messages":[{"role":"user","content":{}}]})", "messages[0].content"},
        {R"({"model":"m","messages":[{"role":"user","content":7}]})", "messages[0].content"},
        {R"({"model":"m","messages":[{"role":"user","content":["x"]}]})", "messages[0].content[0]"},
        {"{", ""},
        {R"({"model":"m","model":"m","messages":[{"role":"user","content":"x"}]})", ""},
    };
    for (const auto& row : rows) EXPECT_EQ(refused(row.body).param, row.param) << row.body;
}

TEST(ChatRequestParser, AModelNameHasAtMost256Bytes) {
    const auto body = [](std::size_t size) {
        return R"({"model":")" + std::string(size, 'm') + R"(","messages":[{"role":"user","content":"x"}]})";
    };
    EXPECT_EQ(accepted(body(limits::model_name_bytes_max)).model.size(), limits::model_name_bytes_max);
    EXPECT_EQ(refused(body(limits::model_name_bytes_max + 1)).param, "model");
}

TEST(ChatRequestParser, InputTextIsAnUpperBoundOfWhatATokenizerSees) {
    const std::uint64_t plain = accepted(with("\"temperature\":1")).input_text_bytes;
    EXPECT_GE(plain, Bytes("userhello").size());
    EXPECT_LE(plain, hello.size());
    const Bytes tools =
        R"([{"type":"function","function":{"name":"f","parameters":{"type":"object","maxLength":100}}}])";
    EXPECT_GE(accepted(with("\"tools\":" + std::string(tools))).input_text_bytes, plain + tools.size());
    EXPECT_EQ(accepted(with("\"metadata\":{\"k\":\"not part of the prompt\"}")).input_text_bytes, plain);
    const std::string image(100'000, 'A');
    const ChatRequest vision = accepted(
        R"({"model":"m","messages":[{"role":"user","content":[{"image_url":{"url":")" + image +
        R"("},"type":"image_url"},{"type":"text","text":")" + std::string(500, 't') + R"("}]}]})");
    EXPECT_EQ(vision.images_count, 1u);
    EXPECT_GE(vision.input_text_bytes, 500u);
    EXPECT_LT(vision.input_text_bytes, 1'000u);  // the image is not text
    const ChatRequest fake = accepted(           // text called an image in a text part is still text
        R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x",)"
        R"("image_url":{"url":")" +
        image + R"("}}]}]})");
    EXPECT_EQ(fake.images_count, 0u);
    EXPECT_GE(fake.input_text_bytes, image.size());
}

// --- splicing ---

TEST(ProviderBody, ReplacesExactlyTheTwoPlaces) {
    const struct {
        Bytes body, spliced;
    } rows[] = {
        {R"({"model":"a","messages":[{"role":"user","content":"x"}]})",
         R"({"model":"M","messages":[{"role":"user","content":"x"}]})"},
        {R"( { "messages" : [{"role":"user","model":"no","content":"\"model\":\"no\""}] ,)"
         R"( "model" : "a\u0062\"" } )",
         R"( { "messages" : [{"role":"user","model":"no","content":"\"model\":\"no\""}] , "model" : "M" } )"},
        {R"({"mod\u0065l":"a","messages":[{"role":"user","content":"x"}]})",
         R"({"mod\u0065l":"M","messages":[{"role":"user","content":"x"}]})"},
        {R"({"metadata":{"model":"in","stream_options":null},"model":"a","stream":true,)"
         R"("messages":[{"role":"u"}]})",
         R"({"stream_options":{"include_usage":true},"metadata":{"model":"in","stream_options":null},)"
         R"("model":"M",)"
         R"("stream":true,"messages":[{"role":"u"}]})"},
        {R"({"stream_options":null,"model":"a","stream":true,"messages":[{"role":"u"}]})",
         R"({"stream_options":{"include_usage":true},"model":"M","stream":true,"messages":[{"role":"u"}]})"},
        {R"({"model":"a","stream":true,"stream_options": { } ,"messages":[{"role":"u"}]})",
         R"({"model":"M","stream":true,"stream_options": {"include_usage":true } ,)"
         R"("messages":[{"role":"u"}]})"},
        {R"({"model":"a","stream":true,"stream_options":{"x":{"include_usage":false}},)"
         R"("messages":[{"role":"u"}]})",
         R"({"model":"M","stream":true,"stream_options":{"include_usage":true,"x":{"include_usage":false}},)"
         R"("messages":[{"role":"u"}]})"},
        {R"({"stream":true,"stream_options":{"a":1,"include_usage" : false ,"b":2},"model":"a",)"
         R"("messages":[{"role":"u"}]})",
         R"({"stream":true,"stream_options":{"a":1,"include_usage" : true ,"b":2},"model":"M",)"
         R"("messages":[{"role":"u"}]})"},
        {R"({"model":"a","stream":true,"stream_options":{"include_usage":null},"messages":[{"role":"u"}]})",
         R"({"model":"M","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"u"}]})"},
        {R"({"model":"a","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"u"}]})",
         R"({"model":"M","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"u"}]})"},
        {R"({"model":"a","stream":false,"stream_options":null,"messages":[{"role":"u"}]})",
         R"({"model":"M","stream":false,"stream_options":null,"messages":[{"role":"u"}]})"},
    };
    for (const auto& row : rows)
        EXPECT_EQ(provider_body(accepted(row.body), row.body, "M"), row.spliced) << row.body;
}

TEST(ProviderBody, EscapesTheProvidersName) {
    const std::string body = std::string("{").append(hello) + "}";
    EXPECT_NE(provider_body(accepted(body), body, "a\"b").find(R"("model":"a\"b")"), std::string::npos);
}

TEST(ProviderBody, WhatWasSplicedParsesToTheSameFacts) {
    const std::vector<Bytes> options = {"", R"("stream_options":null,)", R"("stream_options":{},)",
                                        R"("stream_options":{"include_obfuscation":false},)",
                                        R"("stream_options":{"include_usage":false,"z":[1]},)"};
    for (const Bytes option : options) {
        const std::string body = std::string("{").append(option).append(
            R"("stream":true,"n":3,"max_tokens":5,"user":"u","model":"a","messages":[{"role":"user",)"
            R"("content":"h\u00e9"}]})");
        const ChatRequest before = accepted(body);
        const std::string spliced = provider_body(before, body, "provider/model");
        const ChatRequest after = accepted(spliced);
        EXPECT_EQ(after.model, "provider/model");
        EXPECT_TRUE(after.include_usage);
        EXPECT_EQ(after.choices, before.choices);
        EXPECT_EQ(after.output_tokens_max, before.output_tokens_max);
        EXPECT_EQ(after.user, before.user);
        EXPECT_EQ(after.input_text_bytes, before.input_text_bytes);
        EXPECT_EQ(provider_body(after, spliced, "provider/model"), spliced);  // a second pass changes nothing
    }
}

}  // namespace
}  // namespace nodex::api
