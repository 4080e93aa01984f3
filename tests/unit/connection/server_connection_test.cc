// Exchanges on one connection: framing, order, early answers, every way they end.
#include <algorithm>

#include "tests/unit/connection/served_loop.h"

namespace nodex {
namespace {

constexpr Bytes get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";
constexpr Bytes post = "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";

using ServerConnectionTest = ServedLoop;

TEST_F(ServerConnectionTest, AnswersAndKeepsConnectionOpen) {
    start();
    RawClient& client = connect();
    for (unsigned i = 1; i <= 3; ++i) {
        client.received.clear();
        client.channel.write(post);
        ASSERT_TRUE(until([&] { return client.received.ends_with("/p:hello"); }));
        EXPECT_TRUE(client.received.starts_with("HTTP/1.1 200 OK\r\ndate: "));
        EXPECT_EQ(occurrences(client.received, "content-length: 8\r\n"), 1u);
        EXPECT_EQ(occurrences(client.received, "connection:"), 0u);
    }
    settle();
    EXPECT_EQ(handler_.count("sent"), 3);
    EXPECT_EQ(acceptor_->connections_count(), 1u);
}

TEST_F(ServerConnectionTest, AnswersPipelinedRequestsInOrder) {
    start();
    RawClient& client = connect();
    std::vector<ServerConnection*> waiting;
    handler_.on_complete = [&](ServerConnection& connection) { waiting.push_back(&connection); };
    client.channel.write(
        "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HTTP/1.1\r\nHost: "
        "x\r\n\r\n");
    for (unsigned i = 1; i <= 3; ++i) {
        ASSERT_TRUE(until([&] { return waiting.size() == i; }));
        settle();
        ASSERT_EQ(waiting.size(), i) << "one at a time";
        waiting.back()->respond(200, "", handler_.path);
    }
    ASSERT_TRUE(until([&] { return client.received.ends_with("/3"); }));
    EXPECT_LT(client.received.find("/1"), client.received.find("/2"));
}

TEST_F(ServerConnectionTest, AnswersPipelinedRequestsThatAreAnsweredAtOnce) {
    start();
    RawClient& client = connect();
    std::string all;
    for (unsigned i = 0; i < 500; ++i) all.append(i % 2 == 0 ? get : post);
    client.channel.write(all);
    ASSERT_TRUE(until([&] { return occurrences(client.received, "HTTP/1.1 200") == 500; }));
    settle();
    EXPECT_EQ(handler_.count("sent"), 500);
}

TEST_F(ServerConnectionTest, BoundsReadAheadWhileResponding) {
    start();
    RawClient& client = connect();
    handler_.on_complete = [](ServerConnection&) {};
    client.channel.write(get);
    ASSERT_TRUE(until([&] { return handler_.count("complete") == 1; }));
    client.channel.write(std::string(1'000'000, 'x'));
    settle();
    EXPECT_GT(client.channel.outbound_bytes(), 500'000u) << "the server does not take them";
    handler_.last->respond(200, "", "done");
    ASSERT_TRUE(until([&] { return occurrences(client.received, "HTTP/1.1 414") == 1; }));
}

TEST_F(ServerConnectionTest, StreamsChunksAndEndsThem) {
    start();
    RawClient& client = connect();
    handler_.on_complete = [](ServerConnection& connection) {
        connection.begin({.status = 200, .fields = "content-type: text/event-stream\r\n"});
        connection.write("data: 1\n\n");
        connection.write("");
        connection.write(std::string(20, 'y'));
        connection.finish();
    };
    client.channel.write(get);
    ASSERT_TRUE(until([&] { return client.received.ends_with("0\r\n\r\n"); }));
    EXPECT_EQ(occurrences(client.received, "transfer-encoding: chunked\r\n"), 1u);
    EXPECT_EQ(occurrences(client.received, "content-length"), 0u);
    EXPECT_EQ(body_of(client.received),
              "9\r\ndata: 1\n\n\r\n14\r\n" + std::string(20, 'y') + "\r\n0\r\n\r\n");
    client.channel.write(get);
    EXPECT_TRUE(until([&] { return occurrences(client.received, "HTTP/1.1 200") == 2; }));
}

TEST_F(ServerConnectionTest, SendsNoBodyToHeadAnd204) {
    start();
    RawClient& client = connect();
    client.channel.write("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(until([&] { return !client.received.empty(); }));
    EXPECT_EQ(occurrences(client.received, "content-length: 3\r\n"), 1u) << "as GET would say";
    EXPECT_EQ(body_of(client.received), "");
    client.received.clear();
    handler_.on_complete = [](ServerConnection& connection) { connection.respond(204, "", ""); };
    client.channel.write(get);
    ASSERT_TRUE(until([&] { return !client.received.empty(); }));
    EXPECT_EQ(occurrences(client.received, "content-length"), 0u);
    EXPECT_EQ(body_of(client.received), "");
}

TEST_F(ServerConnectionTest, ServesHttp10) {
    start();
    RawClient& kept = connect();
    kept.channel.write("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    ASSERT_TRUE(until([&] { return kept.received.ends_with("/a:"); }));
    EXPECT_EQ(occurrences(kept.received, "connection: keep-alive\r\n"), 1u);
    EXPECT_FALSE(kept.ended);

    handler_.on_complete = [](ServerConnection& connection) {
        connection.begin({.status = 200, .fields = ""});
        connection.write("until the end");
        connection.finish();
    };
    kept.received.clear();
    kept.channel.write("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    ASSERT_TRUE(until([&] { return kept.ended; }));
    EXPECT_EQ(body_of(kept.received), "until the end") << "HTTP/1.0 knows no chunks";
    EXPECT_EQ(occurrences(kept.received, "connection: close\r\n"), 1u);
}

TEST_F(ServerConnectionTest, ClosesWhenClientAsksForIt) {
    start();
    RawClient& client = connect();
    client.channel.write("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    ASSERT_TRUE(until([&] { return client.ended; }));
    EXPECT_EQ(occurrences(client.received, "connection: close\r\n"), 1u);
    client.channel.close();
    EXPECT_TRUE(until([&] { return acceptor_->connections_count() == 0; }));
    EXPECT_EQ(handler_.count("sent"), 1);
    EXPECT_EQ(handler_.count("abandoned"), 0);
}

TEST_F(ServerConnectionTest, InvitesBodyOnlyWhenItIsWanted) {
    start();
    RawClient& client = connect();
    client.channel.write("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_TRUE(until([&] { return client.received == "HTTP/1.1 100 Continue\r\n\r\n"; }));
    client.channel.write("hello");
    ASSERT_TRUE(until([&] { return client.received.ends_with("/p:hello"); }));

    RawClient& refused = connect();
    handler_.on_head = [](ServerConnection& connection, const http::RequestHead&) {
        connection.respond(401, "", "no");
    };
    refused.channel.write("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_TRUE(until([&] { return refused.ended; }));
    EXPECT_TRUE(refused.received.starts_with("HTTP/1.1 401"));
    EXPECT_EQ(occurrences(refused.received, "connection: close\r\n"), 1u) << "the body may or may not follow";

    RawClient& too_large = connect();
    handler_.on_head = nullptr;
    handler_.body_bytes_max = 4;
    too_large.channel.write(
        "POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    ASSERT_TRUE(until([&] { return too_large.ended; }));
    EXPECT_TRUE(too_large.received.starts_with("HTTP/1.1 413"));
}

TEST_F(ServerConnectionTest, DrainsSmallBodyBehindEarlyAnswerAndServesOn) {
    start();
    RawClient& client = connect();
    handler_.on_head = [&](ServerConnection& connection, const http::RequestHead& head) {
        if (head.path == "/early") connection.respond(404, "", "early");
    };
    const std::string body(limits::drain_bytes_max, 'b');
    client.channel.write("POST /early HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) +
                         "\r\n\r\n");
    ASSERT_TRUE(until([&] { return client.received.ends_with("early"); }));
    EXPECT_EQ(occurrences(client.received, "connection: close"), 0u);
    client.channel.write(body);
    client.channel.write(get);  // must not be read as a part of the body, nor the body as a request
    ASSERT_TRUE(until([&] { return client.received.ends_with("/a:"); }));
    EXPECT_EQ(handler_.count("complete"), 1) << "of the second request only";
}

TEST_F(ServerConnectionTest, ClosesBehindEarlyAnswerWhenRestIsLargeOrUnknown) {
    start();
    handler_.on_head = [&](ServerConnection& connection, const http::RequestHead&) {
        connection.respond(404, "", "early");
    };
    for (const std::string& framing : {"Content-Length: " + std::to_string(limits::drain_bytes_max + 1),
                                       std::string("Transfer-Encoding: chunked")}) {
        RawClient& client = connect();
        client.channel.write("POST /early HTTP/1.1\r\nHost: x\r\n" + framing + "\r\n\r\n");
        ASSERT_TRUE(until([&] { return client.ended; }));
        EXPECT_EQ(occurrences(client.received, "connection: close\r\n"), 1u) << framing;
        EXPECT_EQ(body_of(client.received), "early");
    }
}

TEST_F(ServerConnectionTest, AnswersGetEarlyAndKeepsConnection) {
    start();
    RawClient& client = connect();
    handler_.on_head = [&](ServerConnection& connection, const http::RequestHead&) {
        connection.respond(200, "", "early");
    };
    std::string both(get);
    both.append(get);
    client.channel.write(both);
    ASSERT_TRUE(until([&] { return occurrences(client.received, "early") == 2; }));
    EXPECT_EQ(handler_.count("complete"), 0);
    EXPECT_FALSE(client.ended);
}

TEST_F(ServerConnectionTest, AnswersRefusedRequestAndCloses) {
    start();
    RawClient& client = connect();
    client.channel.write(
        "GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(until([&] { return client.ended; }));
    EXPECT_TRUE(client.received.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    EXPECT_EQ(occurrences(client.received, "HTTP/1.1"), 1u) << "nothing behind it is believed";
    EXPECT_EQ(handler_.count("head"), 0);
    EXPECT_EQ(handler_.count("refused malformed"), 1);
}

TEST_F(ServerConnectionTest, EndsExchangeBeforeItRefusesBody) {
    start();
    handler_.body_bytes_max = 4;
    RawClient& large = connect();
    large.channel.write(post);
    ASSERT_TRUE(until([&] { return large.ended; }));
    EXPECT_TRUE(large.received.starts_with("HTTP/1.1 413"));
    EXPECT_EQ(handler_.calls,
              (std::vector<std::string>{"head", "abandoned", "refused body_too_large", "sent"}));
    EXPECT_EQ(handler_.abandoned.code, ErrorCode::limit_exceeded);

    handler_.calls.clear();
    RawClient& broken = connect();
    broken.channel.write("POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabX\r\n");
    ASSERT_TRUE(until([&] { return broken.ended; }));
    EXPECT_TRUE(broken.received.starts_with("HTTP/1.1 400"));
    EXPECT_EQ(handler_.calls, (std::vector<std::string>{"head", "abandoned", "refused malformed", "sent"}));
}

TEST_F(ServerConnectionTest, TellsHandlerWhenClientGoesBeforeItsAnswer) {
    start();
    handler_.on_complete = [](ServerConnection&) {};
    RawClient& client = connect();
    client.channel.write(get);
    ASSERT_TRUE(until([&] { return handler_.count("complete") == 1; }));
    const Nanoseconds gone_ns = loop_.clock().now_ns();
    client.channel.close();
    ASSERT_TRUE(until([&] { return handler_.count("abandoned") == 1; }));
    EXPECT_LT(elapsed_s(gone_ns), 1.0);
    EXPECT_EQ(handler_.abandoned.code, ErrorCode::peer_closed);
    EXPECT_TRUE(until([&] { return acceptor_->connections_count() == 0; }));
    EXPECT_EQ(handler_.count("sent"), 0);
}

TEST_F(ServerConnectionTest, TellsHandlerWhenClientResetsInsideStream) {
    start();
    handler_.on_complete = [](ServerConnection& connection) {
        connection.begin({.status = 200, .fields = ""});
        connection.write("data: 1\n\n");
    };
    RawClient& client = connect();
    client.channel.write(get);
    ASSERT_TRUE(until([&] { return client.received.ends_with("data: 1\n\n\r\n"); }));
    client.channel.abort({.code = ErrorCode::cancelled});
    ASSERT_TRUE(until([&] { return handler_.count("abandoned") == 1; }));
    handler_.last->write("ignored");
    handler_.last->finish();
    EXPECT_TRUE(until([&] { return acceptor_->connections_count() == 0; }));
    EXPECT_EQ(handler_.count("abandoned"), 1);
}

TEST_F(ServerConnectionTest, CutsStreamSoThatClientSeesIt) {
    start();
    handler_.on_complete = [](ServerConnection& connection) {
        connection.begin({.status = 200, .fields = ""});
        connection.write("data: 1\n\n");
    };
    RawClient& client = connect();
    client.channel.write(get);
    ASSERT_TRUE(until([&] { return client.received.ends_with("data: 1\n\n\r\n"); }));
    handler_.last->cut();
    ASSERT_TRUE(until([&] { return client.closed; }));
    EXPECT_NE(client.error.code, ErrorCode::none);
    EXPECT_EQ(occurrences(client.received, "0\r\n\r\n"), 0u);
    EXPECT_EQ(handler_.count("abandoned"), 0) << "the handler did it itself";
}

TEST_F(ServerConnectionTest, TellsHandlerWhenQueueHasRoomAgain) {
    start();
    handler_.on_complete = [](ServerConnection& connection) {
        connection.begin({.status = 200, .fields = ""});
        while (connection.writable()) connection.write(std::string(4'096, 's'));
    };
    RawClient& client = connect();
    client.channel.pause();
    client.channel.write(get);
    ASSERT_TRUE(until([&] { return handler_.count("complete") == 1; }));
    client.channel.resume();
    EXPECT_TRUE(until([&] { return handler_.count("writable") == 1; }));
}

TEST_F(ServerConnectionTest, ServesByteByByteRequests) {
    loop_.io().set_faults({.split_percent = 100, .short_send_percent = 50, .no_buffers_percent = 20});
    start();
    RawClient& client = connect();
    std::string all;
    for (unsigned i = 0; i < 20; ++i) all.append(i % 2 == 0 ? get : post);
    client.channel.write(all);
    ASSERT_TRUE(until([&] { return occurrences(client.received, "HTTP/1.1 200") == 20; }));
    EXPECT_TRUE(until([&] { return client.received.ends_with("/p:hello"); }));
}

}  // namespace
}  // namespace nodex
