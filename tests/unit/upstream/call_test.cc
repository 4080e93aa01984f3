// One call and the connection it leaves behind: reuse, retirement, the stale connection, cancelling.
#include <malloc.h>

#include "tests/unit/upstream/provider_world.h"

namespace nodex::upstream {
namespace {

class CallTest : public ProviderWorld {};

TEST_F(CallTest, SendsHeadAndBodyAndHandsTheAnswerOn) {
    provider->script({json_reply("{\"a\":2}")});
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(caller.status, 200);
    EXPECT_EQ(caller.body, "{\"a\":2}");
    ASSERT_EQ(provider->requests.size(), 1u);
    const std::string begin = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:9900\r\n";
    EXPECT_TRUE(provider->requests[0].starts_with(begin));
    EXPECT_NE(provider->requests[0].find("\r\nX-Request-Id: req_1\r\n"), std::string::npos);
    EXPECT_TRUE(provider->requests[0].ends_with("\r\n\r\n{\"q\":1}"));
}

TEST_F(CallTest, ReusesTheConnectionOfAWholeAnswer) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    for (int i = 0; i < 5; ++i) call_once(caller);
    EXPECT_EQ(caller.ends_count, 5);
    EXPECT_EQ(provider->peers.size(), 1u);
    EXPECT_EQ(upstream->status()[0].connections_idle, 1u);
}

TEST_F(CallTest, MayStartTheNextRequestFromInsideComplete) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    caller.restart_when_complete = 3;
    caller.start();
    run_until([&] { return caller.ends_count == 4; });
    EXPECT_EQ(provider->requests.size(), 4u);
    EXPECT_EQ(provider->peers.size(), 1u);
}

TEST_F(CallTest, OpensASecondConnectionWhileTheFirstIsBusy) {
    provider->script({json_reply("{}")});
    Caller first(*upstream), second(*upstream);
    first.start();
    second.start();
    run_until([&] { return first.ended() && second.ended(); });
    EXPECT_EQ(provider->peers.size(), 2u);
    EXPECT_EQ(upstream->status()[0].connections_idle, 2u);
}

TEST_F(CallTest, ReusesTheNewestIdleConnectionSoThatOldOnesExpire) {
    provider->script({json_reply("{}")});
    Caller first(*upstream), second(*upstream);
    first.start();
    second.start();
    run_until([&] { return first.ended() && second.ended(); });
    for (int i = 0; i < 4; ++i) {
        run_for(limits::provider_idle_deadline / 3);
        call_once(first);
    }
    EXPECT_EQ(upstream->status()[0].connections_open, 1u);
    EXPECT_EQ(provider->peers.size(), 2u);
}

TEST_F(CallTest, ClosesAnIdleConnectionAtItsDeadlineAndNotBefore) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    call_once(caller);
    run_for(limits::provider_idle_deadline - 10 * millisecond);
    EXPECT_EQ(upstream->status()[0].connections_idle, 1u);
    run_for(20 * millisecond);
    EXPECT_EQ(upstream->status()[0].connections_idle, 0u);
    EXPECT_TRUE(provider->peers[0]->saw_end);
}

TEST_F(CallTest, DoesNotReuseAConnectionThatTheProviderWantsClosed) {
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"}});
    Caller caller(*upstream);
    call_once(caller);
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(provider->peers.size(), 2u);
}

TEST_F(CallTest, DoesNotReuseAConnectionWithBytesAfterTheAnswer) {
    Reply poisoned = json_reply("{\"mine\":1}");
    poisoned.bytes += "HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"theirs\":1}";
    provider->script({poisoned, json_reply("{\"mine\":2}")});
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(caller.body, "{\"mine\":1}");
    call_once(caller);
    EXPECT_EQ(caller.body, "{\"mine\":2}");
    EXPECT_EQ(provider->peers.size(), 2u);
}

