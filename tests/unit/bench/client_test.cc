// A load connection against scripted servers: what is counted as an answer, and what as which failure.
#include "bench/load/client.h"

#include "tests/unit/upstream/provider_world.h"

namespace nodex::bench {
namespace {

using upstream::Provider;
using upstream::Reply;

class ClientTest : public ::testing::Test, protected ClientOwner {
  protected:
    ClientTest() {
        options.target = *parse_url("http://127.0.0.1:9900/v1/chat/completions");
        options.body = "{}";
        options.stream = true;
        context.request = request_template(options);
        recorder.set_window({.start_ns = 0, .begin_ns = 0, .end_ns = INT64_MAX});
    }
    void client_opened(Client&) noexcept override { ++opened; }
    void client_ready(Client&) noexcept override { ++ready; }
    void request_ended(Client&) noexcept override { ++ended; }
    void client_closed(Client&, Error) noexcept override { ++closed; }

    template <class Done>
    void run_until(Done done) {
        while (!done()) ASSERT_TRUE(loop.turn()) << "the world stands still";
    }
    void open() {
        client.open();
        run_until([&] { return client.phase() == ClientPhase::ready; });
    }
    // One request with this reply; the request must end.
    void exchange(const Reply& reply) {
        provider.script({reply});
        if (client.phase() != ClientPhase::ready) open();
        const int before = ended;
        client.send(loop.clock().now_ns(), false);
        run_until([&] { return ended == before + 1; });
    }
    void expect_failure(const Reply& reply, Failure failure) {
        const auto before = recorder.failures(failure);
        const auto total_before = recorder.failures_total();
        const auto answered_before = recorder.totals().answered;
        exchange(reply);
        EXPECT_EQ(recorder.failures(failure), before + 1) << name(failure);
        EXPECT_EQ(recorder.failures_total(), total_before + 1);
        EXPECT_EQ(recorder.totals().answered, answered_before);
        run_until([&] { return client.phase() != ClientPhase::closing; });
    }
    static Reply stream(const std::string& events, Reply::Then then = Reply::Then::end) {
        const char* head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        return {.bytes = head + events, .then = then};
    }
    void TearDown() override {
        client.close();
        provider.stop();
        run_until([&] { return client.phase() == ClientPhase::closed && provider.quiet(); });
    }

    SimLoop loop{11};
    Options options;
    Recorder recorder;
    ClientContext context{.loop = loop,
                          .recorder = recorder,
                          .options = options,
                          .request = {},
                          .address = upstream::address_of("127.0.0.1", 9900),
                          .tls = nullptr};
    Provider provider{loop, 9900};
    Client client{context, *this};
    int opened = 0, ready = 0, ended = 0, closed = 0;
};

TEST_F(ClientTest, KeepsItsConnectionForRequestAfterRequest) {
    for (int i = 0; i < 3; ++i) exchange(upstream::json_reply("{}"));
    EXPECT_EQ(recorder.totals().answered, 3u);
    EXPECT_EQ(recorder.call().count(), 3u);
    EXPECT_EQ(opened, 1);
    EXPECT_EQ(ready, 4);
}

TEST_F(ClientTest, TimesFirstTokenAndGapsOfAStream) {
    provider.script({{.bytes = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"}});
    open();
    client.send(loop.clock().now_ns(), false);
    run_until([&] { return provider.requests.size() == 1; });
    const auto write_after = [&](Nanoseconds after_ns, const char* bytes) {
        const Nanoseconds at_ns = loop.clock().now_ns() + after_ns;
        Timer timer;
        loop.timers().start(timer, at_ns, [](void*) noexcept {}, nullptr);
        run_until([&] { return loop.clock().now_ns() >= at_ns; });
        provider.peers[0]->channel.write(bytes);
    };
    write_after(50 * millisecond, "data: {\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}\n\n");
    write_after(50 * millisecond, "data: {\"delta\":{\"content\":\"a\"}}\n\n");
    write_after(20 * millisecond, "data: {\"delta\":{\"content\":\"b\"}}\n\n");
    write_after(20 * millisecond, "data: [DONE]\n\n");
    provider.peers[0]->channel.close();
    run_until([&] { return ended == 1; });
    EXPECT_EQ(recorder.totals().answered, 1u);
    EXPECT_EQ(recorder.totals().events, 3u);  // [DONE] is none
    ASSERT_EQ(recorder.token().count(), 1u);
    EXPECT_NEAR(static_cast<double>(recorder.token().quantile(1)), 100e6, 5e6);  // not the empty first chunk
    ASSERT_EQ(recorder.gap().count(), 2u);
    EXPECT_NEAR(static_cast<double>(recorder.gap().quantile(0.5)), 20e6, 2e6);
    EXPECT_NEAR(static_cast<double>(recorder.gap().quantile(1)), 50e6, 3e6);
}

TEST_F(ClientTest, AStreamWithoutItsEndIsIncomplete) {
    expect_failure(stream("data: {\"a\":1}\n\n"), Failure::incomplete);
}

TEST_F(ClientTest, AnErrorEventIsAFailureEvenIfTheStreamEndsWell) {
    expect_failure(stream("data: {\"error\":{\"message\":\"x\"}}\n\ndata: [DONE]\n\n"), Failure::error_event);
}

TEST_F(ClientTest, ACutAnswerIsAFailure) {
    const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{";
    expect_failure({.bytes = half, .then = Reply::Then::end}, Failure::closed);
    expect_failure({.bytes = half, .then = Reply::Then::reset}, Failure::closed);
    expect_failure(stream("data: {\"a\":1}\n\n", Reply::Then::reset), Failure::closed);
}

TEST_F(ClientTest, AnUnexpectedStatusIsAFailureAndKeepsTheConnection) {
    const Reply refused{.bytes = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}"};
    expect_failure(refused, Failure::status);
    expect_failure(refused, Failure::status);
    EXPECT_EQ(recorder.status_count(503), 2u);
    EXPECT_EQ(opened, 1);
}

TEST_F(ClientTest, NonsenseIsMalformed) {
    expect_failure({.bytes = "nonsense\r\n\r\n"}, Failure::malformed);
}

TEST_F(ClientTest, SilenceTimesOut) {
    expect_failure({.bytes = ""}, Failure::timed_out);
    EXPECT_GE(loop.clock().now_ns(), options.timeout);
}

TEST_F(ClientTest, ARefusedConnectionIsCountedAndTold) {
    provider.stop();
    run_until([&] { return provider.quiet(); });
    client.open();
    run_until([&] { return closed == 1; });
    EXPECT_TRUE(client.failed());
    EXPECT_FALSE(client.opened());
    EXPECT_EQ(recorder.failures(Failure::connect), 1u);
}

TEST_F(ClientTest, EachRequestGetsAnotherIdempotencyKey) {
    options.unique_keys = true;
    context.request = request_template(options);
    exchange(upstream::json_reply("{}"));
    exchange(upstream::json_reply("{}"));
    ASSERT_EQ(provider.requests.size(), 2u);
    EXPECT_NE(provider.requests[0], provider.requests[1]);
    EXPECT_NE(provider.requests[1].find(unique_key(0, 1)), std::string::npos);
}

}  // namespace
}  // namespace nodex::bench
