// Channels joined over a simulated or a real network, and owners that write down what they are told.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/channel/channel.h"
#include "edge/crypto/crypto.h"
#include "tests/contract/io_worlds.h"
#include "tests/support/test_certificates.h"

namespace nodex::test {

// Both ends' TLS configuration; one for the whole program, because making keys is slow.
struct TlsContexts {
    TestAuthority authority;
    ManualClock clock;
    std::shared_ptr<tls::TicketKeys> tickets =
        std::make_shared<tls::TicketKeys>(crypto::secure_random(), clock);
    std::shared_ptr<tls::ServerContext> server;
    std::shared_ptr<tls::ClientContext> client;
    TlsContexts() {
        auto made_server =
            tls::ServerContext::create({authority.issue({"edge.test"}, {"127.0.0.1"})}, tickets);
        auto made_client = tls::ClientContext::create({authority.ca_file()});
        NX_ASSERT(made_server.has_value());
        NX_ASSERT(made_client.has_value());
        server = *made_server;
        client = *made_client;
    }
    static TlsContexts& shared() {
        static TlsContexts contexts;
        return contexts;
    }
};

// One end: everything it was told, in order of kind. Stops the loop at every callback.
struct ChannelEnd final : ChannelOwner {
    explicit ChannelEnd(Loop& its_loop) : loop(its_loop), channel(its_loop, *this) {}
    Loop& loop;
    Channel channel;
    unsigned opened = 0, ended = 0, writable = 0, callbacks = 0;
    std::string received;
    std::vector<Error> closed;
    std::function<void()> when_opened = [] {};
    std::function<void(Bytes)> when_received = [](Bytes) {};
    std::function<void()> when_ended = [] {};
    std::function<void()> when_writable = [] {};

    void told() {
        EXPECT_TRUE(closed.empty()) << "a callback after channel_closed";
        ++callbacks;
        loop.stop();
    }
    void channel_opened() noexcept override {
        told();
        EXPECT_EQ(channel.phase(), ChannelPhase::open);
        ++opened;
        when_opened();
    }
    void channel_received(Bytes bytes) noexcept override {
        told();
        EXPECT_EQ(opened, 1u);
        EXPECT_FALSE(bytes.empty());
        received.append(bytes);
        when_received(bytes);
    }
    void channel_ended() noexcept override {
        told();
        EXPECT_EQ(++ended, 1u);
        when_ended();
    }
    void channel_writable() noexcept override {
        told();
        EXPECT_TRUE(channel.writable());
        ++writable;
        when_writable();
    }
    void channel_closed(Error error) noexcept override {
        told();
        EXPECT_EQ(channel.phase(), ChannelPhase::idle);
        closed.push_back(error);
    }
    [[nodiscard]] ErrorCode closed_with() const {
        return closed.empty() ? ErrorCode::corrupt : closed.back().code;
    }
};

// A listener and the two ends of one connection through it.
struct ChannelPair {
    ChannelPair(contract::IoWorld& world, bool with_tls)
        : loop(world.loop()), client(loop), server(loop), accepting(loop), uses_tls(with_tls) {
        listener = world.listen(address);
        accepting.then_do = [this](int fd) {
            if (fd < 0) return;
            server_fd = fd;
            server.channel.accept(fd, uses_tls ? TlsContexts::shared().server : nullptr);
        };
        loop.io().accept(accepting.completion, listener, accepting.next());
    }
    // Ends what the test has left open.
    ~ChannelPair() {
        client.channel.abort({});
        server.channel.abort({});
        loop.io().cancel(accepting.completion);
        contract::Operated closing(loop);
        while (accepting.completion.in_flight() || !idle()) loop.run();
        loop.io().close(closing.completion, listener, closing.next());
        while (!closing.ended()) loop.run();
    }
    void connect(Nanoseconds timeout_ns = 5 * second) {
        client.channel.connect(address, uses_tls ? TlsContexts::shared().client : nullptr, "edge.test",
                               timeout_ns);
    }
    // Until both ends are open.
    void open() {
        connect();
        run_until([this] { return client.opened == 1 && server.opened == 1; });
    }
    // Simulated loops give up when nothing can happen any more; hanging real ones are ended by the runner.
    void run_until(const std::function<bool()>& reached) {
        for (int round = 0; round < 1'000'000 && !reached(); ++round) loop.run();
        ASSERT_TRUE(reached());
    }
    [[nodiscard]] bool idle() const {
        return client.channel.phase() == ChannelPhase::idle && server.channel.phase() == ChannelPhase::idle;
    }
    void run_until_closed() {
        run_until([this] { return client.closed.size() == 1 && server.closed.size() == 1; });
    }

    Loop& loop;
    ChannelEnd client;
    ChannelEnd server;
    contract::Operated accepting;
    SocketAddress address;
    bool uses_tls;
    int listener = -1;
    int server_fd = -1;
};

// Text whose every position can be told from its neighbours.
inline std::string pattern(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(i * 131 + i / 253);
    return text;
}

}  // namespace nodex::test
