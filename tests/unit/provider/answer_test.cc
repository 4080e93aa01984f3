// Answers: the order of events, usage that is exact, faults at the event they name.
#include "tools/provider/answer.h"

#include <gtest/gtest.h>

#include <vector>

#include "edge/api/chat_response.h"
#include "edge/http/sse.h"

namespace nodex::provider {
namespace {

AnswerPlan plan(Bytes directives = "") {
    AnswerPlan plan;
    plan.seed = 42;
    plan.call_number = 1;
    plan.model = "m";
    plan.stream = true;
    plan.tokens_count = 3;
    plan.prompt_tokens = 7;
    EXPECT_EQ(read_directives("[[nodex: " + std::string(directives) + "]]", plan.directives), "");
    return plan;
}

std::vector<std::string> events(const AnswerPlan& wanted) {
    Answer answer(wanted);
    std::vector<std::string> all;
    while (true) {
        std::string event;
        if (!answer.next_event(event)) break;
        all.push_back(event);
    }
    EXPECT_EQ(answer.events_count(), all.size());
    return all;
}

// The data of all events, as a client's parser sees them.
struct Collector final : http::SseEvents {
    void server_event(const http::ServerEvent& event) noexcept override { data.emplace_back(event.data); }
    std::vector<std::string> data;
};

std::vector<std::string> data_of(const AnswerPlan& wanted) {
    Collector collector;
    http::SseParser parser;
    for (const std::string& event : events(wanted)) EXPECT_TRUE(parser.feed(event, collector));
    EXPECT_FALSE(parser.in_event());
    return collector.data;
}

api::ChatChunk chunk(Bytes data) {
    api::JsonReader reader;
    return api::read_chat_chunk(reader, data, false);
}

TEST(Answer, EventsComeInTheOrderOfTheApi) {
    AnswerPlan wanted = plan();
    wanted.include_usage = true;
    const std::vector<std::string> data = data_of(wanted);
    ASSERT_EQ(data.size(), 1u + 3u + 1u + 1u + 1u);
    EXPECT_NE(data[0].find(R"("delta":{"role":"assistant")"), std::string::npos);
    EXPECT_NE(data[1].find(R"("delta":{"content":")"), std::string::npos);
    EXPECT_NE(data[4].find(R"("delta":{},"logprobs":null,"finish_reason":"stop")"), std::string::npos);
    EXPECT_EQ(chunk(data[5]).kind, api::ChatChunk::Kind::usage_only);
    EXPECT_EQ(data[6], "[DONE]");
    for (std::size_t index = 0; index < 5; ++index) {
        EXPECT_EQ(chunk(data[index]).kind, api::ChatChunk::Kind::content);
        EXPECT_NE(data[index].find("\"usage\":null"), std::string::npos);
    }
}

TEST(Answer, UsageIsExactInBothShapes) {
    AnswerPlan wanted = plan();
    wanted.include_usage = true;
    wanted.choices_count = 2;
    const std::vector<std::string> data = data_of(wanted);
    const api::ChatChunk usage = chunk(data[data.size() - 2]);
    ASSERT_TRUE(usage.usage);
    EXPECT_EQ(usage.usage->prompt_tokens, 7u);
    EXPECT_EQ(usage.usage->completion_tokens, 6u);
    wanted.stream = false;
    api::JsonReader reader;
    const api::ChatAnswer whole = api::read_chat_answer(reader, Answer(wanted).body());
    ASSERT_TRUE(whole.usage);
    EXPECT_EQ(whole.usage->completion_tokens, 6u);
}

TEST(Answer, ChoicesInterleaveAndEndOnceEach) {
    AnswerPlan wanted = plan();
    wanted.choices_count = 2;
    const std::vector<std::string> data = data_of(wanted);
    ASSERT_EQ(data.size(), 2u * (1 + 3 + 1) + 1);
    for (std::size_t index = 0; index + 1 < data.size(); ++index)
        EXPECT_NE(data[index].find("\"index\":" + std::to_string(index % 2)), std::string::npos);
}

TEST(Answer, TextDependsOnTheSeedAlone) {
    AnswerPlan other = plan();
    EXPECT_EQ(events(plan()), events(other));
    other.seed = 43;
    EXPECT_NE(events(plan()), events(other));
}

TEST(Answer, StreamAndBodySayTheSame) {
    AnswerPlan wanted = plan("tokens=3");
    std::uint64_t streamed = 0;
    for (const std::string& data : data_of(wanted)) streamed += chunk(data).output_text_bytes;
    wanted.stream = false;
    api::JsonReader reader;
    EXPECT_EQ(api::read_chat_answer(reader, Answer(wanted).body()).output_text_bytes, streamed);
}

TEST(Answer, ToolCallsNameTheToolOnceAndTheirArgumentsAreJson) {
    AnswerPlan wanted = plan();
    wanted.tool_name = "weather";
    std::string arguments;
    int named = 0;
    for (const std::string& data : data_of(wanted)) {
        if (data.find("\"name\":\"weather\"") != std::string::npos) ++named;
        const Bytes key = "\"function\":{\"arguments\":\"";
        const std::size_t begin = data.find(key);
        if (begin == std::string::npos) continue;
        const std::size_t end = data.find("\"}}]}", begin);
        ASSERT_NE(end, std::string::npos);
        arguments += data.substr(begin + key.size(), end - begin - key.size());
    }
    EXPECT_EQ(named, 1);
    std::erase(arguments, '\\');
    api::JsonReader reader;
    EXPECT_FALSE(api::check_json(reader, arguments)) << arguments;
    wanted.stream = false;
    const std::string body = Answer(wanted).body();
    EXPECT_NE(body.find("\"finish_reason\":\"tool_calls\""), std::string::npos);
    EXPECT_FALSE(api::check_json(reader, body)) << body;
}

TEST(Answer, AnErrorEventTakesThePlaceOfTheRest) {
    const std::vector<std::string> data = data_of(plan("error_event_after=2"));
    ASSERT_EQ(data.size(), 3u);
    EXPECT_EQ(chunk(data[2]).kind, api::ChatChunk::Kind::error);
    EXPECT_EQ(data_of(plan("error_event_after=0")).size(), 1u);
}

TEST(Answer, LeavesOutAndBreaksWhatIsAskedFor) {
    AnswerPlan wanted = plan("no_usage no_done");
    wanted.include_usage = true;
    EXPECT_EQ(data_of(wanted).size(), 1u + 3u + 1u);
    EXPECT_EQ(chunk(data_of(plan("bad_json"))[1]).kind, api::ChatChunk::Kind::malformed);
    EXPECT_EQ(chunk(data_of(plan("huge_event=100000"))[1]).output_text_bytes, 100'000u);
    EXPECT_EQ(data_of(plan("crlf comments")), data_of(plan()));  // other bytes, the same events
    EXPECT_NE(events(plan("crlf comments")), events(plan()));
}

TEST(Answer, ABodyHasExactlyTheBytesAskedFor) {
    for (const std::size_t size : {700u, 701u, 5'000u}) {
        AnswerPlan wanted = plan("answer_bytes=" + std::to_string(size));
        wanted.stream = false;
        const std::string body = Answer(wanted).body();
        EXPECT_EQ(body.size(), size);
        api::JsonReader reader;
        EXPECT_TRUE(api::read_chat_answer(reader, body).usage);
    }
}

}  // namespace
}  // namespace nodex::provider
