// Draining: at the deadline every run ends, in its own protocol, and nothing new begins.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Drain : public GatewayWorld {
  protected:
    static WorldOptions options() {
        WorldOptions options;
        options.endpoints = 2;
        return options;
    }
    Drain() : GatewayWorld(options()) {}
    void stop_before_anything_came(RawClient& client) {
        ASSERT_EQ(calls(), 1u);
        gateway_->stop_runs();
        settle();
        EXPECT_EQ(calls(), 1u);
        EXPECT_EQ(answer_of(client).status, 503) << client.received;
        EXPECT_EQ(answer_of(client).field("x-should-retry"), "true");
        EXPECT_TRUE(gateway_->idle());
        EXPECT_EQ(reserved(), 0);
    }
};

TEST_F(Drain, AStreamEndsWithAnErrorEventAndIsChargedForWhatCame) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("four"));
    gateway_->stop_runs();
    settle();
    EXPECT_TRUE(answer_of(client).whole);
    EXPECT_NE(answer_of(client).body.find("\"code\":\"upstream_lost\""), std::string::npos);
    ship();
    EXPECT_EQ(spent(), (20 + 3) / 4 + 1 * 2);
}

// It was taken for a provider's failure, and another provider was called.
TEST_F(Drain, AWholeAnswerThatHasNotComeIsReleasedAndNobodyElseIsCalled) {
    stop_before_anything_came(send(chat(chat_body(false))));
}
TEST_F(Drain, AStreamThatHasNotBegunIsReleasedAndNobodyElseIsCalled) {
    stop_before_anything_came(send(chat(chat_body(true))));
}

TEST_F(Drain, AClaimThatIsGrantedAfterTheDeadlineCallsNobody) {
    RawClient& client = connect();
    client.channel.write(chat(chat_body(true)));
    ASSERT_TRUE(until([&] { return open_claims() == 1; })) << "granted, and not told yet";
    ASSERT_EQ(calls(), 0u);
    gateway_->stop_runs();
    settle();
    EXPECT_EQ(calls(), 0u);
    EXPECT_EQ(answer_of(client).status, 503) << client.received;
    EXPECT_TRUE(gateway_->idle());
}

// The connection was cut, and nobody told the request: the node never became idle, and the alarm
// ended the process.
TEST_F(Drain, ARequestThatIsStillArrivingDoesNotHoldTheEnd) {
    std::string octets = chat(chat_body(true));
    octets.resize(octets.size() - 5);
    send(octets);
    ASSERT_FALSE(gateway_->idle());
    acceptor_->drain();
    gateway_->stop_runs();
    acceptor_->abort_all();
    EXPECT_TRUE(until([&] { return gateway_->idle() && acceptor_->drained(); }));
}

TEST_F(Drain, AnAnswerThatIsBeingStoredIsStillDelivered) {
    RawClient& client = send(chat(chat_body(false)));
    provider(0).peers.back()->channel.write(json_answer("hi"));
    ASSERT_TRUE(until([&] { return open_claims() == 0; })) << "stored, and not told yet";
    gateway_->stop_runs();
    settle();
    EXPECT_EQ(answer_of(client).status, 200);
}

}  // namespace
}  // namespace nodex::gateway
