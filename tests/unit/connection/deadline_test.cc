// The deadlines (deploy/threat-model.md, promise 5), each on simulated time.
#include <algorithm>

#include "tests/unit/connection/served_loop.h"

namespace nodex {
namespace {

constexpr double late_s = 0.55;  // promise 5 allows half a second, and a tick of the wheel for each timer

class DeadlineTest : public ServedLoop {
  protected:
    // Seconds from now until the server has ended this client.
    double seconds_until_end(RawClient& client) {
        const Nanoseconds since_ns = loop_.clock().now_ns();
        EXPECT_TRUE(until([&] { return client.ended || client.closed; }));
        return elapsed_s(since_ns);
    }
    static void expect_about(double actual_s, double limit_s) {
        EXPECT_GE(actual_s, limit_s);
        EXPECT_LE(actual_s, limit_s + late_s);
    }
};

TEST_F(DeadlineTest, ClosesConnectionThatNeverSpeaksAfterTenSeconds) {
    start();
    RawClient& fresh = connect();
    expect_about(seconds_until_end(fresh), 10);
    EXPECT_EQ(fresh.received, "");
}

TEST_F(DeadlineTest, ClosesIdleConnectionSilently) {
    start();
    RawClient& used = connect();
    wait(5 * second);
    used.channel.write("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(until([&] { return used.received.ends_with("/a:"); }));
    expect_about(seconds_until_end(used), 60);
}

TEST_F(DeadlineTest, Answers408ToSlowHeadWhateverItsSpeed) {
    start();
    RawClient& client = connect();
    wait(8 * second);  // the deadline runs from the first byte
    const Nanoseconds since_ns = loop_.clock().now_ns();
    client.channel.write("GET / HTTP/1.1\r\nX: ");
    while (!client.ended && elapsed_s(since_ns) < 30) {
        wait(200 * millisecond);
        client.channel.write("x");
    }
    expect_about(elapsed_s(since_ns), 5);
    EXPECT_TRUE(client.received.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
    EXPECT_EQ(handler_.count("refused timed_out"), 1);
}

TEST_F(DeadlineTest, GivesSlowBodyTenSecondsInTotal) {
    start();
    RawClient& client = connect();
    client.channel.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n");
    ASSERT_TRUE(until([&] { return handler_.count("head") == 1; }));
    const Nanoseconds since_ns = loop_.clock().now_ns();
    while (!client.ended && elapsed_s(since_ns) < 60) {
        wait(500 * millisecond);
        client.channel.write("dribble");
    }
    expect_about(elapsed_s(since_ns), 10);
    EXPECT_TRUE(client.received.starts_with("HTTP/1.1 408"));
    EXPECT_EQ(handler_.abandoned.code, ErrorCode::timed_out);
}

TEST_F(DeadlineTest, LetsBodyOfOneKibibyteASecondGoOn) {
    start();
    RawClient& client = connect();
    client.channel.write("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 40960\r\n\r\n");
    for (unsigned i = 0; i < 40; ++i) {
        client.channel.write(std::string(1'024, 'b'));
        wait(990 * millisecond);
    }
    ASSERT_TRUE(until([&] { return client.received.starts_with("HTTP/1.1 200"); }));
    EXPECT_EQ(handler_.body.size(), 40'960u);
}

TEST_F(DeadlineTest, CutsReaderThatTakesNothing) {
    loop_.io().set_pipe_bytes(4'096);
    start();
    RawClient& client = connect();
    handler_.on_complete = [](ServerConnection& connection) {
        connection.begin({.status = 200, .fields = ""});
        connection.write(std::string(60'000, 's'));
    };
    client.channel.pause();
    client.channel.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(until([&] { return handler_.count("complete") == 1; }));
    const Nanoseconds since_ns = loop_.clock().now_ns();
    ASSERT_TRUE(until([&] { return handler_.count("abandoned") == 1; }));
    expect_about(elapsed_s(since_ns), 10);
    EXPECT_EQ(handler_.abandoned.code, ErrorCode::timed_out);
    EXPECT_TRUE(until([&] { return acceptor_->connections_count() == 0; }));
}

TEST_F(DeadlineTest, LeavesRunningResponseAlone) {
    start();
    RawClient& client = connect();
    handler_.on_complete = [](ServerConnection& connection) {
        connection.begin({.status = 200, .fields = ""});
        connection.write("first");
    };
    client.channel.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    ASSERT_TRUE(until([&] { return handler_.count("complete") == 1; }));
    wait(300 * second);  // a provider may think for long
    handler_.last->finish();
    EXPECT_TRUE(until([&] { return client.received.ends_with("0\r\n\r\n"); }));
    EXPECT_FALSE(client.ended);
}

}  // namespace
}  // namespace nodex
