// How channels end: deadlines, every phase, and random faults, all in simulated time.
#include <gtest/gtest.h>
#include <malloc.h>

#include "edge/base/limits.h"
#include "tests/unit/channel/channel_world.h"

namespace nodex::test {
namespace {

class ChannelEnds : public testing::TestWithParam<bool> {
  protected:
    bool with_tls() const { return GetParam(); }
};

// Both ends are told to close, or one is cut, after every possible number of turns; whatever was under way,
// each end hears of its end exactly once and nothing stays open.
TEST_P(ChannelEnds, CloseAndAbortWorkAfterEveryTurn) {
    for (const bool abort : {false, true}) {
        for (const bool at_client : {false, true}) {
            for (int turns = 0; turns < 40; ++turns) {
                contract::SimWorld world(SimFaults{.split_percent = 30}, 7);
                ChannelPair pair(world, with_tls());
                pair.server.when_received = [&](Bytes bytes) { pair.server.channel.write(bytes); };
                pair.server.when_ended = [&] { pair.server.channel.close(); };
                pair.client.when_ended = [&] { pair.client.channel.close(); };
                pair.connect();
                pair.client.channel.write(pattern(5'000));
                for (int i = 0; i < turns; ++i) (void)world.sim().turn();
                ChannelEnd& end = at_client ? pair.client : pair.server;
                const bool live = end.channel.phase() != ChannelPhase::idle;
                abort ? end.channel.abort({ErrorCode::cancelled}) : end.channel.close();
                while (world.sim().turn()) {
                }
                if (live && abort) {
                    ASSERT_EQ(end.closed.size(), 1u) << turns;
                    EXPECT_EQ(end.closed_with(), ErrorCode::cancelled);
                }
                if (live && !abort) {
                    EXPECT_EQ(end.closed_with(), ErrorCode::none) << turns << at_client;
                }
            }
        }
    }
}

TEST_P(ChannelEnds, RandomFaultsNeverHangLoseOrRepeatBytes) {
    const std::string source = pattern(60'000);
    unsigned whole = 0, broken = 0;
    for (std::uint64_t seed = 1; seed <= 150; ++seed) {
        contract::SimWorld world(SimFaults{.split_percent = 50,
                                           .short_send_percent = 50,
                                           .no_buffers_percent = 20,
                                           .reset_percent = seed % 2 == 0 ? 2u : 0u,
                                           .delay_percent = 30},
                                 seed);
        world.sim().io().set_pipe_bytes(3'000 + seed * 100);
        ChannelPair pair(world, with_tls());
        pair.server.when_received = [&](Bytes bytes) { pair.server.channel.write(bytes); };
        pair.server.when_ended = [&] { pair.server.channel.close(); };
        pair.client.when_opened = [&] { pair.client.channel.write(source); };
        pair.client.when_received = [&](Bytes) {
            if (pair.client.received.size() == source.size()) pair.client.channel.close();
        };
        pair.connect(3'600 * second);
        while (world.sim().turn()) {
        }
        ASSERT_EQ(pair.client.closed.size(), 1u) << "seed " << seed;
        ASSERT_EQ(pair.client.received, source.substr(0, pair.client.received.size())) << "seed " << seed;
        ASSERT_EQ(pair.server.received, source.substr(0, pair.server.received.size())) << "seed " << seed;
        const bool complete = pair.client.received.size() == source.size();
        ++(complete ? whole : broken);
        ASSERT_TRUE(complete || seed % 2 == 0) << "seed " << seed;
        ASSERT_TRUE(complete || pair.client.closed_with() != ErrorCode::none) << "seed " << seed;
    }
    EXPECT_GT(whole, 70u);
    EXPECT_GT(broken, 10u);
}

// The peer takes our bytes and our end, and never ends its own direction.
TEST_P(ChannelEnds, LingersNoLongerThanItsDeadline) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, with_tls());
    pair.open();
    const Nanoseconds begun = world.sim().clock().now_ns();
    pair.server.channel.close();
    pair.run_until([&] { return !pair.server.closed.empty(); });
    EXPECT_EQ(pair.server.closed_with(), ErrorCode::none);
    const Nanoseconds took = world.sim().clock().now_ns() - begun;
    EXPECT_GE(took, limits::close_deadline);
    EXPECT_LE(took, limits::close_deadline + 2 * millisecond);
}

// Takes one piece, pauses for `pause_ns`, takes the next; ends when the other side has ended.
struct SlowReader {
    SlowReader(ChannelEnd& its_end, Nanoseconds its_pause_ns) : end(its_end), pause_ns(its_pause_ns) {
        end.when_received = [this](Bytes) {
            end.channel.pause();
            start_timer<&SlowReader::go_on>(end.loop.timers(), timer, end.loop.now_ns() + pause_ns, this);
        };
        end.when_ended = [this] { end.channel.close(); };
    }
    void go_on() noexcept { end.channel.resume(); }
    ChannelEnd& end;
    Nanoseconds pause_ns;
    Timer timer;
};

// Far longer than any deadline, with each pause below the one for stalled readers.
TEST_P(ChannelEnds, CloseGivesASlowReaderAsLongAsItGoesOnTakingSome) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, with_tls());
    SlowReader reader(pair.client, limits::stalled_reader_deadline / 10);
    const std::string answer = pattern(512 * 1024);
    pair.open();
    const Nanoseconds begun = world.sim().clock().now_ns();
    pair.server.channel.write(answer);
    pair.server.channel.close();
    pair.run_until_closed();
    EXPECT_TRUE(pair.client.received == answer) << pair.client.received.size();
    EXPECT_EQ(pair.client.ended, 1u);
    EXPECT_EQ(pair.client.closed_with(), ErrorCode::none);
    EXPECT_EQ(pair.server.closed_with(), ErrorCode::none);
    EXPECT_GT(world.sim().clock().now_ns() - begun, 2 * limits::stalled_reader_deadline);
}

// All of it is with the kernel, which nobody can watch: the descriptor is closed, and what is there arrives.
TEST_P(ChannelEnds, TheEndOfTheLingeringCutsNoBytesThatTheKernelHas) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, with_tls());
    SlowReader reader(pair.client, 2 * limits::close_deadline);
    const std::string answer = pattern(40 * 1024);
    pair.open();
    pair.server.channel.write(answer);
    pair.server.channel.close();
    pair.run_until([&] { return !pair.server.closed.empty(); });
    EXPECT_LT(pair.client.received.size(), answer.size());
    pair.run_until_closed();
    EXPECT_TRUE(pair.client.received == answer) << pair.client.received.size();
    EXPECT_EQ(pair.client.ended, 1u);
    EXPECT_EQ(pair.client.closed_with(), ErrorCode::none);
}

// The peer reads nothing, so what was queued can never leave, and the cut must be one that it can see.
TEST_P(ChannelEnds, CloseCutsAReaderThatTakesNothing) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, with_tls());
    pair.client.when_opened = [&] { pair.client.channel.pause(); };
    pair.open();
    const Nanoseconds begun = world.sim().clock().now_ns();
    pair.server.channel.write(pattern(1024 * 1024));
    pair.server.channel.close();
    pair.run_until([&] { return !pair.server.closed.empty(); });
    EXPECT_EQ(pair.server.closed_with(), ErrorCode::none);
    EXPECT_EQ(pair.client.received, "");
    const Nanoseconds took = world.sim().clock().now_ns() - begun;
    EXPECT_GE(took, limits::stalled_reader_deadline);
    EXPECT_LE(took, limits::stalled_reader_deadline + 2 * limits::stalled_reader_check_interval);
    pair.client.channel.resume();
    pair.run_until_closed();
    EXPECT_EQ(pair.client.closed_with(), ErrorCode::connection_reset);
    EXPECT_EQ(pair.client.ended, 0u);
}

