// What a hostile or broken provider can send: never a crash, never a hang, never a poisoned next answer.
#include "tests/unit/upstream/provider_world.h"

namespace nodex::upstream {
namespace {

class CallHostileTest : public ProviderWorld {};

struct Hostile {
    const char* what;
    const char* bytes;
};

constexpr Hostile malformed_answers[] = {
    {"no status line", "hello\r\n\r\n"},
    {"empty status line", "\r\n\r\n"},
    {"a request", "POST / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"two digits of status", "HTTP/1.1 20 OK\r\n\r\n"},
    {"HTTP/2", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
    {"switching protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"},
    {"length and chunked",
     "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"},
    {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"},
    {"a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"},
    {"an overflowing length", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n{}"},
    {"gzip as transfer coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"a folded field", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n"},
    {"a space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 0\r\n\r\n"},
    {"bare line feeds", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"},
    {"an empty field name", "HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 0\r\n\r\n"},
    {"a chunk size that is not hexadecimal", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
    {"a chunk that is longer than it says",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}{}\r\n0\r\n\r\n"},
    {"an overflowing chunk size",
     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n"},
};

TEST_F(CallHostileTest, MalformedAnswersFailAndTheNextCallIsUnharmed) {
    for (const Hostile& hostile : malformed_answers) {
        SCOPED_TRACE(hostile.what);
        provider->script({{.bytes = hostile.bytes}, json_reply("{\"mine\":2}")});
        Caller caller(*upstream);
        call_once(caller);
        EXPECT_TRUE(caller.failed);
        EXPECT_TRUE(caller.sent);
        EXPECT_EQ(caller.error.code, ErrorCode::malformed);
        EXPECT_EQ(caller.error.source, ErrorSource::provider);
        call_once(caller);
        EXPECT_TRUE(caller.completed);
        EXPECT_EQ(caller.body, "{\"mine\":2}");
        upstream->report(0, true);
    }
}

TEST_F(CallHostileTest, EndlessHeadsAreCut) {
    std::string endless = "HTTP/1.1 200 OK\r\n";
    while (endless.size() < 10 * limits::head_bytes_max) endless += "X-Filler: 0123456789\r\n";
    provider->script({{.bytes = endless}});
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_EQ(caller.error.code, ErrorCode::malformed);
}

TEST_F(CallHostileTest, EndlessInformationalAnswersAreCut) {
    std::string endless;
    for (unsigned i = 0; i <= limits::informational_responses_max; ++i)
        endless += "HTTP/1.1 102 Processing\r\n\r\n";
    provider->script({{.bytes = endless + json_reply("{}").bytes}});
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_EQ(caller.error.code, ErrorCode::malformed);
}

TEST_F(CallHostileTest, RedirectsAreHandedOnAndNeverFollowed) {
    provider->script({{.bytes = "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:9901/\r\n"
                                "Content-Length: 0\r\n\r\n"}});
    Provider elsewhere(loop, 9901);
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(caller.status, 307);
    run_for(second);
    EXPECT_EQ(provider->requests.size(), 1u);
    EXPECT_TRUE(elsewhere.peers.empty());
    elsewhere.stop();
    run_until([&] { return elsewhere.quiet(); });
}

// Promise 10: a cut stream never looks complete.
TEST_F(CallHostileTest, CutBodiesNeverLookComplete) {
    const std::string heads[] = {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
                                 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n0\r\n"};
    for (const std::string& head : heads) {
        for (const Reply::Then ending : {Reply::Then::end, Reply::Then::reset}) {
            provider->script({{.bytes = head, .then = ending}});
            Caller caller(*upstream);
            call_once(caller);
            EXPECT_TRUE(caller.failed) << head;
            EXPECT_FALSE(caller.completed);
            EXPECT_TRUE(caller.sent);
            EXPECT_EQ(caller.error.source, ErrorSource::provider);
        }
    }
}

TEST_F(CallHostileTest, ABodyDelimitedByTheEndIsCompleteOnlyAfterAnOrderlyEnd) {
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}", .then = Reply::Then::end}});
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_EQ(caller.body, "{\"a\":1}");
    EXPECT_EQ(upstream->status()[0].connections_idle, 0u);

    provider->script({{.bytes = "HTTP/1.1 200 OK\r\n\r\n{\"a\":1}"}});
    caller.start();
    run_until([&] { return !caller.body.empty(); });
    loop.io().reset(provider->peers.back()->fd);
    finish(caller);
    EXPECT_TRUE(caller.failed);
}

TEST_F(CallHostileTest, AnEndlessBodyIsCutAtTheLimit) {
    std::string chunk(1024 * 1024, 'x');
    provider->script({{.bytes = "HTTP/1.1 200 OK\r\n\r\n"}});
    loop.io().set_pipe_bytes(8 * 1024 * 1024);
    Caller caller(*upstream);
    caller.start();
    run_until([&] { return caller.heads_count == 1; });
    std::size_t written = 0;
    while (!caller.ended()) {
        provider->peers[0]->channel.write(chunk);
        written += chunk.size();
        ASSERT_LE(written, limits::answer_bytes_max + 2 * chunk.size());
        run_for(millisecond);
    }
    EXPECT_EQ(caller.error.code, ErrorCode::limit_exceeded);
    EXPECT_EQ(caller.error.source, ErrorSource::provider);
    EXPECT_EQ(caller.body.size() / chunk.size(), limits::answer_bytes_max / chunk.size());
}

// Twenty calls in a row over a network that splits, delays, runs out of buffers and breaks: each call ends
// exactly once, a complete answer is the right one, and no descriptor is lost.
TEST(CallFaults, EveryCallEndsOnceOverABadNetwork) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE(seed);
        SimLoop loop(seed);
        loop.io().set_faults({.split_percent = 30,
                              .short_send_percent = 30,
                              .no_buffers_percent = 10,
                              .reset_percent = static_cast<unsigned>(seed % 4),
                              .delay_percent = 20});
        SeededRandom random(seed);
        Resolver resolver;
        Provider provider(loop, 9900);
        provider.script({json_reply(std::string(3'000, 'a'))});
        auto config = std::make_shared<EndpointConfig>();
        config->tls = false;
        config->host = "127.0.0.1";
        config->port = 9900;
        Upstream upstream(loop, {config}, resolver, random);
        Caller caller(upstream);
        for (int i = 0; i < 20; ++i) {
            caller.start();
            while (!caller.ended()) ASSERT_TRUE(loop.turn());
            ASSERT_EQ(caller.ends_count, i + 1);
            ASSERT_NE(caller.completed, caller.failed);
            if (caller.completed) {
                ASSERT_EQ(caller.body, std::string(3'000, 'a'));
            }
        }
        upstream.close_idle();
        provider.stop();
        while (!upstream.idle() || !provider.quiet()) ASSERT_TRUE(loop.turn());
        EXPECT_EQ(loop.io().open_descriptors(), 1u);  // the listener
    }
}

}  // namespace
}  // namespace nodex::upstream