TEST_F(CallTest, DropsAnIdleConnectionOnWhichBytesArriveUnasked) {
    provider->script({json_reply("{}"), json_reply("{\"mine\":2}")});
    Caller caller(*upstream);
    call_once(caller);
    provider->peers[0]->channel.write("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"theirs\":1}");
    run_for(millisecond);
    EXPECT_EQ(upstream->status()[0].connections_idle, 0u);
    call_once(caller);
    EXPECT_EQ(caller.body, "{\"mine\":2}");
}

TEST_F(CallTest, DoesNotReuseAConnectionAnsweredBeforeTheBodyWasSent) {
    loop.io().set_pipe_bytes(1'024);
    Reply early = json_reply("{\"error\":{}}");
    early.early = true;
    provider->script({early, json_reply("{}")});
    Caller caller(*upstream);
    const std::string large(1'000'000, 'x');
    caller.start(0, large);
    finish(caller);
    EXPECT_TRUE(caller.completed);
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(provider->peers.size(), 2u);
}

TEST_F(CallTest, NoticesThatTheProviderClosedAnIdleConnection) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    call_once(caller);
    provider->peers[0]->channel.close();
    run_until([&] { return upstream->status()[0].connections_open == 0; });
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(provider->peers.size(), 2u);
}

// The provider resets an idle connection in the very turn in which a request is handed to it: the kernel
// takes no byte of it, so it goes to a fresh connection and nobody notices.
TEST_F(CallTest, SendsAgainWhenAStaleConnectionTookNoByte) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    call_once(caller);
    caller.start();
    loop.io().reset(provider->peers[0]->fd);
    finish(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(provider->requests.size(), 2u);
    EXPECT_EQ(provider->peers.size(), 2u);
    EXPECT_EQ(upstream->status()[0].failures, 0u);
}

// Here the provider has the request and goes away without a word: sending it again could run the model
// twice, which only the caller may decide.
TEST_F(CallTest, ReportsSentWhenAReusedConnectionEndsAfterTakingTheRequest) {
    for (const Reply::Then ending : {Reply::Then::end, Reply::Then::reset}) {
        provider->script({json_reply("{}"), {.bytes = "", .then = ending}, json_reply("{}")});
        Caller caller(*upstream);
        call_once(caller);
        const std::size_t requests_before = provider->requests.size();
        call_once(caller);
        EXPECT_TRUE(caller.failed);
        EXPECT_TRUE(caller.sent);
        EXPECT_EQ(caller.error.source, ErrorSource::provider);
        EXPECT_EQ(provider->requests.size(), requests_before + 1);
    }
}

TEST_F(CallTest, ReportsNotSentWhenNobodyListens) {
    provider->stop();
    run_until([&] { return provider->quiet(); });
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_TRUE(caller.failed);
    EXPECT_FALSE(caller.sent);
    EXPECT_EQ(caller.error.code, ErrorCode::connection_refused);
    EXPECT_EQ(caller.error.source, ErrorSource::provider);
}

TEST_F(CallTest, RefusesBeyondTheConnectionLimitAndSaysSoLater) {
    config->connections_max = 2;
    provider->script({{.bytes = ""}});
    Caller first(*upstream), second(*upstream), third(*upstream);
    first.start();
    second.start();
    third.start();
    EXPECT_FALSE(third.ended());  // never from inside a verb
    EXPECT_FALSE(third.call.idle());
    finish(third);
    EXPECT_EQ(third.error.code, ErrorCode::limit_exceeded);
    EXPECT_EQ(third.error.source, ErrorSource::self);
    EXPECT_FALSE(third.sent);
    EXPECT_EQ(upstream->status()[0].failures, 0u);
    first.call.cancel();
    second.call.cancel();
}

TEST_F(CallTest, KeepsNoMoreIdleConnectionsThanConfigured) {
    config->idle_connections_max = 1;
    provider->script({json_reply("{}")});
    Caller first(*upstream), second(*upstream), third(*upstream);
    first.start();
    second.start();
    third.start();
    run_until([&] { return first.ended() && second.ended() && third.ended(); });
    EXPECT_EQ(upstream->status()[0].connections_idle, 1u);
    run_until([&] { return upstream->status()[0].connections_open == 1; });
}

