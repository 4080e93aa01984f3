// Dispatch: what a provider gets, which refusals are the client's, and when another one is tried.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

std::string refusal(int status, const std::string& text) {
    const std::string body = R"({"error":{"message":")" + text + R"("}})";
    return "HTTP/1.1 " + std::to_string(status) +
           " No\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

class Dispatch : public GatewayWorld {};

class DispatchToTwo : public GatewayWorld {
  protected:
    static WorldOptions options() {
        WorldOptions options;
        options.endpoints = 2;
        return options;
    }
    DispatchToTwo() : GatewayWorld(options()) {}
};

TEST_F(Dispatch, NothingOfTheClientsHeadReachesTheProvider) {
    send(chat(chat_body(false), "key-1",
              {{"Cookie", "leaky-cookie"},
               {"User-Agent", "leaky-agent"},
               {"X-Stainless-Lang", "leaky-lang"},
               {"X-Nodex-Session-Id", "leaky-session"},
               {"X-Forwarded-For", "leaky-address"}}));
    ASSERT_EQ(calls(), 1u);
    const std::string& request = provider().requests[0];
    EXPECT_EQ(request.find("leaky"), std::string::npos) << request;
    EXPECT_EQ(request.find(api_key_), std::string::npos);
    EXPECT_EQ(request.find("key-1"), std::string::npos);
    EXPECT_NE(request.find("Authorization: Bearer provider-secret\r\n"), std::string::npos);
}

TEST_F(Dispatch, NothingOfTheProvidersHeadReachesTheClient) {
    RawClient& client = send(chat(chat_body(false)));
    std::string answer = json_answer("hi");
    answer.insert(answer.find("\r\n") + 2,
                  "x-ratelimit-remaining-requests: 3\r\nSet-Cookie: leaky\r\nServer: leaky\r\n"
                  "anthropic-ratelimit-unified-status: leaky\r\nx-should-retry: true\r\n");
    provider_says(answer);
    EXPECT_EQ(answer_of(client).status, 200);
    EXPECT_EQ(client.received.find("leaky"), std::string::npos);
    EXPECT_EQ(answer_of(client).field("x-should-retry"), "");
    EXPECT_EQ(answer_of(client).field("x-ratelimit-remaining-requests"), "");
}

TEST_F(Dispatch, AClientsMistakeIsToldInTheProvidersWordsAndFreesTheKey) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(refusal(400, "messages must alternate"));
    EXPECT_EQ(answer_of(client).status, 400);
    EXPECT_NE(answer_of(client).body.find("messages must alternate"), std::string::npos);
    EXPECT_EQ(answer_of(client).field("x-should-retry"), "false");
    send(chat(chat_body(false)));
    EXPECT_EQ(calls(), 2u);
}

TEST_F(DispatchToTwo, WhatIsBetweenUsAndTheProviderIsNotTold) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(refusal(401, "bad key sk-secret"));
    provider_says(refusal(403, "bad key sk-secret"), 1);
    EXPECT_EQ(answer_of(client).status, 502);
    EXPECT_EQ(client.received.find("secret"), std::string::npos);
    EXPECT_EQ(client.received.find("provider0"), std::string::npos);
}

TEST_F(DispatchToTwo, AServerErrorIsTriedElsewhereAndChargedOnce) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(refusal(500, "oops"));
    provider_says(json_answer("hi"), 1);
    EXPECT_EQ(answer_of(client).status, 200);
    ship();
    EXPECT_EQ(spent(), 3 + 2 * 2);
}

// Its own provider was called and may still run: as with a deadline of ours, a second model would
// be paid for beside the first.
TEST_F(DispatchToTwo, ATimeoutThatTheProviderTellsIsNotTriedElsewhere) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(refusal(504, "upstream request timeout"));
    EXPECT_EQ(calls(), 1u);
    EXPECT_EQ(answer_of(client).status, 504);
    EXPECT_EQ(answer_of(client).field("x-should-retry"), "true");
}

TEST_F(DispatchToTwo, ASilentProviderIsNotDoubledByAnother) {
    RawClient& client = send(chat(chat_body(false)));
    wait(121 * second);
    EXPECT_EQ(answer_of(client).status, 504);
    EXPECT_EQ(calls(), 1u);
}

TEST_F(DispatchToTwo, AWholeAnswerAboveTheLimitIsNotAskedForAgain) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: "
                  "chunked\r\n\r\n");
    const std::string piece = chunk(std::string(8 * 1024 * 1024, ' '));
    for (std::size_t sent = 0; sent <= limits::answer_bytes_max; sent += 8 * 1024 * 1024)
        provider_says(piece);
    ASSERT_TRUE(until([&] { return answer_of(client).whole; }));
    EXPECT_EQ(answer_of(client).status, 502);
    EXPECT_EQ(calls(), 1u) << "the model has run";
}

// The centre takes a lease's money back when its longest request must have ended (D_max).
TEST_F(DispatchToTwo, AllAttemptsTogetherEndWithinTheRequestDeadline) {
    RawClient& client = send(chat(chat_body(false)));
    const Nanoseconds began_ns = loop_.clock().now_ns();
    const std::string head =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n";
    provider_says(head);
    for (unsigned piece = 0; piece < 8; ++piece) {
        wait(100 * second);
        provider_says(" ");
    }
    provider(0).peers.back()->channel.abort({.code = ErrorCode::connection_reset});
    settle();
    if (provider(1).requests.size() == 1) provider_says(head, 1);
    wait(began_ns + limits::request_deadline - loop_.clock().now_ns());
    EXPECT_TRUE(answer_of(client).whole);
    EXPECT_EQ(reserved(), 0);
}

}  // namespace
}  // namespace nodex::gateway