TEST_P(ChannelEnds, PeerResetIsAnErrorAndNotAnEnd) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, with_tls());
    pair.open();
    world.sim().io().reset(pair.server_fd);
    pair.run_until_closed();
    EXPECT_EQ(pair.server.closed_with(), ErrorCode::connection_reset);
    EXPECT_EQ(pair.client.closed_with(), ErrorCode::connection_reset);
    EXPECT_EQ(pair.client.ended + pair.server.ended, 0u);
}

TEST_P(ChannelEnds, NoDescriptorIsToldAsTheEnd) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, with_tls());
    world.sim().io().set_descriptors_max(0);
    pair.connect();
    EXPECT_TRUE(pair.client.closed.empty());
    pair.run_until([&] { return !pair.client.closed.empty(); });
    EXPECT_EQ(pair.client.closed_with(), ErrorCode::out_of_descriptors);
}

INSTANTIATE_TEST_SUITE_P(PlainAndTls, ChannelEnds, testing::Bool(),
                         [](const auto& with_tls) { return std::string(with_tls.param ? "Tls" : "Plain"); });

TEST(TlsChannel, HandshakeThatNeverComesIsTimedOut) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, true);
    pair.client.channel.connect(pair.address, nullptr, "", second);  // connects and says nothing
    const Nanoseconds begun = world.sim().clock().now_ns();
    pair.run_until([&] { return !pair.server.closed.empty(); });
    EXPECT_EQ(pair.server.closed_with(), ErrorCode::timed_out);
    EXPECT_EQ(pair.server.opened, 0u);
    EXPECT_GE(world.sim().clock().now_ns() - begun, limits::handshake_deadline);
}

