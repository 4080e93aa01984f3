// The connection to a real nats-server that dies, comes back, refuses us, or sends more than we
// take.
#include "replication/nats/connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <optional>
#include <thread>

#include "edge/base/limits.h"
#include "replication/nats/nats_transport.h"
#include "replication/nats/nats_transport_server.h"
#include "replication/thread_mailbox.h"
#include "tests/support/nats_server.h"
#include "tests/support/test_certificates.h"

namespace nodex::replication {
namespace {

using testing_support::NatsServer;

// A POP and a centre at one server, driven by this thread.
struct Ends {
    explicit Ends(const NatsServer& server, const std::string& user = {})
        : pop(server.address(user), PopId{1}, system_clock(), random),
          centre(server.address(user)) {
        pop.attach(&pop_mail.mailbox());
        centre.attach(&centre_mail.mailbox());
        centre.serve("nx.v1.rpc.echo", [](Bytes, Bytes payload, const Respond& respond) {
            respond(std::string(payload));
        });
    }
    ~Ends() {
        pop.attach(nullptr);
        centre.attach(nullptr);
        turn();
    }
    void turn() {
        pop_mail.mailbox().deliver();
        centre_mail.mailbox().deliver();
        pop.expire();
        centre.keep();
        std::this_thread::yield();
    }
    // Turns until `done`; false after half a minute.
    template <class Done>
    bool until(Done done) {
        const Nanoseconds end = system_clock().now_ns() + 30 * second;
        while (!done()) {
            if (system_clock().now_ns() > end) return false;
            turn();
        }
        return true;
    }
    // How one request ends; nothing: with its own reply.
    std::optional<ErrorCode> ask(Nanoseconds timeout_ns = 20 * second) {
        std::optional<ErrorCode> failure;
        unsigned outcomes = 0;
        pop.request("nx.v1.rpc.echo", "hello", timeout_ns, [&](Result<std::string> reply) {
            ++outcomes;
            if (!reply) failure = reply.error().code;
            if (reply) {
                EXPECT_EQ(*reply, "hello");
            }
        });
        EXPECT_TRUE(until([&] { return outcomes > 0; }));
        EXPECT_EQ(outcomes, 1u);
        return failure;
    }
    bool both_connected() { return pop.connected() && centre.connected(); }

