// Channels over every world, plain and TLS: opening, carrying, pausing, closing.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/channel/channel_world.h"

namespace nodex::test {
namespace {

struct Setting {
    const char* label;
    contract::MakeIoWorld make;
    bool with_tls;
};

// Without it the test library prints the bytes of a Setting, padding included.
void PrintTo(const Setting& setting, std::ostream* target) { *target << setting.label; }

class EveryChannel : public testing::TestWithParam<Setting> {
  protected:
    void SetUp() override {
        world_ = GetParam().make();
        ASSERT_NE(world_, nullptr);
        pair_ = std::make_unique<ChannelPair>(*world_, GetParam().with_tls);
    }
    ChannelEnd& client() { return pair_->client; }
    ChannelEnd& server() { return pair_->server; }
    void echo_at_server() {
        server().when_received = [this](Bytes bytes) { server().channel.write(bytes); };
    }
    std::unique_ptr<contract::IoWorld> world_;
    std::unique_ptr<ChannelPair> pair_;
};

TEST_P(EveryChannel, EchoesAndClosesInOrder) {
    echo_at_server();
    pair_->open();
    EXPECT_EQ(client().channel.tls() != nullptr, GetParam().with_tls);
    EXPECT_EQ(server().channel.peer_address(), "127.0.0.1");
    client().channel.write("one ");
    client().channel.write("two");
    pair_->run_until([&] { return client().received == "one two"; });
    EXPECT_GE(client().channel.sent_bytes(), 7u);
    EXPECT_EQ(client().channel.outbound_bytes(), 0u);
    server().when_ended = [&] { server().channel.close(); };
    client().channel.close();
    pair_->run_until_closed();
    EXPECT_EQ(client().closed_with(), ErrorCode::none);
    EXPECT_EQ(server().closed_with(), ErrorCode::none);
    EXPECT_EQ(server().ended, 1u);
}

TEST_P(EveryChannel, WritesBeforeOpeningArrive) {
    pair_->connect();
    client().channel.write("early");
    pair_->run_until([&] { return server().received == "early"; });
    EXPECT_EQ(client().opened, 1u);
}

TEST_P(EveryChannel, NeverCallsBackInsideAVerb) {
    pair_->open();
    const unsigned before = client().callbacks;
    client().channel.write(pattern(2 * limits::outbound_high_bytes));
    EXPECT_FALSE(client().channel.writable());
    client().channel.pause();
    client().channel.resume();
    client().channel.abort({ErrorCode::cancelled});
    client().channel.close();
    client().channel.write("too late");
    EXPECT_EQ(client().callbacks, before);
    EXPECT_EQ(client().channel.phase(), ChannelPhase::closing);
    pair_->run_until_closed();
    EXPECT_EQ(client().closed_with(), ErrorCode::cancelled);
}

TEST_P(EveryChannel, CarriesMegabytesToASlowReaderInBoundedMemory) {
    const std::string source = pattern(2 * 1024 * 1024);
    std::size_t written = 0, most_queued = 0;
    const auto feed = [&] {
        while (written < source.size() && client().channel.writable()) {
            const std::size_t size = std::min<std::size_t>(10'000, source.size() - written);
            client().channel.write(Bytes(source).substr(written, size));
            written += size;
        }
        most_queued = std::max(most_queued, client().channel.outbound_bytes());
    };
    client().when_opened = feed;
    client().when_writable = feed;
    // Pauses at every piece; goes on at the next turn's timers.
    struct Resume {
        Channel& channel;
        Timer timer;
        void run() noexcept { channel.resume(); }
    } resume{server().channel, {}};
    server().when_received = [&](Bytes) {
        server().channel.pause();
        start_timer<&Resume::run>(pair_->loop.timers(), resume.timer, 0, &resume);
    };
    pair_->open();
    pair_->run_until([&] { return server().received.size() == source.size(); });
    EXPECT_TRUE(server().received == source);
    EXPECT_LE(most_queued, limits::outbound_high_bytes + 10'000);
    EXPECT_GT(client().writable, 0u);
}

TEST_P(EveryChannel, HandsOnNothingWhilePaused) {
    pair_->open();
    server().when_received = [&](Bytes) { server().channel.pause(); };
    client().channel.write("first");
    pair_->run_until([&] { return !server().received.empty(); });
    while (server().received != "first") {  // in pieces: let the rest of it through
        server().channel.resume();
        pair_->loop.run();
    }
    client().channel.write("second");
    // Another connection's round trip after the second write: had it been handed on, it would be here.
    const std::uint64_t before = client().channel.sent_bytes();
    struct Tick {
        Loop& loop;
        Timer timer;
        void run() noexcept { loop.stop(); }
    } tick{pair_->loop, {}};
    pair_->run_until([&] {
        start_timer<&Tick::run>(pair_->loop.timers(), tick.timer, pair_->loop.now_ns() + millisecond, &tick);
        return client().channel.sent_bytes() >= before + 6 && client().channel.outbound_bytes() == 0;
    });
    pair_->loop.timers().cancel(tick.timer);
    EXPECT_EQ(server().received, "first");
    server().when_received = [](Bytes) {};
    server().channel.resume();
    pair_->run_until([&] { return server().received == "firstsecond"; });
}

// A burst came in pieces: the owner paused at one, the next was held, and a resume() in the same turn let a
// third one overtake it.
TEST_P(EveryChannel, ResumingInTheMiddleOfABurstKeepsTheOrder) {
    const std::string source = pattern(512 * 1024);
    std::size_t written = 0;
    const auto feed = [&] {
        while (written < source.size() && client().channel.writable()) {
            const std::size_t size = std::min<std::size_t>(9'000, source.size() - written);
            client().channel.write(Bytes(source).substr(written, size));
            written += size;
        }
        server().channel.resume();
    };
    struct Resume final : Mail {
        explicit Resume(Channel& its_channel)
            : Mail([](Mail& mail) noexcept { static_cast<Resume&>(mail).channel.resume(); }),
              channel(its_channel) {}
        Channel& channel;
    } resume{server().channel};
    client().when_opened = feed;
    client().when_writable = feed;
    server().when_received = [&](Bytes) {
        ASSERT_EQ(Bytes(source).substr(0, server().received.size()), server().received);
        server().channel.pause();
        // Mail is delivered before what the next wait brings.
        if (!resume.posted()) pair_->loop.mailbox().post(resume);
    };
    server().when_ended = [&] { server().channel.close(); };
    pair_->open();
    pair_->run_until([&] {
        if (written == source.size()) client().channel.close();
        return !server().closed.empty() && !client().closed.empty();
    });
    EXPECT_EQ(server().received.size(), source.size()) << "an end that overtakes what is held";
    EXPECT_EQ(server().ended, 1u);
}

TEST_P(EveryChannel, CloseDeliversWhatWasQueued) {
    const std::string source = pattern(1024 * 1024);
    server().when_opened = [&] {
        server().channel.write(source);
        server().channel.close();
        server().channel.write("not this");
    };
    client().when_ended = [&] { client().channel.close(); };
    pair_->connect();
    pair_->run_until_closed();
    EXPECT_TRUE(client().received == source);
    EXPECT_EQ(client().ended, 1u);
    EXPECT_EQ(client().closed_with(), ErrorCode::none);
    EXPECT_EQ(server().closed_with(), ErrorCode::none);
}

TEST_P(EveryChannel, AnswersAfterThePeersEnd) {
    server().when_ended = [&] {
        server().channel.write("answer");
        server().channel.close();
    };
    pair_->open();
    client().channel.write("question");
    client().channel.close();  // its end is sent at once; what comes back is dropped
    pair_->run_until_closed();
    EXPECT_EQ(server().received, "question");
    EXPECT_EQ(client().received, "");
    EXPECT_EQ(server().closed_with(), ErrorCode::none);
    EXPECT_EQ(client().closed_with(), ErrorCode::none);
}

TEST_P(EveryChannel, AbortIsAResetForThePeer) {
    pair_->open();
    server().channel.abort({ErrorCode::timed_out});
    pair_->run_until_closed();
    EXPECT_EQ(server().closed_with(), ErrorCode::timed_out);
    EXPECT_EQ(client().closed_with(), ErrorCode::connection_reset);
    EXPECT_EQ(client().ended, 0u);
}

TEST_P(EveryChannel, AbortInsideReceivedDropsTheRest) {
    server().when_received = [&](Bytes) { server().channel.abort({ErrorCode::malformed}); };
    pair_->open();
    client().channel.write(pattern(100'000));
    pair_->run_until_closed();
    EXPECT_EQ(server().closed_with(), ErrorCode::malformed);
    EXPECT_EQ(client().closed_with(), ErrorCode::connection_reset);
}

TEST_P(EveryChannel, RefusedConnectionIsToldOnce) {
    client().channel.connect(world_->nowhere(), nullptr, "edge.test", second);
    pair_->run_until([&] { return !client().closed.empty(); });
    EXPECT_EQ(client().closed_with(), ErrorCode::connection_refused);
    EXPECT_EQ(client().opened, 0u);
}

TEST_P(EveryChannel, CanBeUsedAgainAfterItsEnd) {
    for (int round = 0; round < 3; ++round) {
        pair_->open();
        server().when_ended = [&] { server().channel.close(); };
        client().channel.write("again");
        client().channel.close();
        pair_->run_until_closed();
        EXPECT_EQ(server().received, "again");
        for (ChannelEnd* end : {&client(), &server()}) {
            end->closed.clear();
            end->received.clear();
            end->opened = end->ended = 0;
        }
    }
}

std::unique_ptr<contract::IoWorld> sim() { return std::make_unique<contract::SimWorld>(SimFaults{}); }
std::unique_ptr<contract::IoWorld> pieces() {
    return std::make_unique<contract::SimWorld>(SimFaults{
        .split_percent = 60, .short_send_percent = 60, .no_buffers_percent = 20, .delay_percent = 30});
}
std::unique_ptr<contract::IoWorld> uring() {
    auto world = std::make_unique<contract::UringWorld>();
    return world->usable() ? std::move(world) : nullptr;
}

INSTANTIATE_TEST_SUITE_P(Worlds, EveryChannel,
                         testing::Values(Setting{"SimPlain", sim, false}, Setting{"SimTls", sim, true},
                                         Setting{"PiecesPlain", pieces, false},
                                         Setting{"PiecesTls", pieces, true},
                                         Setting{"UringPlain", uring, false},
                                         Setting{"UringTls", uring, true}),
                         [](const auto& setting) { return std::string(setting.param.label); });

}  // namespace
}  // namespace nodex::test