TEST_F(CallTest, CancelIsImmediateAndClosesTheConnectionInEveryPhase) {
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"}});
    // After 0 turns the name is being resolved; the later ones reach connecting, waiting and receiving.
    for (int turns = 0; turns < 8; ++turns) {
        Caller caller(*upstream);
        caller.start();
        for (int i = 0; i < turns; ++i) loop.turn();
        ASSERT_FALSE(caller.call.idle()) << turns;
        caller.call.cancel();
        EXPECT_TRUE(caller.call.idle());
        const int heads_before = caller.heads_count;
        run_until([&] { return upstream->idle(); });
        EXPECT_EQ(caller.ends_count, 0) << turns;
        EXPECT_EQ(caller.heads_count, heads_before) << turns;
    }
    const auto& peers = provider->peers;
    const auto saw_end = [](const auto& peer) { return peer->saw_end; };
    run_until([&] { return std::all_of(peers.begin(), peers.end(), saw_end); });
    EXPECT_GT(provider->peers.size(), 5u);
}

TEST_F(CallTest, CanBeCancelledFromInsideItsOwnEvents) {
    provider->script({json_reply("{\"long\":\"answer\"}")});
    Caller in_head(*upstream);
    in_head.cancel_in_head = true;
    in_head.start();
    run_until([&] { return in_head.heads_count == 1; });
    EXPECT_TRUE(in_head.call.idle());
    EXPECT_EQ(in_head.body, "");

    Caller in_body(*upstream);
    in_body.cancel_in_body = true;
    in_body.start();
    run_until([&] { return !in_body.body.empty(); });
    EXPECT_TRUE(in_body.call.idle());
    run_until([&] { return upstream->idle(); });
    EXPECT_EQ(in_head.ends_count + in_body.ends_count, 0);
}

TEST_F(CallTest, CancelledRefusalIsNeverTold) {
    config->connections_max = 0;
    Caller caller(*upstream);
    caller.start();
    caller.call.cancel();
    run_for(millisecond);
    EXPECT_EQ(caller.ends_count, 0);
}

TEST_F(CallTest, PausedCallReceivesNothingUntilItIsResumed) {
    loop.io().set_pipe_bytes(4'096);
    const std::string large(200'000, 'x');
    provider->script({json_reply(large)});
    Caller caller(*upstream);
    caller.pause_in_body = true;
    caller.start();
    run_until([&] { return !caller.body.empty(); });
    run_for(second);
    const std::size_t held = caller.body.size();
    EXPECT_LT(held, 20'000u);
    run_for(second);
    EXPECT_EQ(caller.body.size(), held);
    caller.pause_in_body = false;
    caller.call.resume();
    finish(caller);
    EXPECT_EQ(caller.body, large);
}

TEST_F(CallTest, AConnectionPausedAtTheEndOfItsAnswerIsReusable) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    caller.pause_in_body = true;
    call_once(caller);
    caller.pause_in_body = false;
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(provider->peers.size(), 1u);
}

// Sanitizers bring allocators that do not tell mallinfo2().
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// A stream may run for minutes after a prompt of megabytes; the provider has it, so nobody holds it any more.
TEST_F(CallTest, HoldsNothingOfTheRequestWhileAStreamRuns) {
    constexpr std::size_t question_bytes = 4 * 1024 * 1024;
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndata\r\n"}});
    Caller caller(*upstream);
    const auto allocated = [] { return mallinfo2().uordblks + mallinfo2().hblkhd; };
    const std::string question(question_bytes, 'q');
    const std::size_t before = allocated();
    caller.start(0, question);
    run_until([&] { return caller.body == "data"; });
    ASSERT_EQ(provider->requests.size(), 1u);
    EXPECT_GT(allocated(), before + question_bytes);  // the provider's own copy
    provider->requests.clear();
    provider->peers[0]->received.shrink_to_fit();
    EXPECT_LT(allocated(), before + question_bytes / 8);
    caller.call.cancel();
    run_for(second);
}
#endif

}  // namespace
}  // namespace nodex::upstream
