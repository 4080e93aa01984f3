// A simulated loop with an acceptor, a handler that writes down what it is told, and raw clients.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <functional>
#include <string>
#include <vector>

#include "edge/connection/acceptor.h"
#include "edge/io/sim_io.h"

namespace nodex {

// Answers by `on_complete` (default: 200 with the path and body as text) and notes every callback.
class RecordingHandler final : public RequestHandler {
  public:
    std::uint64_t body_bytes_max = 1'000'000;
    std::function<void(ServerConnection&, const http::RequestHead&)> on_head;
    std::function<void(ServerConnection&)> on_complete = [this](ServerConnection& connection) {
        connection.respond(200, "", path + ":" + body);
    };
    std::string path;
    std::string body;
    std::vector<std::string> calls;
    Error abandoned;
    ServerConnection* last = nullptr;

    [[nodiscard]] long count(const std::string& call) const {
        return std::count(calls.begin(), calls.end(), call);
    }

    std::uint64_t request_head(ServerConnection& connection,
                               const http::RequestHead& head) noexcept override {
        calls.emplace_back("head");
        last = &connection;
        path = head.path;
        body.clear();
        connection.exchange = this;
        if (on_head) on_head(connection, head);
        return body_bytes_max;
    }
    void request_body(ServerConnection&, Bytes bytes) noexcept override { body.append(bytes); }
    void request_complete(ServerConnection& connection) noexcept override {
        calls.emplace_back("complete");
        on_complete(connection);
    }
    void request_refused(ServerConnection& connection, http::Refusal refusal) noexcept override {
        calls.emplace_back(std::string("refused ") + http::name(refusal));
        EXPECT_EQ(connection.exchange, nullptr);
        connection.respond(http::status_of(refusal), "content-type: application/json\r\n", "{}");
    }
    void response_writable(ServerConnection&) noexcept override { calls.emplace_back("writable"); }
    void request_abandoned(ServerConnection& connection, Error reason) noexcept override {
        EXPECT_EQ(connection.exchange, this);
        calls.emplace_back("abandoned");
        abandoned = reason;
    }
    void response_sent(ServerConnection&) noexcept override { calls.emplace_back("sent"); }
};

class RawClient final : public ChannelOwner {
  public:
    explicit RawClient(Loop& loop) : channel(loop, *this) {}
    Channel channel;
    std::string received;
    bool opened = false;
    bool ended = false;
    bool closed = false;
    Error error;

    void channel_opened() noexcept override { opened = true; }
    void channel_received(Bytes bytes) noexcept override { received.append(bytes); }
    void channel_ended() noexcept override { ended = true; }
    void channel_writable() noexcept override {}
    void channel_closed(Error reason) noexcept override {
        closed = true;
        error = reason;
    }
};

class ServedLoop : public ::testing::Test {
  protected:
    void start(AcceptorOptions options = {}) {
        address_.size = sizeof(sockaddr_in);
        sockaddr_in ipv4{};
        ipv4.sin_family = AF_INET;
        ipv4.sin_port = htons(8443);
        ipv4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        std::memcpy(&address_.storage, &ipv4, sizeof ipv4);
        Result<int> listener = loop_.io().listen(address_);
        ASSERT_TRUE(listener.has_value());
        acceptor_ = std::make_unique<Acceptor>(loop_, handler_, *listener, nullptr, options);
        acceptor_->start();
    }
    RawClient& connect() {
        clients_.push_back(std::make_unique<RawClient>(loop_));
        RawClient& client = *clients_.back();
        client.channel.connect(address_, nullptr, "", 60 * second);
        EXPECT_TRUE(until([&] { return client.opened || client.closed; }));
        return client;
    }
    // Turns until `done`; false when it does not come. Time jumps when nothing else is left to do.
    bool until(const std::function<bool()>& done) {
        for (unsigned turn = 0; turn < 200'000 && !done(); ++turn) loop_.turn();
        return done();
    }
    // Lets everything that needs no time happen.
    void settle() {
        const Nanoseconds start_ns = loop_.clock().now_ns();
        Timer stop;
        bool stopped = false;
        loop_.timers().start(
            stop, start_ns + millisecond, [](void* flag) noexcept { *static_cast<bool*>(flag) = true; },
            &stopped);
        EXPECT_TRUE(until([&] { return stopped; }));
    }
    void wait(Nanoseconds duration) {
        Timer stop;
        bool stopped = false;
        loop_.timers().start(
            stop, loop_.clock().now_ns() + duration,
            [](void* flag) noexcept { *static_cast<bool*>(flag) = true; }, &stopped);
        EXPECT_TRUE(until([&] { return stopped; }));
    }
    void TearDown() override {
        for (const auto& client : clients_) client->channel.abort({.code = ErrorCode::cancelled});
        if (acceptor_) {
            acceptor_->abort_all();
            acceptor_->drain();
            EXPECT_TRUE(until([&] { return acceptor_->drained(); }));
        }
        EXPECT_TRUE(until([&] {
            return std::all_of(clients_.begin(), clients_.end(), [](const auto& client) {
                return client->channel.phase() == ChannelPhase::idle;
            });
        }));
        EXPECT_EQ(loop_.timers().armed_count(), 0u);
    }
    [[nodiscard]] double elapsed_s(Nanoseconds since_ns) {
        return static_cast<double>(loop_.clock().now_ns() - since_ns) / static_cast<double>(second);
    }

    SimLoop loop_{1};
    RecordingHandler handler_;
    SocketAddress address_;
    std::unique_ptr<Acceptor> acceptor_;
    std::vector<std::unique_ptr<RawClient>> clients_;
};

// How often `what` occurs in `text`.
inline unsigned occurrences(const std::string& text, const std::string& what) {
    unsigned count = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
    return count;
}

inline std::string body_of(const std::string& response) {
    return response.substr(response.find("\r\n\r\n") + 4);
}

}  // namespace nodex