TEST(TlsChannel, ConnectTimeoutCoversTheHandshake) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, false);  // a server that answers nothing that is TLS
    pair.client.channel.connect(pair.address, TlsContexts::shared().client, "edge.test", 300 * millisecond);
    const Nanoseconds begun = world.sim().clock().now_ns();
    pair.run_until([&] { return !pair.client.closed.empty(); });
    EXPECT_EQ(pair.client.closed_with(), ErrorCode::timed_out);
    EXPECT_LE(world.sim().clock().now_ns() - begun, 310 * millisecond);
}

TEST(TlsChannel, WrongHostNameIsRefusedAndTheServerIsTold) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, true);
    pair.client.channel.connect(pair.address, TlsContexts::shared().client, "other.test", second);
    pair.run_until_closed();
    EXPECT_EQ(pair.client.closed_with(), ErrorCode::tls_certificate_invalid);
    EXPECT_NE(pair.server.closed_with(), ErrorCode::none);
}

TEST(TlsChannel, BytesThatAreNotTlsFailTheHandshake) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, true);
    pair.client.channel.connect(pair.address, nullptr, "", second);
    pair.client.channel.write("GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n");
    pair.client.when_ended = [&] { pair.client.channel.close(); };
    pair.run_until_closed();
    EXPECT_EQ(pair.server.closed_with(), ErrorCode::tls_handshake_failed);
    EXPECT_EQ(pair.server.opened, 0u);
}

// Anybody on the way can send a FIN: without close_notify what came may be only a part.
TEST(TlsChannel, EndWithoutCloseNotifyIsAReset) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, true);
    pair.open();
    world.sim().io().end_sending(pair.server_fd);
    pair.run_until([&] { return !pair.client.closed.empty(); });
    EXPECT_EQ(pair.client.closed_with(), ErrorCode::connection_reset);
    EXPECT_EQ(pair.client.ended, 0u);
}

TEST(PlainChannel, WritesOfOneTurnLeaveInOneSend) {
    contract::SimWorld world(SimFaults{});
    ChannelPair pair(world, false);
    pair.open();
    unsigned receives = 0;
    pair.server.when_received = [&](Bytes) { ++receives; };
    for (int i = 0; i < 10; ++i) pair.client.channel.write("0123456789");
    pair.run_until([&] { return pair.server.received.size() == 100; });
    EXPECT_EQ(receives, 1u);
}

// Idle after some traffic: what a connection keeps is its session and little else (goal: far below 16 KiB).
TEST(TlsChannel, IdleConnectionIsSmall) {
    contract::UringWorld world;
    ASSERT_TRUE(world.usable());
    std::vector<std::unique_ptr<ChannelPair>> pairs;
    const auto open_one = [&] {
        auto pair = std::make_unique<ChannelPair>(world, true);
        ChannelPair& opening = *pair;
        opening.server.when_received = [&opening](Bytes bytes) { opening.server.channel.write(bytes); };
        opening.open();
        opening.client.channel.write(pattern(30'000));
        opening.run_until([&] { return opening.client.received.size() == 30'000; });
        std::string().swap(opening.client.received);
        std::string().swap(opening.server.received);
        pairs.push_back(std::move(pair));
    };
    open_one();  // what is taken once
    const std::size_t before = mallinfo2().uordblks;
    constexpr std::size_t pairs_count = 50;
    for (std::size_t i = 0; i < pairs_count; ++i) open_one();
    const std::size_t each = (mallinfo2().uordblks - before) / (2 * pairs_count);
    RecordProperty("bytes_per_connection", static_cast<int>(each));
    std::printf("idle TLS connection: %zu octets\n", each);
    EXPECT_LT(each, 12u * 1024);
    while (!pairs.empty()) pairs.pop_back();
}

TEST_P(ChannelEnds, ReleasingBuffersAtAnyTimeLosesNothing) {
    contract::SimWorld world(SimFaults{.split_percent = 30, .short_send_percent = 30});
    ChannelPair pair(world, with_tls());
    const std::string source = pattern(300'000);
    pair.open();
    pair.client.channel.write(Bytes(source).substr(0, 100'000));
    pair.client.channel.release_buffers();
    pair.server.when_received = [&](Bytes) { pair.client.channel.release_buffers(); };
    pair.run_until([&] { return !pair.server.received.empty(); });
    pair.client.channel.write(Bytes(source).substr(100'000));
    pair.run_until([&] { return pair.server.received.size() == source.size(); });
    EXPECT_TRUE(pair.server.received == source);
}

}  // namespace
}  // namespace nodex::test