    SeededRandom random{1};
    ThreadMailbox pop_mail, centre_mail;
    NatsTransport pop;
    NatsTransportServer centre;
};

TEST(NatsConnection, ComesBackByItselfAfterTheServerWasKilled) {
    NatsServer server;
    Ends ends(server);
    ASSERT_TRUE(ends.until([&] { return ends.both_connected(); }));
    EXPECT_EQ(ends.ask(), std::nullopt);
    server.stop(SIGKILL);
    ASSERT_TRUE(ends.until([&] { return !ends.pop.connected(); }));
    EXPECT_EQ(ends.ask(), ErrorCode::unavailable);  // at once, and kept for nobody
    server.start();
    ASSERT_TRUE(ends.until([&] { return ends.both_connected(); }));
    ASSERT_TRUE(ends.until([&] { return ends.ask() == std::nullopt; }));
}

TEST(NatsConnection, WaitsForAServerThatIsNotThereYet) {
    NatsServer server;
    server.stop(SIGKILL);
    Ends ends(server);
    EXPECT_FALSE(ends.both_connected());
    EXPECT_EQ(ends.ask(), ErrorCode::unavailable);
    server.start();
    ASSERT_TRUE(ends.until([&] { return ends.both_connected(); }));
    ASSERT_TRUE(ends.until([&] { return ends.ask() == std::nullopt; }));
}

// A connection on its own, and turns of its driving thread until `done`.
template <class Done>
bool keep_until(NatsConnection& connection, Done done) {
    const Nanoseconds end = system_clock().now_ns() + 30 * second;
    while (!done()) {
        if (system_clock().now_ns() > end) return false;
        connection.keep();
        std::this_thread::yield();
    }
    return true;
}

// libnats closes a connection for good when it was refused twice: an operator who repairs the
// server's users must not have to restart every node.
TEST(NatsConnection, IsMadeAnewWhenTheServerRefusedUs) {
    NatsServer server("authorization { user: edge, password: another }\n");
    NatsConnection connection(server.address("edge:right"), "test");
    ASSERT_TRUE(connection.open());
    ASSERT_TRUE(keep_until(connection, [&] { return connection.reopens() >= 1; }));
    EXPECT_FALSE(connection.connected());
    server.stop(SIGKILL);
    server.configure("authorization { user: edge, password: right }\n");
    server.start();
    EXPECT_TRUE(keep_until(connection, [&] { return connection.connected(); }));
}

// Accepts connections in the kernel and says nothing, as a nats-server that stands still.
struct SilentServer {
    int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    std::uint16_t port = 0;
    SilentServer() {
        sockaddr_in place{};
        place.sin_family = AF_INET;
        place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof place;
        auto* const address = reinterpret_cast<sockaddr*>(&place);
        NX_ASSERT(::bind(listener, address, length) == 0 && ::listen(listener, 8) == 0 &&
                  ::getsockname(listener, address, &length) == 0);
        port = ntohs(place.sin_port);
    }
    ~SilentServer() { ::close(listener); }
    ServerAddress address() const {
        std::string problem;
        return *parse_server_address("nats://127.0.0.1:" + std::to_string(port), problem);
    }
    // Says to whoever has come that TLS is demanded, and hangs up.
    void speak() const {
        constexpr std::string_view demand = "INFO {\"server_id\":\"x\",\"tls_required\":true}\r\n";
        const int peer = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0) return;
        (void)::send(peer, demand.data(), demand.size(), MSG_NOSIGNAL);
        ::close(peer);
    }
};

// keep() once waited two seconds for such a server, on the thread that answers everyone who waits
// for the centre. Here the same thread is the server: it hears only what keep() does not wait for.
TEST(NatsConnection, KeepDoesNotWaitForAServerThatSaysNothing) {
    const SilentServer server;
    NatsConnection connection(server.address(), "test");
    ASSERT_TRUE(connection.open());
    EXPECT_FALSE(connection.connected());
    EXPECT_TRUE(keep_until(connection, [&] {
        server.speak();
        return connection.tls_demands() >= 1;
    }));
    EXPECT_FALSE(connection.connected());
}

// libnats would begin TLS by itself, and with OpenSSL's names bound to BoringSSL it would not come
// back from that. Both at the first connection and at a reconnection the server is asked before.
TEST(NatsConnection, NeverBeginsTlsWithAServerThatDemandsIt) {
    const test::TemporaryFolder folder;
    const auto made = tls::make_dev_certificate({"localhost"}, {"127.0.0.1"}, 2);
    ASSERT_TRUE(made);
    const std::string demanding = "tls { cert_file: \"" + folder.write("crt", made->chain_pem) +
                                  "\", key_file: \"" + folder.write("key", made->key_pem) +
                                  "\" }\n";
    NatsServer server(demanding);
    ASSERT_EQ(ask_tls_demand(server.address(), 10 * second), TlsDemand::required);
    NatsConnection connection(server.address(), "test");
    ASSERT_TRUE(connection.open());
    ASSERT_TRUE(keep_until(connection, [&] { return connection.tls_demands() >= 2; }));
    EXPECT_FALSE(connection.connected());
    server.stop(SIGKILL);
    server.configure("");
    server.start();
    ASSERT_TRUE(keep_until(connection, [&] { return connection.connected(); }));
}

// Its first form looked at the server and then paused: a server that came back in the pause with a
// demand for TLS ended the process.
TEST(NatsConnection, NeverBeginsTlsWhenItReconnectsEither) {
    const test::TemporaryFolder folder;
    const auto made = tls::make_dev_certificate({"localhost"}, {"127.0.0.1"}, 2);
    ASSERT_TRUE(made);
    const std::string demanding = "tls { cert_file: \"" + folder.write("crt", made->chain_pem) +
                                  "\", key_file: \"" + folder.write("key", made->key_pem) +
                                  "\" }\n";
    NatsServer server;
    NatsConnection connection(server.address(), "test");
    ASSERT_TRUE(connection.open());
    for (int round = 0; round < 5; ++round) {
        ASSERT_TRUE(keep_until(connection, [&] { return connection.connected(); }));
        const std::uint64_t before = connection.tls_demands();
        server.stop(SIGKILL);
        server.configure(demanding);
        server.start();
        ASSERT_TRUE(keep_until(connection, [&] { return connection.tls_demands() >= before + 2; }));
        EXPECT_FALSE(connection.connected());
        server.stop(SIGKILL);
        server.configure("");
        server.start();
    }
}

TEST(NatsConnection, DropsAndCountsWhatTheDrivingThreadDoesNotTake) {
    constexpr int beyond = 100;
    NatsServer server;
    Ends ends(server);
    ASSERT_TRUE(ends.until([&] { return ends.both_connected(); }));
    int heard = 0;
    ends.pop.subscribe("flood", [&](Bytes, Bytes) { ++heard; });
    for (int i = 0; i < limits::link_inbound_messages_max + beyond; ++i)
        ends.centre.publish("flood", "x");
    ASSERT_TRUE(ends.centre.flush(30 * second));
    ASSERT_TRUE(ends.pop.flush(30 * second));
    EXPECT_EQ(ends.pop.dropped(), static_cast<std::uint64_t>(beyond));
    ends.turn();
    EXPECT_EQ(heard, limits::link_inbound_messages_max);
    EXPECT_EQ(ends.ask(), std::nullopt);  // and goes on
}

TEST(NatsConnection, OfTwoCentresOneGetsARequest) {
    NatsServer server;
    Ends first(server), second_ends(server);
    ASSERT_TRUE(
        first.until([&] { return first.both_connected() && second_ends.both_connected(); }));
    unsigned served = 0;
    for (NatsTransportServer* centre : {&first.centre, &second_ends.centre})
        centre->serve("nx.v1.rpc.once", [&](Bytes, Bytes, const Respond& respond) {
            ++served;
            respond("r");
        });
    unsigned replies = 0;
    for (int i = 0; i < 20; ++i)
        first.pop.request("nx.v1.rpc.once", "x", 20 * second,
                          [&](Result<std::string> reply) { replies += reply ? 1u : 0u; });
    EXPECT_TRUE(first.until([&] {
        second_ends.turn();
        return replies == 20;
    }));
    EXPECT_EQ(served, 20u);
}

}  // namespace
}  // namespace nodex::replication
