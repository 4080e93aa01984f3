// Server-sent events: what providers may send in which pieces, and what we write.
#include "edge/http/sse.h"

#include <gtest/gtest.h>

#include <vector>

#include "edge/base/limits.h"

namespace nodex::http {
namespace {

using Event = std::pair<std::string, std::string>;  // type, data

class Collector final : public SseEvents {
  public:
    std::vector<Event> events;
    const char* last_data = nullptr;
    void server_event(const ServerEvent& event) noexcept override {
        EXPECT_TRUE(event.has_data);
        events.emplace_back(event.type, event.data);
        last_data = event.data.data();
    }
};

std::vector<Event> parse(Bytes stream, std::size_t piece_bytes) {
    SseParser parser;
    Collector collector;
    for (std::size_t at = 0; at < stream.size(); at += piece_bytes) {
        const std::string piece(stream.substr(at, piece_bytes));
        EXPECT_TRUE(parser.feed(piece, collector).has_value());
    }
    return collector.events;
}

TEST(SseParser, ReadsEveryFormInEverySplit) {
    struct Case {
        const char* what;
        std::string stream;
        std::vector<Event> events;
    };
    for (const Case& test : std::initializer_list<Case>{
             {"LF", "data: 1\n\ndata: 2\n\n", {{"", "1"}, {"", "2"}}},
             {"CRLF", "event: e\r\ndata: 1\r\n\r\ndata: 2\r\n\r\n", {{"e", "1"}, {"", "2"}}},
             {"CR", "event: e\rdata: 1\r\rdata: 2\r\r", {{"e", "1"}, {"", "2"}}},
             {"mixed",
              "data: 1\r\n\ndata: 2\n\r\ndata: 3\r\n\rdata: 4\n\n",
              {{"", "1"}, {"", "2"}, {"", "3"}, {"", "4"}}},
             {"BOM",
              "\xEF\xBB\xBF"
              "data: 1\n\n",
              {{"", "1"}}},
             {"BOM only at the start",
              "data: 1\n\n\xEF\xBB\xBF"
              "data: 2\n\n",
              {{"", "1"}}},
             {"no space behind colon", "data:1\n\ndata:  2\n\n", {{"", "1"}, {"", " 2"}}},
             {"several data lines", "data: a\ndata: b\ndata\ndata: c\n\n", {{"", "a\nb\n\nc"}}},
             {"empty data", "data\n\ndata:\n\n", {{"", ""}, {"", ""}}},
             {"no data", "event: e\n\nid: 1\n\n: hb\n\n\n\n\ndata: 1\n\n", {{"", "1"}}},
             {"comments, id and retry between",
              ": c\nid: 7\nretry: 5\ndata: 1\n: d\nevent: e\n\n",
              {{"e", "1"}}},
             {"type does not leak", "event: e\ndata: 1\n\ndata: 2\n\n", {{"e", "1"}, {"", "2"}}},
             {"last type counts", "event: a\nevent: b\ndata: 1\n\n", {{"b", "1"}}},
             {"unknown fields", "datax: 1\nDATA: 2\n data: 3\ndata: 4\n\n", {{"", "4"}}},
             {"UTF-8", "data: \xC3\xA4\xF0\x9F\x98\x80\n\n", {{"", "\xC3\xA4\xF0\x9F\x98\x80"}}},
             {"colons in data", "data: {\"a\": \"b:c\"}\n\n", {{"", "{\"a\": \"b:c\"}"}}},
             {"NUL", std::string("data: a\0b\n\n", 11), {{"", std::string("a\0b", 3)}}},
             {"unfinished", "data: 1\n\ndata: 2\n", {{"", "1"}}},
         })
        for (std::size_t piece = 1; piece <= test.stream.size(); ++piece)
            ASSERT_EQ(parse(test.stream, piece), test.events) << test.what << ", in pieces of " << piece;
}

TEST(SseParser, CopiesNothingWhenEventComesWhole) {
    SseParser parser;
    Collector collector;
    const std::string stream = "event: e\ndata: {}\n\n";
    ASSERT_TRUE(parser.feed(stream, collector).has_value());
    EXPECT_EQ(collector.last_data, stream.data() + 15);
}

TEST(SseParser, KnowsWhenStreamWasCutInsideEvent) {
    SseParser parser;
    Collector collector;
    EXPECT_FALSE(parser.in_event());
    ASSERT_TRUE(parser.feed("data: 1\n\n", collector).has_value());
    EXPECT_FALSE(parser.in_event());
    ASSERT_TRUE(parser.feed("data: 2\n", collector).has_value());
    EXPECT_TRUE(parser.in_event());
    parser.reset();
    EXPECT_FALSE(parser.in_event());
    ASSERT_TRUE(parser.feed("data: 3\n\n", collector).has_value());
    EXPECT_EQ(collector.events, (std::vector<Event>{{"", "1"}, {"", "3"}}));
}

TEST(SseParser, HoldsEventLimit) {
    for (const std::size_t piece_bytes : {std::size_t{4'096}, 2 * limits::event_bytes_max}) {
        for (const std::size_t over : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
            const std::size_t event_bytes = limits::event_bytes_max - 1 + over;  // "data: " data LF
            const std::string stream = "data: " + std::string(event_bytes - 7, 'd') + "\n\n";
            SseParser parser;
            Collector collector;
            Status status;
            for (std::size_t at = 0; at < stream.size() && status; at += piece_bytes)
                status = parser.feed(Bytes(stream).substr(at, piece_bytes), collector);
            if (over < 2) {
                EXPECT_EQ(collector.events.size(), 1u) << over;
                EXPECT_TRUE(status.has_value());
                continue;
            }
            ASSERT_FALSE(status.has_value());
            EXPECT_EQ(status.error().code, ErrorCode::limit_exceeded);
            EXPECT_FALSE(parser.feed("data: 1\n\n", collector).has_value()) << "for good";
            EXPECT_TRUE(collector.events.empty());
        }
    }
}

TEST(SseWriter, WritesEventsThatParseBackToWhatWasGiven) {
    std::string stream;
    append_event(stream, 1, "", "{\"a\":1}");
    append_comment(stream, "hb");
    append_event(stream, 123'456, "error", "x");
    append_event(stream, 0, "", "");
    EXPECT_EQ(
        stream,
        "id: evt_00001\ndata: {\"a\":1}\n\n: hb\n\nid: evt_123456\nevent: error\ndata: x\n\ndata: \n\n");
    EXPECT_EQ(parse(stream, 3), (std::vector<Event>{{"", "{\"a\":1}"}, {"error", "x"}, {"", ""}}));
}

TEST(SseWriter, LetsNoDataForgeField) {
    std::string stream;
    append_event(stream, 7, "", "a\nid: evt_1\revent: b\r\ndata: c\n\ndata: d\r");
    EXPECT_EQ(stream,
              "id: evt_00007\ndata: a\ndata: id: evt_1\ndata: event: b\ndata: data: c\ndata: \n"
              "data: data: d\ndata: \n\n");
    EXPECT_EQ(parse(stream, 1).size(), 1u);
}

TEST(EventId, HasOneSpellingForEachNumber) {
    for (const std::uint64_t number :
         {0ull, 1ull, 42ull, 99'999ull, 100'000ull, 9'999'999'999'999'999'999ull}) {
        Result<std::uint64_t> parsed = parse_event_id(event_id(number));
        ASSERT_TRUE(parsed.has_value()) << number;
        EXPECT_EQ(*parsed, number);
    }
    for (const char* text : {"", "evt_", "evt_1", "evt_0042", "evt_000042", "evt_0000a", "EVT_00042",
                             "evt_-0042", " evt_00042", "evt_00042 ", "evt_10000000000000000000", "00042"})
        EXPECT_FALSE(parse_event_id(text).has_value()) << text;
}

}  // namespace
}  // namespace nodex::http
