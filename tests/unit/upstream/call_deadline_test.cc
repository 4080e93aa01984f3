// Deadlines of a call, with the simulated clock.
#include "tests/unit/upstream/provider_world.h"

#include "tests/support/test_certificates.h"

namespace nodex::upstream {
namespace {

constexpr Nanoseconds tolerance = 2 * millisecond;  // of the timer wheel

class CallDeadlineTest : public ProviderWorld {
  protected:
    CallDeadlineTest() {
        config->connect_timeout = 2 * second;
        config->first_byte_timeout = 5 * second;
        config->idle_timeout = 3 * second;
        config->total_timeout = 20 * second;
        started_ns_ = loop.clock().now_ns();
    }
    void expect_timed_out(const Caller& caller, Nanoseconds after_ns) {
        const Nanoseconds took_ns = loop.clock().now_ns() - started_ns_;
        EXPECT_TRUE(caller.failed);
        EXPECT_EQ(caller.error.code, ErrorCode::timed_out);
        EXPECT_EQ(caller.error.source, ErrorSource::provider);
        EXPECT_GE(took_ns, after_ns);
        EXPECT_LE(took_ns, after_ns + tolerance);
        EXPECT_EQ(upstream->status()[0].failures, 1u);
    }
    Nanoseconds started_ns_ = 0;
};

TEST_F(CallDeadlineTest, ASilentProviderIsGivenUpAfterTheFirstByteTimeout) {
    provider->script({{.bytes = ""}});
    Caller caller(*upstream);
    call_once(caller);
    expect_timed_out(caller, 5 * second);
    EXPECT_TRUE(caller.sent);
}

TEST_F(CallDeadlineTest, ADribbledHeadDoesNotExtendTheFirstByteTimeout) {
    provider->script({{.bytes = "HTTP/1.1 "}});
    Caller caller(*upstream);
    caller.start();
    while (!caller.ended()) {
        run_for(second);
        if (!caller.ended() && !provider->peers.empty()) provider->peers[0]->channel.write("2");
    }
    EXPECT_TRUE(caller.failed);
    EXPECT_LE(loop.clock().now_ns() - started_ns_, 6 * second);
}

TEST_F(CallDeadlineTest, SilenceInTheBodyIsGivenUpAfterTheIdleTimeout) {
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"}});
    Caller caller(*upstream);
    call_once(caller);
    expect_timed_out(caller, 3 * second);
    EXPECT_EQ(caller.body, "{");
}

TEST_F(CallDeadlineTest, BytesOfTheBodyExtendTheIdleTimeout) {
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}});
    Caller caller(*upstream);
    caller.start();
    for (int i = 0; i < 5; ++i) {
        run_for(2 * second);
        ASSERT_FALSE(caller.ended());
        provider->peers[0]->channel.write("x");
    }
    finish(caller);
    expect_timed_out(caller, 13 * second);
}

TEST_F(CallDeadlineTest, ATricklingAnswerEndsAtTheTotalTimeout) {
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"}});
    Caller caller(*upstream);
    caller.start();
    for (int i = 0; i < 19; ++i) {
        run_for(second);
        ASSERT_FALSE(caller.ended()) << i;
        provider->peers[0]->channel.write("x");
    }
    finish(caller);
    expect_timed_out(caller, 20 * second);
}

TEST_F(CallDeadlineTest, AWholeAnswerAtTheLastMomentCounts) {
    provider->script({{.bytes = ""}});
    Caller caller(*upstream);
    caller.start();
    run_for(5 * second - 10 * millisecond);
    provider->peers[0]->channel.write(json_reply("{}").bytes);
    finish(caller);
    EXPECT_TRUE(caller.completed);
}

TEST_F(CallDeadlineTest, APausedCallIsNotIdleButEndsAtTheTotalTimeout) {
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"}});
    Caller caller(*upstream);
    caller.pause_in_body = true;
    caller.start();
    run_for(15 * second);
    EXPECT_FALSE(caller.ended());
    finish(caller);
    expect_timed_out(caller, 20 * second);
}

TEST_F(CallDeadlineTest, ResumingStartsTheIdleTimeoutAnew) {
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"}});
    Caller caller(*upstream);
    caller.pause_in_body = true;
    caller.start();
    run_for(10 * second);
    caller.call.resume();
    finish(caller);
    expect_timed_out(caller, 13 * second);
}

TEST_F(CallDeadlineTest, AHangingHandshakeIsGivenUpAfterTheConnectTimeout) {
    shut_down();
    test::TestAuthority authority;
    auto secure = std::make_shared<EndpointConfig>(*config);
    secure->tls = true;
    secure->ca_file = authority.ca_file();
    provider = std::make_unique<Provider>(loop, port);  // plain: it never answers a ClientHello
    upstream->replace_endpoints({secure});
    started_ns_ = loop.clock().now_ns();
    Caller caller(*upstream);
    call_once(caller);
    expect_timed_out(caller, 2 * second);
    EXPECT_FALSE(caller.sent);
}

TEST_F(CallDeadlineTest, TheDeadlinesOfOneRequestDoNotReachTheNextOnItsConnection) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    for (int i = 0; i < 4; ++i) {
        call_once(caller);
        ASSERT_TRUE(caller.completed);
        run_for(8 * second);
    }
    EXPECT_EQ(provider->peers.size(), 1u);
}

}  // namespace
}  // namespace nodex::upstream
