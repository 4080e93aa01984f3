// Relay: what a provider streams, and what the client gets of it.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Relay : public GatewayWorld {};

class RelayOfTwo : public GatewayWorld {
  protected:
    static WorldOptions options() {
        WorldOptions options;
        options.endpoints = 2;
        return options;
    }
    RelayOfTwo() : GatewayWorld(options()) {}
};

TEST_F(Relay, AStreamArrivesNumberedFromOneToDoneAndIsChargedByTheProvidersUsage) {
    RawClient& client = send(chat(chat_body(true)));
    ASSERT_EQ(calls(), 1u);
    provider_says(whole_stream("hi"));
    const Answer answer = answer_of(client);
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.whole);
    EXPECT_TRUE(answer.body.starts_with("id: evt_00001\ndata: {"));
    EXPECT_TRUE(answer.body.ends_with("id: evt_00003\ndata: [DONE]\n\n")) << answer.body;
    EXPECT_EQ(answer.body.find("usage"), std::string::npos) << "nobody asked for it";
    ship();
    EXPECT_EQ(spent(), 3 * 1 + 2 * 2);
}

TEST_F(Relay, AnEventIsInTheLogBeforeTheClientHasIt) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    EXPECT_EQ(store_.keys_count(storage::Family::body), 2u) << "the request and the first chunk";
    EXPECT_NE(answer_of(client).body.find("one"), std::string::npos);
    provider_says(finish_event() + done_event() + last_chunk());
    EXPECT_TRUE(answer_of(client).whole);
}

// At the same instant of simulated time: what waits would need a tick of the timers.
TEST_F(Relay, AnEventOnItsOwnWaitsForNoOtherAndThoseBehindItShareAWrite) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("first"));
    const auto has = [&client](const char* text) {
        return answer_of(client).body.find(text) != std::string::npos;
    };
    Channel& from = provider().peers.back()->channel;
    const Histogram& writes = gateway_->metrics().append_ns;
    const std::uint64_t before = writes.count();
    const Nanoseconds began_ns = loop_.clock().now_ns();
    from.write(delta("alone"));
    ASSERT_TRUE(until([&] { return has("alone"); }));
    EXPECT_EQ(loop_.clock().now_ns(), began_ns);
    for (const char* text : {"second", "third", "fourth"}) {
        from.write(delta(text));
        step();
    }
    EXPECT_EQ(loop_.clock().now_ns(), began_ns) << "in turns of their own, but before the timers' tick";
    ASSERT_TRUE(until([&] { return has("fourth"); }));
    EXPECT_LE(loop_.clock().now_ns() - began_ns, 2 * millisecond);
    EXPECT_EQ(writes.count() - before, 2u) << "one alone, three together";
    provider_says(finish_event() + done_event() + last_chunk());
    EXPECT_TRUE(answer_of(client).whole);
}

TEST_F(Relay, TheFirstEventOfAnAnswerIsWrittenAtOnceHoweverRecentTheLastWriteIs) {
    RawClient& one = send(chat(chat_body(true), "key-1"));
    provider_says(stream_head() + delta("first"));
    RawClient& other = send(chat(chat_body(true), "key-2"));
    ASSERT_EQ(calls(), 2u);
    const Nanoseconds began_ns = loop_.clock().now_ns();
    provider().peers.front()->channel.write(delta("again"));
    ASSERT_TRUE(until([&] { return answer_of(one).body.find("again") != std::string::npos; }));
    provider().peers.back()->channel.write(stream_head() + delta("opening"));
    ASSERT_TRUE(until([&] { return answer_of(other).body.find("opening") != std::string::npos; }));
    EXPECT_EQ(loop_.clock().now_ns(), began_ns);
}

TEST_F(Relay, ACutStreamEndsWithAnErrorEventAndNeverLooksComplete) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("half"));
    provider_ends();
    const Answer answer = answer_of(client);
    EXPECT_TRUE(answer.whole);
    EXPECT_NE(answer.body.find("\"code\":\"upstream_lost\""), std::string::npos);
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos);
}

TEST_F(Relay, AStreamThatEndsWithoutItsMarkerIsCompleteWhenEveryChoiceHasEnded) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("all") + finish_event() + last_chunk());
    EXPECT_TRUE(answer_of(client).body.ends_with("data: [DONE]\n\n"));
}

