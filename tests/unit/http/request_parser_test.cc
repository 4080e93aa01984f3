// What the request parser accepts, and what it reports of it.
#include "edge/http/request_parser.h"

#include <gtest/gtest.h>

#include "tests/unit/http/request_events.h"

namespace nodex::http {
namespace {

constexpr Bytes simple = "GET /v1/models?limit=5 HTTP/1.1\r\nHost: api.nodex.test\r\nAccept:  a b \t\r\n\r\n";
constexpr Bytes with_body =
    "POST /v1/chat/completions HTTP/1.1\r\nHost: a:8443\r\nContent-Length: 11\r\n\r\nhello world";
constexpr Bytes chunked_body =
    "POST /x HTTP/1.1\r\nhost: [::1]:1\r\nTransfer-Encoding: Chunked\r\n\r\n"
    "5;ext=\"v\"\r\nhello\r\n00000006\r\n world\r\n0\r\nTrailer: dropped\r\n\r\n";

TEST(RequestParser, IsBuiltOnStrictLlhttp) {
    EXPECT_TRUE(llhttp_is_strict());
}

TEST(RequestParser, ReportsHeadOfRequestWithoutBody) {
    RequestParser parser;
    RecordedEvents events;
    EXPECT_TRUE(parser.between_requests());
    const RequestParser::Progress progress = parser.feed(simple, events);
    EXPECT_EQ(progress.refusal, Refusal::none);
    EXPECT_EQ(progress.consumed, simple.size());
    ASSERT_EQ(events.requests.size(), 1u);
    EXPECT_EQ(events.requests[0].method, Method::get);
    EXPECT_EQ(events.requests[0].target, "/v1/models?limit=5");
    EXPECT_EQ(events.requests[0].fields[1].second, "a b");
    EXPECT_TRUE(events.requests[0].complete);
    EXPECT_TRUE(parser.between_requests());
}

TEST(RequestParser, SplitsTargetIntoPathAndQuery) {
    struct Watcher final : RequestEvents {
        std::uint64_t request_head(const RequestHead& head) noexcept override {
            path = head.path;
            query = head.query;
            EXPECT_EQ(head.field("host").value_or(""), "a");
            EXPECT_FALSE(head.field("absent").has_value());
            EXPECT_EQ(head.count("x"), 2u);
            return 0;
        }
        void request_body(Bytes) noexcept override {}
        bool request_complete() noexcept override { return true; }
        std::string path, query;
    } watcher;
    RequestParser parser;
    (void)parser.feed("GET /p?q=1?2 HTTP/1.1\r\nHost: a\r\nX: 1\r\nx: 2\r\n\r\n", watcher);
    EXPECT_EQ(watcher.path, "/p");
    EXPECT_EQ(watcher.query, "q=1?2");
}

TEST(RequestParser, GivesSameEventsForEverySplit) {
    std::string stream;
    for (const Bytes part : {simple, with_body, chunked_body, simple}) stream.append(part);
    RequestParser whole_parser;
    RecordedEvents whole;
    ASSERT_EQ(feed_in_pieces(whole_parser, stream, stream.size(), whole), Refusal::none);
    ASSERT_EQ(whole.requests.size(), 4u);
    EXPECT_EQ(whole.requests[1].body, "hello world");
    EXPECT_EQ(whole.requests[2].body, "hello world");
    EXPECT_EQ(whole.requests[2].fields.size(), 2u) << "trailers must not reach the fields";
    for (std::size_t piece = 1; piece < stream.size(); ++piece) {
        RequestParser parser;
        RecordedEvents events;
        ASSERT_EQ(feed_in_pieces(parser, stream, piece, events), Refusal::none) << piece;
        ASSERT_EQ(events.requests, whole.requests) << piece;
        ASSERT_TRUE(parser.between_requests()) << piece;
    }
    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
        RequestParser parser;
        RecordedEvents events;
        ASSERT_EQ(feed_in_pieces(parser, Bytes(stream).substr(0, cut), cut, events), Refusal::none);
        ASSERT_EQ(feed_in_pieces(parser, Bytes(stream).substr(cut), stream.size(), events), Refusal::none);
        ASSERT_EQ(events.requests, whole.requests) << cut;
    }
}

TEST(RequestParser, StopsAfterRequestWhenAsked) {
    RequestParser parser;
    RecordedEvents events;
    events.go_on = false;
    std::string stream(with_body);
    stream.append(simple);
    const RequestParser::Progress progress = parser.feed(stream, events);
    EXPECT_EQ(progress.consumed, with_body.size());
    EXPECT_EQ(events.requests.size(), 1u);
    EXPECT_TRUE(parser.between_requests());
    EXPECT_EQ(parser.feed(Bytes(stream).substr(progress.consumed), events).consumed, simple.size());
    EXPECT_EQ(events.requests.size(), 2u);
}

TEST(RequestParser, SkipsOneBlankLineBeforeRequestAndNoMore) {
    RequestParser parser;
    RecordedEvents events;
    EXPECT_EQ(feed_in_pieces(parser, "\r\n" + std::string(simple), 1, events), Refusal::none);
    EXPECT_EQ(feed_in_pieces(parser, "\r\n" + std::string(simple), 1000, events), Refusal::none);
    EXPECT_EQ(events.requests.size(), 2u);
    EXPECT_EQ(feed_in_pieces(parser, "\r\n\r\n" + std::string(simple), 1000, events), Refusal::malformed);
}

TEST(RequestParser, KnowsWhetherBytesOfNextRequestWereSeen) {
    RequestParser parser;
    RecordedEvents events;
    EXPECT_FALSE(parser.in_head());
    (void)parser.feed("G", events);
    EXPECT_TRUE(parser.in_head());
    EXPECT_FALSE(parser.between_requests());
    (void)parser.feed("ET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", events);
    EXPECT_FALSE(parser.in_head());
    EXPECT_FALSE(parser.between_requests());
    (void)parser.feed("x", events);
    EXPECT_TRUE(parser.between_requests());
    parser.release_buffers();
    EXPECT_EQ(feed_in_pieces(parser, simple, 7, events), Refusal::none);
    EXPECT_EQ(events.requests.size(), 2u);
}

TEST(RequestParser, ServesNewConnectionAfterReset) {
    RequestParser parser;
    RecordedEvents events;
    EXPECT_EQ(feed_in_pieces(parser, "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab", 9, events),
              Refusal::none);
    parser.reset();
    EXPECT_EQ(feed_in_pieces(parser, "bad\r\n", 5, events), Refusal::malformed);
    parser.reset();
    EXPECT_EQ(feed_in_pieces(parser, simple, 5, events), Refusal::none);
    EXPECT_TRUE(events.requests.back().complete);
}

TEST(RequestParser, DerivesKeepAliveFromVersionAndConnection) {
    struct Case {
        const char* version;
        const char* connection;
        bool keep_alive;
    };
    for (const Case& test :
         {Case{"1.1", "", true}, Case{"1.1", "Connection: close\r\n", false},
          Case{"1.1", "connection: foo , CLOSE\r\n", false}, Case{"1.1", "Connection: close-not\r\n", true},
          Case{"1.0", "", false}, Case{"1.0", "Connection: Keep-Alive\r\n", true},
          Case{"1.0", "Connection: keep-alive, close\r\n", false}}) {
        RequestParser parser;
        RecordedEvents events;
        const std::string head =
            std::string("GET / HTTP/") + test.version + "\r\nHost: a\r\n" + test.connection + "\r\n";
        ASSERT_EQ(parser.feed(head, events).refusal, Refusal::none) << head;
        EXPECT_EQ(events.requests[0].keep_alive, test.keep_alive) << head;
    }
}

TEST(RequestParser, TreatsUpgradeAsPlainRequest) {
    RequestParser parser;
    RecordedEvents events;
    const std::string upgrade =
        "GET /v1/responses HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
    EXPECT_EQ(parser.feed(upgrade + std::string(simple), events).refusal, Refusal::none);
    EXPECT_EQ(events.requests.size(), 2u) << "the rest is the next request, never a tunnel";
}

TEST(RequestParser, PassesMethodsThatOnlyTheRouterKnows) {
    for (const auto& [text, method] :
         {std::pair{"OPTIONS", Method::options}, std::pair{"HEAD", Method::head},
          std::pair{"DELETE", Method::del}, std::pair{"PUT", Method::put}, std::pair{"PATCH", Method::patch},
          std::pair{"PROPFIND", Method::other}}) {
        RequestParser parser;
        RecordedEvents events;
        EXPECT_EQ(parser.feed(std::string(text) + " / HTTP/1.1\r\nHost: a\r\n\r\n", events).refusal,
                  Refusal::none);
        EXPECT_EQ(events.requests[0].method, method) << text;
    }
}

TEST(RequestParser, SaysWhenClientWaitsFor100) {
    struct Watcher final : RequestEvents {
        std::uint64_t request_head(const RequestHead& head) noexcept override {
            expects = head.expect_continue;
            return 10;
        }
        void request_body(Bytes) noexcept override {}
        bool request_complete() noexcept override { return true; }
        bool expects = false;
    };
    const auto expects = [](const char* start, const char* fields) {
        Watcher watcher;
        RequestParser parser;
        (void)parser.feed(std::string(start) + "Host: a\r\nExpect: 100-Continue\r\n" + fields + "\r\n",
                          watcher);
        return watcher.expects;
    };
    EXPECT_TRUE(expects("POST / HTTP/1.1\r\n", "Content-Length: 3\r\n"));
    EXPECT_TRUE(expects("POST / HTTP/1.1\r\n", "Transfer-Encoding: chunked\r\n"));
    EXPECT_FALSE(expects("POST / HTTP/1.1\r\n", "")) << "no body is to come";
    EXPECT_FALSE(expects("POST / HTTP/1.0\r\n", "Content-Length: 3\r\n")) << "HTTP/1.0 knows no 100";
}

}  // namespace
}  // namespace nodex::http
