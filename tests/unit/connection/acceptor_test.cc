// Accepting: counts, pauses, draining. And listening sockets of the machine.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/unit/connection/served_loop.h"

namespace nodex::acceptor_test {
namespace {

constexpr Bytes get = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

using AcceptorTest = ServedLoop;

TEST_F(AcceptorTest, PausesAtLimitAndGoesOnWhenOneCloses) {
    start({.connections_max = 2});
    RawClient& first = connect();
    connect();
    settle();
    RawClient& third = connect();  // the kernel's queue takes it
    third.channel.write(get);
    settle();
    EXPECT_EQ(acceptor_->connections_count(), 2u);
    EXPECT_EQ(third.received, "");
    first.channel.close();
    EXPECT_TRUE(until([&] { return third.received.ends_with("/a:"); }));
    EXPECT_EQ(acceptor_->connections_count(), 2u);
}

TEST_F(AcceptorTest, BoundsConnectionsOfOneAddress) {
    start({.connections_per_address_max = 2});
    RawClient& first = connect();
    RawClient& second_client = connect();
    RawClient& third = connect();
    ASSERT_TRUE(until([&] { return third.closed; }));
    EXPECT_FALSE(second_client.closed);
    first.channel.close();
    ASSERT_TRUE(until([&] { return acceptor_->connections_count() == 1; }));
    RawClient& fourth = connect();
    fourth.channel.write(get);
    EXPECT_TRUE(until([&] { return fourth.received.ends_with("/a:"); }));
}

TEST_F(AcceptorTest, TakesNewLimitsWithoutClosingAnything) {
    start({.connections_max = 2});
    RawClient& first = connect();
    RawClient& second_client = connect();
    settle();
    acceptor_->replace_options({.connections_max = 1});
    RawClient& third = connect();
    third.channel.write(get);
    settle();
    EXPECT_FALSE(first.closed || second_client.closed);
    EXPECT_EQ(third.received, "");
    first.channel.close();
    ASSERT_TRUE(until([&] { return acceptor_->connections_count() == 1; }));
    settle();
    EXPECT_EQ(third.received, "") << "one is as many as there may be";
    acceptor_->replace_options({.connections_max = 3});
    ASSERT_TRUE(until([&] { return third.received.ends_with("/a:"); }));
    acceptor_->replace_options({.connections_max = 2});
    RawClient& fourth = connect();
    fourth.channel.write(get);
    settle();
    EXPECT_EQ(fourth.received, "");
    second_client.channel.close();
    EXPECT_TRUE(until([&] { return fourth.received.ends_with("/a:"); }));
}

TEST_F(AcceptorTest, TriesAgainWhenDescriptorsRunOut) {
    start();
    RawClient& first = connect();
    loop_.io().set_descriptors_max(loop_.io().open_descriptors() + 1);
    RawClient& second_client = connect();  // its own descriptor is the last
    second_client.channel.write(get);
    settle();
    EXPECT_EQ(second_client.received, "");
    loop_.io().set_descriptors_max(1'000);
    EXPECT_TRUE(until([&] { return second_client.received.ends_with("/a:"); }));
    EXPECT_FALSE(first.closed);
}

TEST_F(AcceptorTest, DrainsIdleAtOnceAndRunningWhenFinished) {
    start();
    RawClient& idle = connect();
    RawClient& running = connect();
    handler_.on_complete = [](ServerConnection&) {};
    running.channel.write(get);
    ASSERT_TRUE(until([&] { return handler_.count("complete") == 1; }));
    acceptor_->drain();
    ASSERT_TRUE(until([&] { return idle.ended; }));
    idle.channel.close();
    settle();
    EXPECT_FALSE(acceptor_->drained());
    EXPECT_FALSE(running.ended);
    handler_.last->respond(200, "", "last");
    ASSERT_TRUE(until([&] { return running.ended; }));
    EXPECT_TRUE(running.received.ends_with("last"));
    EXPECT_EQ(occurrences(running.received, "connection: close\r\n"), 1u);
    running.channel.close();
    EXPECT_TRUE(until([&] { return acceptor_->drained(); }));
}

TEST_F(AcceptorTest, AbortsWhatDrainDeadlineEnds) {
    start();
    RawClient& client = connect();
    handler_.on_complete = [](ServerConnection&) {};
    client.channel.write(get);
    ASSERT_TRUE(until([&] { return handler_.count("complete") == 1; }));
    acceptor_->drain();
    acceptor_->abort_all();
    EXPECT_EQ(handler_.count("abandoned"), 1) << "who serves it must not wait for a client any more";
    EXPECT_EQ(handler_.abandoned.code, ErrorCode::cancelled);
    EXPECT_TRUE(until([&] { return acceptor_->drained() && client.closed; }));
    EXPECT_EQ(handler_.count("abandoned"), 1);
}

TEST_F(AcceptorTest, SurvivesResetsAnywhere) {
    loop_.io().set_faults({.split_percent = 50, .short_send_percent = 50, .reset_percent = 3});
    start();
    for (unsigned round = 0; round < 200; ++round) {
        RawClient& client = connect();
        for (unsigned i = 0; i < 5 && !client.closed; ++i) {
            client.channel.write("POST /p HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
            settle();
        }
        client.channel.close();
    }
    EXPECT_TRUE(until([&] { return acceptor_->connections_count() == 0; }));
}

TEST(Listen, GivesEveryCoreItsOwnListenerOnOnePort) {
    Result<int> first = listen_on("127.0.0.1:0");
    ASSERT_TRUE(first.has_value());
    const std::uint16_t port = local_port(*first);
    EXPECT_GT(port, 0);
    Result<int> second_listener = listen_on("127.0.0.1:" + std::to_string(port));
    ASSERT_TRUE(second_listener.has_value());
    EXPECT_EQ(local_port(*second_listener), port);
    ::close(*first);
    ::close(*second_listener);
}

TEST(Listen, RefusesWhatIsNoAddress) {
    for (const char* text : {"", "8443", "localhost:8443", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                             "::1:80", "[::1:80", "unix:", "unix:relative"}) {
        Result<int> listener = listen_on(text);
        ASSERT_FALSE(listener.has_value()) << text;
        EXPECT_EQ(listener.error().code, ErrorCode::bad_configuration) << text;
    }
}

TEST(Listen, MakesUnixSocketForItsOwnerAloneAndReplacesStaleOne) {
    const std::string path = ::testing::TempDir() + "/nodex-listen-" + std::to_string(::getpid());
    for (unsigned i = 0; i < 2; ++i) {
        Result<int> listener = listen_on("unix:" + path);
        ASSERT_TRUE(listener.has_value()) << i;
        struct stat status {};
        ASSERT_EQ(::stat(path.c_str(), &status), 0);
        EXPECT_EQ(status.st_mode & 0777, 0600u);
        ::close(*listener);
    }
    ::unlink(path.c_str());
}

}  // namespace
}  // namespace nodex::acceptor_test