// One of two choices had ended; the other was cut off, and the answer looked whole.
TEST_F(Relay, AStreamThatEndsWithoutItsMarkerIsCutWhenAChoiceHasNotEnded) {
    std::string body = chat_body(true);
    body.insert(1, "\"n\":2,");
    RawClient& client = send(chat(body));
    provider_says(
        stream_head() +
        event(R"({"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":null}]})") +
        finish_event() + last_chunk());
    const Answer answer = answer_of(client);
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos) << answer.body;
    EXPECT_NE(answer.body.find("\"code\":\"upstream_lost\""), std::string::npos);
}

TEST_F(Relay, AnEmptyStreamChargesNothingFreesItsKeyAndMayBeRetried) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + last_chunk());
    provider_says(stream_head() + last_chunk());  // a single endpoint is tried twice
    const Answer answer = answer_of(client);
    EXPECT_EQ(answer.status, 503);
    EXPECT_NE(answer.body.find("\"code\":\"upstream_unavailable\""), std::string::npos)
        << answer.body;
    EXPECT_EQ(answer.field("x-should-retry"), "true");
    RawClient& again = send(chat(chat_body(true)));
    provider_says(whole_stream("hi"));
    EXPECT_EQ(answer_of(again).status, 200);
    EXPECT_EQ(answer_of(again).field("x-nodex-idempotent-replay"), "false");
}

// The next attempt began inside the parser of the last one, which went on with the old bytes.
TEST_F(RelayOfTwo, WhatFollowsAnErrorEventDoesNotReachTheNextAttemptsStream) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + chunk("data: {\"error\":{\"message\":\"busy\"}}\n\ndata: {\"cho"));
    ASSERT_EQ(provider(1).requests.size(), 1u);
    provider_says(whole_stream("second"), 1);
    const Answer answer = answer_of(client);
    EXPECT_NE(answer.body.find("second"), std::string::npos) << answer.body;
    EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(calls(), 2u);
}

TEST_F(RelayOfTwo, AnErrorEventInPiecesDoesNotLetTheNextAttemptReadBeyondItsBytes) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + chunk("data: {\"err"));
    provider_says(
        chunk("or\":{\"message\":\"busy\"}}\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"con"));
    ASSERT_EQ(provider(1).requests.size(), 1u);
    provider_says(stream_head() + chunk("d"), 1);
    provider_says(chunk("ata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"second\"}}]}\n\n") +
                      finish_event() + done_event() + last_chunk(),
                  1);
    const Answer answer = answer_of(client);
    EXPECT_NE(answer.body.find("second"), std::string::npos) << answer.body;
    EXPECT_TRUE(answer.body.ends_with("data: [DONE]\n\n"));
}

TEST_F(RelayOfTwo, AnErrorEventAfterTheFirstEventEndsTheStreamAndNoOtherIsTried) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one") + event(R"({"error":{"message":"secret host"}})"));
    const Answer answer = answer_of(client);
    EXPECT_TRUE(answer.whole);
    EXPECT_NE(answer.body.find("\"code\":\"upstream_error\""), std::string::npos);
    EXPECT_EQ(answer.body.find("secret host"), std::string::npos);
    EXPECT_EQ(calls(), 1u);
}

TEST_F(RelayOfTwo, AfterAHeartbeatNoOtherProviderIsTriedAndTheErrorIsTold) {
    RawClient& client = send(chat(chat_body(true)));
    wait(16 * second);
    EXPECT_TRUE(answer_of(client).body.starts_with(": heartbeat\n\n"));
    provider_says("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    const Answer answer = answer_of(client);
    EXPECT_EQ(answer.status, 200);
    EXPECT_TRUE(answer.whole);
    EXPECT_NE(answer.body.find("data: {\"error\":"), std::string::npos);
    EXPECT_EQ(calls(), 1u);
}

// The limit was crossed by [DONE] itself: the stream was ended twice, and the process with it.
TEST_F(Relay, AStreamThatReachesItsLimitWithItsLastEventEndsOnce) {
    constexpr std::size_t events_count = 16;
    constexpr std::size_t framing = std::string_view("id: evt_00001\ndata: \n\n").size();
    const std::string before = R"({"choices":[{"index":0,"delta":{"content":")", after = "\"}}]}";
    std::size_t left = limits::answer_bytes_max - 5;  // of what is logged
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head());
    for (std::size_t number = 0; number < events_count; ++number) {
        const std::size_t size = left / (events_count - number);
        left -= size;
        provider_says(
            event(before + std::string(size - framing - before.size() - after.size(), 'a') + after));
    }
    provider_says(done_event());
    ASSERT_TRUE(until([&] { return client.received.ends_with("0\r\n\r\n"); }));
    EXPECT_NE(client.received.find("\"code\":\"gateway_error\"", client.received.size() - 1'000),
              std::string::npos);
}

}  // namespace
}  // namespace nodex::gateway
