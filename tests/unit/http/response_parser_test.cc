// Responses of providers: what is understood, and everything a hostile one may send.
#include "edge/http/response_parser.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"

namespace nodex::http {
namespace {

using namespace std::string_literals;

class Recorder final : public ResponseEvents {
  public:
    unsigned heads_count = 0;
    unsigned completes_count = 0;
    int status = 0;
    std::string type;
    std::string body;
    void response_head(const ResponseHead& head) noexcept override {
        ++heads_count;
        status = head.status;
        type = head.field("content-type").value_or("");
    }
    void response_body(Bytes bytes) noexcept override {
        EXPECT_EQ(completes_count, 0u);
        body.append(bytes);
    }
    void response_complete() noexcept override { ++completes_count; }
};

struct Outcome {
    Recorder recorder;
    bool fed = true;  // feed() never failed
    bool complete = false;
    bool reusable = false;
    bool finished = false;  // finish() after it succeeded
};

Outcome read(const std::string& bytes, std::size_t piece_bytes, Method method = Method::post) {
    Outcome outcome;
    ResponseParser parser;
    parser.begin(method);
    for (std::size_t at = 0; at < bytes.size() && outcome.fed; at += piece_bytes) {
        const std::string piece = bytes.substr(at, piece_bytes);
        outcome.fed = parser.feed(piece, outcome.recorder).has_value();
    }
    outcome.complete = parser.complete();
    outcome.reusable = parser.reusable();
    outcome.finished = parser.finish(outcome.recorder).has_value();
    return outcome;
}

TEST(ResponseParser, ReadsEveryFramingInEverySplit) {
    struct Case {
        std::string bytes;
        std::string body;
        bool complete;  // before the connection ends
        bool reusable;
    };
    for (const Case& test : std::initializer_list<Case>{
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: t\r\n\r\nhello", "hello", true, true},
             {"HTTP/1.1 200 \r\nContent-Length: 0\r\nContent-Type: t\r\n\r\n", "", true, true},
             {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: "
              "t\r\n\r\n2;x=y\r\nhe\r\n3\r\nllo\r\n0\r\nT: v\r\n\r\n",
              "hello", true, true},
             {"HTTP/1.1 200 OK\r\nContent-Type: t\r\n\r\nhello", "hello", false, false},
             {"HTTP/1.0 200 OK\r\nContent-Type: t\r\nContent-Length: 5\r\n\r\nhello", "hello", true, false},
             {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\nContent-Type: t\r\n\r\nhello",
              "hello", true, false},
             {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 "
              "OK\r\nContent-Type: t\r\nContent-Length: 5\r\n\r\nhello",
              "hello", true, true},
         })
        for (std::size_t piece = 1; piece <= test.bytes.size(); ++piece) {
            const Outcome outcome = read(test.bytes, piece);
            ASSERT_TRUE(outcome.fed) << test.bytes;
            EXPECT_EQ(outcome.recorder.heads_count, 1u);
            EXPECT_EQ(outcome.recorder.status, 200);
            EXPECT_EQ(outcome.recorder.type, "t");
            ASSERT_EQ(outcome.recorder.body, test.body) << test.bytes;
            EXPECT_EQ(outcome.complete, test.complete);
            EXPECT_EQ(outcome.reusable, test.reusable);
            EXPECT_TRUE(outcome.finished);
            EXPECT_EQ(outcome.recorder.completes_count, 1u);
        }
}

TEST(ResponseParser, ReadsNoBodyWhereThereIsNone) {
    for (const auto& [method, bytes] :
         {std::pair{Method::head, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"s},
          std::pair{Method::head, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"s},
          std::pair{Method::get, "HTTP/1.1 204 No Content\r\n\r\n"s},
          std::pair{Method::get, "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"s}}) {
        const Outcome outcome = read(bytes, 1, method);
        EXPECT_TRUE(outcome.fed && outcome.complete && outcome.reusable) << bytes;
        EXPECT_FALSE(read(bytes + "x", 1, method).fed) << bytes;
    }
}

TEST(ResponseParser, RefusesHostileProviders) {
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    const std::string chunked = ok + "Transfer-Encoding: chunked\r\n\r\n";
    for (const std::string& bytes :
         {"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"s,
          "HTTP/2.0 200 OK\r\n\r\n"s,
          "HTTP/1.2 200 OK\r\n\r\n"s,
          "HTTP/0.9 200 OK\r\n\r\n"s,
          "ICY 200 OK\r\n\r\n"s,
          "HTTP/1.1  200 OK\r\n\r\n"s,
          "HTTP/1.1 20 OK\r\n\r\n"s,
          "HTTP/1.1 2000 OK\r\n\r\n"s,
          "HTTP/1.1 abc OK\r\n\r\n"s,
          "HTTP/1.1 200\r\n\r\n"s,
          "HTTP/1.1 600 Odd\r\n\r\n"s,
          "HTTP/1.1 099 Odd\r\n\r\n"s,
          "HTTP/1.1 200 O\0K\r\n\r\n"s,
          "HTTP/1.1 200 OK\n\n"s,
          "\r\nHTTP/1.1 200 OK\r\n\r\n"s,
          "garbage\r\n\r\n"s,
          ok + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
          ok + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
          ok + "Content-Length: 5, 5\r\n\r\nhello",
          ok + "Content-Length: -5\r\n\r\n",
          ok + "Content-Length: 99999999999999999999\r\n\r\n",
          ok + "Content-Length:\r\n\r\n",
          ok + "Transfer-Encoding: gzip\r\n\r\n",
          ok + "Transfer-Encoding: gzip, chunked\r\n\r\n",
          ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
          ok + "Transfer-Encoding:\r\n\r\n",
          "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s,
          ok + "X: a\r\n b\r\n\r\n",
          ok + ": x\r\n\r\n",
          ok + "X : a\r\n\r\n",
          ok + "X: a\rb\r\n\r\n",
          ok + "X: a\r\n\nrest",
          ok + "X: a\r\n\r" + "rest\r\n\r\n",
          "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc"s,
          chunked + "xyz\r\n",
          chunked + "000000001\r\na\r\n",
          chunked + "1\r\nabc",
          chunked + "5;" + std::string(5'000, 'e') + "\r\n",
          chunked + "0\r\n X: folded\r\n\r\n",
          chunked + "0\r\n\r\nextra",
          ok + "Content-Length: 2\r\n\r\nabc",
          ok + "Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
          ok + "X: " + std::string(limits::head_bytes_max, 'x') + "\r\n\r\n",
          std::string(20'000, 'H')})
        for (const std::size_t piece : {bytes.size(), std::size_t{1}}) {
            const Outcome outcome = read(bytes, piece);
            EXPECT_FALSE(outcome.fed) << bytes.substr(0, 80);
            EXPECT_FALSE(outcome.reusable || outcome.finished) << bytes.substr(0, 80);
        }
}

TEST(ResponseParser, BoundsInterimResponses) {
    std::string interim;
    for (unsigned i = 0; i < limits::informational_responses_max; ++i)
        interim += "HTTP/1.1 102 Processing\r\n\r\n";
    EXPECT_TRUE(read(interim + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 1000).reusable);
    EXPECT_FALSE(read(interim + "HTTP/1.1 102 Processing\r\n\r\n", 1000).fed);
}

TEST(ResponseParser, SeesEveryCutAnswer) {
    const std::string sized = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    const std::string chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for (const std::string& bytes : {sized, chunked})
        for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
            const Outcome outcome = read(bytes.substr(0, cut), 1000);
            EXPECT_TRUE(outcome.fed);
            EXPECT_FALSE(outcome.finished) << cut;
            EXPECT_EQ(outcome.recorder.completes_count, 0u) << cut;
        }
}

TEST(ResponseParser, ReadsOneAnswerAfterAnotherAndNothingUnasked) {
    ResponseParser parser;
    Recorder first;
    EXPECT_FALSE(ResponseParser().feed("HTTP/1.1 200 OK\r\n", first).has_value()) << "nobody asked";
    for (unsigned i = 0; i < 3; ++i) {
        Recorder recorder;
        parser.begin(Method::post);
        ASSERT_TRUE(parser.feed("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx", recorder).has_value());
        ASSERT_TRUE(parser.reusable());
    }
    EXPECT_FALSE(parser.feed("HTTP/1.1 408 Timeout\r\n\r\n", first).has_value());
    EXPECT_FALSE(parser.reusable());
}

}  // namespace
}  // namespace nodex::http
