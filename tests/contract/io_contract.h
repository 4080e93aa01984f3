// What every Io must do: run against the simulated one and the kernel's (io_contract_test.cc), so that the
// twin cannot drift. No waiting in time: every result stops the loop, and a test waits for results.
#pragma once
#include <gtest/gtest.h>

#include <string>

#include "tests/contract/io_world.h"

namespace nodex::contract {

class IoContract : public testing::TestWithParam<MakeIoWorld> {
  protected:
    void SetUp() override {
        world_ = GetParam()();
        ASSERT_NE(world_, nullptr);
    }
    Loop& loop() { return world_->loop(); }
    Io& io() { return world_->loop().io(); }
    // A simulated loop gives up when nothing can happen any more; the kernel's is ended by the test runner.
    void run_until(const std::function<bool()>& reached) {
        for (int turn = 0; turn < 100'000 && !reached(); ++turn) loop().run();
        ASSERT_TRUE(reached());
    }
    void wait_for(Operated& operated) {
        run_until([&] { return operated.ended(); });
    }
    void close(int fd) {
        Operated closing(loop());
        io().close(closing.completion, fd, closing.next());
        wait_for(closing);
        EXPECT_EQ(closing.last(), 0);
    }
    // A connected pair.
    void connect_pair(int& client, int& server) {
        SocketAddress address;
        const int listener = world_->listen(address);
        Operated accepting(loop());
        Operated connecting(loop());
        io().accept(accepting.completion, listener, accepting.next());
        auto fd = io().open_socket(address);
        ASSERT_TRUE(fd.has_value());
        client = *fd;
        io().connect(connecting.completion, client, address, connecting.next());
        run_until([&] { return connecting.ended() && !accepting.results.empty(); });
        EXPECT_EQ(connecting.last(), 0);
        server = accepting.results.front();
        ASSERT_GE(server, 0);
        io().cancel(accepting.completion);
        wait_for(accepting);
        EXPECT_EQ(accepting.last(), -ECANCELED);
        close(listener);
    }
    std::unique_ptr<IoWorld> world_;
};

TEST_P(IoContract, CarriesBytesAndTheEnd) {
    int client = -1, server = -1;
    connect_pair(client, server);
    Operated receiving(loop()), sending(loop());
    io().recv(receiving.completion, server, receiving.next());
    io().send(sending.completion, client, "one two three", sending.next());
    run_until([&] { return receiving.received == "one two three" && sending.ended(); });
    EXPECT_EQ(sending.last(), 13);
    EXPECT_TRUE(receiving.completion.in_flight());
    io().end_sending(client);
    wait_for(receiving);
    EXPECT_EQ(receiving.last(), 0);
    close(server);
    close(client);
}

TEST_P(IoContract, NeverRunsAContinuationInsideASubmit) {
    int client = -1, server = -1;
    connect_pair(client, server);
    Operated receiving(loop()), sending(loop()), refused(loop());
    io().send(sending.completion, client, "x", sending.next());
    EXPECT_TRUE(sending.results.empty());
    run_until([&] { return sending.ended(); });
    io().recv(receiving.completion, server, receiving.next());  // its data is there already
    EXPECT_TRUE(receiving.results.empty());
    const SocketAddress nowhere = world_->nowhere();
    const int fd = *io().open_socket(nowhere);
    io().connect(refused.completion, fd, nowhere, refused.next());  // fails at once
    EXPECT_TRUE(refused.results.empty());
    io().cancel(receiving.completion);
    EXPECT_TRUE(receiving.completion.in_flight());
    run_until([&] { return refused.ended() && receiving.ended(); });
    close(fd);
    close(server);
    close(client);
}

TEST_P(IoContract, RefusesWhereNobodyListens) {
    const SocketAddress nowhere = world_->nowhere();
    const int fd = *io().open_socket(nowhere);
    Operated connecting(loop());
    io().connect(connecting.completion, fd, nowhere, connecting.next());
    wait_for(connecting);
    EXPECT_EQ(connecting.last(), -ECONNREFUSED);
    close(fd);
}

TEST_P(IoContract, SendsAllOfALargeSourceToASlowReader) {
    int client = -1, server = -1;
    connect_pair(client, server);
    std::string source(8 * 1024 * 1024, ' ');
    for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<char>(i * 31 + i / 4096);
    Operated sending(loop()), receiving(loop());
    io().send(sending.completion, client, source, sending.next());
    io().recv(receiving.completion, server, receiving.next());
    receiving.then_do = [&](int result) {
        if (result == -ENOBUFS) io().recv(receiving.completion, server, receiving.next());
    };
    run_until([&] { return sending.ended() && receiving.received.size() == source.size(); });
    EXPECT_EQ(sending.last(), static_cast<int>(source.size()));
    EXPECT_EQ(sending.completion.sent(), source.size());
    EXPECT_TRUE(receiving.received == source);
    io().cancel(receiving.completion);
    wait_for(receiving);
    close(server);
    close(client);
}

TEST_P(IoContract, TellsTheProgressOfASendThatIsStuck) {
    int client = -1, server = -1;
    connect_pair(client, server);
    const std::string source(16 * 1024 * 1024, 's');
    Operated sending(loop()), receiving(loop());
    io().send(sending.completion, client, source, sending.next());
    receiving.then_do = [&](int) { io().cancel(receiving.completion); };
    io().recv(receiving.completion, server, receiving.next());
    wait_for(receiving);
    EXPECT_TRUE(sending.completion.in_flight());
    EXPECT_GT(sending.completion.sent(), 0u);
    EXPECT_LT(sending.completion.sent(), source.size());
    io().cancel(sending.completion);
    wait_for(sending);
    EXPECT_EQ(sending.last(), -ECANCELED);
    close(server);
    close(client);
}

TEST_P(IoContract, CancelledReceiveLosesNoData) {
    int client = -1, server = -1;
    connect_pair(client, server);
    std::string source, received;
    for (int i = 0; i < 200; ++i) {
        Operated sending(loop()), receiving(loop());
        const std::string piece = "piece " + std::to_string(i) + ";";
        io().recv(receiving.completion, server, receiving.next());
        io().send(sending.completion, client, piece, sending.next());
        if (i % 3 == 0) wait_for(sending);
        io().cancel(receiving.completion);
        run_until([&] { return sending.ended() && receiving.ended(); });
        EXPECT_EQ(receiving.last(), -ECANCELED);
        source += piece;
        received += receiving.received;
    }
    Operated rest(loop());
    io().end_sending(client);
    io().recv(rest.completion, server, rest.next());
    wait_for(rest);
    EXPECT_EQ(rest.last(), 0);
    EXPECT_EQ(received + rest.received, source);
    close(server);
    close(client);
}

TEST_P(IoContract, CancelEndsWhateverIsInFlightExactlyOnce) {
    int client = -1, server = -1;
    connect_pair(client, server);
    Operated receiving(loop());
    io().recv(receiving.completion, server, receiving.next());
    io().cancel(receiving.completion);
    io().cancel(receiving.completion);
    wait_for(receiving);
    EXPECT_EQ(receiving.results, std::vector<int>{-ECANCELED});
    io().cancel(receiving.completion);  // nothing in flight: no effect
    close(server);
    close(client);
    EXPECT_EQ(receiving.results.size(), 1u);
}

TEST_P(IoContract, ShutdownEndsTheReceive) {
    int client = -1, server = -1;
    connect_pair(client, server);
    Operated here(loop()), there(loop());
    io().recv(here.completion, server, here.next());
    io().recv(there.completion, client, there.next());
    io().shutdown(server);
    run_until([&] { return here.ended() && there.ended(); });
    EXPECT_EQ(here.last(), 0);
    EXPECT_EQ(there.last(), 0);
    close(server);
    close(client);
}

TEST_P(IoContract, ResetOnCloseIsSeenAsAReset) {
    int client = -1, server = -1;
    connect_pair(client, server);
    Operated receiving(loop());
    io().recv(receiving.completion, client, receiving.next());
    io().reset_on_close(server);
    close(server);
    wait_for(receiving);
    EXPECT_EQ(receiving.last(), -ECONNRESET);
    close(client);
}

TEST_P(IoContract, SendAfterTheEndFailsWithoutASignal) {
    int client = -1, server = -1;
    connect_pair(client, server);
    io().end_sending(client);
    Operated sending(loop());
    io().send(sending.completion, client, "late", sending.next());
    wait_for(sending);
    EXPECT_EQ(sending.last(), -EPIPE);
    close(server);
    close(client);
}

TEST_P(IoContract, AcceptGoesOnConnectionAfterConnection) {
    SocketAddress address;
    const int listener = world_->listen(address);
    Operated accepting(loop());
    io().accept(accepting.completion, listener, accepting.next());
    for (std::size_t i = 1; i <= 20; ++i) {
        Operated connecting(loop());
        const int client = *io().open_socket(address);
        io().connect(connecting.completion, client, address, connecting.next());
        run_until([&] { return connecting.ended() && accepting.results.size() == i; });
        EXPECT_TRUE(accepting.completion.in_flight());
        EXPECT_NE(io().peer_of(accepting.results.back()).size, 0u);
        close(client);
        close(accepting.results.back());
    }
    io().cancel(accepting.completion);
    wait_for(accepting);
    close(listener);
}

TEST_P(IoContract, ListenerThatIsShutDownEndsItsAccept) {
    SocketAddress address;
    const int listener = world_->listen(address);
    Operated accepting(loop());
    io().accept(accepting.completion, listener, accepting.next());
    struct Shut {
        Io& io;
        int fd;
        Timer timer;
        void run() noexcept { io.shutdown(fd); }
    } shut{io(), listener, {}};
    start_timer<&Shut::run>(loop().timers(), shut.timer, loop().now_ns(), &shut);  // when the accept is armed
    wait_for(accepting);
    EXPECT_EQ(accepting.last(), -ECANCELED);
    close(listener);
}

}  // namespace nodex::contract
