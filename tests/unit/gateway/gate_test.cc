// Keys that may be in use at another POP: what waits for the centre's word, and what it does.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Gates : public GatewayWorld {
  protected:
    static WorldOptions options() {
        WorldOptions options;
        options.only_pop = false;
        return options;
    }
    Gates() : GatewayWorld(options()) {}
    // Money is here, the centre is not.
    void cut_off() {
        lend(10'000);
        network_.cut(0, true);
    }
    static Fields sdk_retry() {
        return {{"X-Stainless-Lang", "js"}, {"X-Stainless-Retry-Count", "1"}};
    }
};

TEST_F(Gates, AFreeKeyRunsAndItsAnswerWaitsForNothing) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(whole_stream("hi"));
    EXPECT_TRUE(answer_of(client).whole);
    EXPECT_EQ(gateway_->metrics().claims_granted.get(), 1u);
}

TEST_F(Gates, AKeyThatRunsElsewhereDeliversNothingHereAndCostsNothing) {
    take_elsewhere("key-1", chat_body(true));
    RawClient& client = send(chat(chat_body(true)));
    provider_says(whole_stream("never seen"));
    ASSERT_TRUE(until([&] { return answer_of(client).whole; }));
    EXPECT_EQ(answer_of(client).status, 409);
    EXPECT_EQ(answer_of(client).field("x-should-retry"), "true");
    EXPECT_EQ(client.received.find("never seen"), std::string::npos);
    ship();
    EXPECT_EQ(spent(), 0);
}

TEST_F(Gates, AKeyUsedElsewhereWithAnotherBodyIsRefused) {
    take_elsewhere("key-1", chat_body(true, "other"));
    RawClient& client = send(chat(chat_body(true)));
    EXPECT_EQ(answer_of(client).status, 422) << client.received;
}

TEST_F(Gates, NothingIsLoggedOrDeliveredBeforeTheWord) {
    cut_off();
    const std::size_t bodies = store_.keys_count(storage::Family::dek);
    RawClient& client = send(chat(chat_body(true)));
    provider_says(whole_stream("hi"));
    EXPECT_EQ(client.received, "");
    EXPECT_LE(store_.keys_count(storage::Family::dek), bodies + 1) << "the request's, at most";
    wait(limits::claim_deadline_max);
    EXPECT_TRUE(answer_of(client).body.ends_with("[DONE]\n\n")) << client.received;
}

TEST_F(Gates, WithoutTheWordACautiousNodeAnswersNothing) {
    change_settings([](Settings& settings) { settings.proceed_on_partition = false; });
    cut_off();
    RawClient& client = send(chat(chat_body(true)));
    provider_says(whole_stream("hi"));
    wait(limits::claim_deadline_max);
    EXPECT_EQ(answer_of(client).status, 503) << client.received;
    EXPECT_NE(client.received.find("claim_unavailable"), std::string::npos);
    EXPECT_EQ(reserved(), 0);
}

TEST_F(Gates, AClientThatLeavesWhileItsWordIsAwaitedIsDrained) {
    cut_off();
    RawClient& client = send(chat(chat_body(true)));
    provider_says(whole_stream("hi"));
    hang_up(client);
    wait(limits::claim_deadline_max);
    EXPECT_EQ(reserved(), 0);
    EXPECT_EQ(open_claims(), 0u);
    network_.cut(0, false);
}

TEST_F(Gates, AnSdksRetryCallsNobodyBeforeTheWord) {
    cut_off();
    send(chat(chat_body(true), "key-1", sdk_retry()));
    EXPECT_EQ(calls(), 0u);
    wait(limits::claim_deadline_max);
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Gates, AStopWhileAStrictClaimWaitsCallsNobody) {
    cut_off();
    RawClient& client = send(chat(chat_body(true), "key-1", sdk_retry()));
    gateway_->stop_runs();
    settle();
    EXPECT_EQ(calls(), 0u);
    EXPECT_EQ(answer_of(client).status, 503) << client.received;
    EXPECT_EQ(reserved(), 0);
}

TEST_F(Gates, AResumeOfAKeyThatNobodyHasIsGone) {
    const Answer answer = ask(chat(chat_body(true), "key-1", {{"Last-Event-ID", "evt_00001"}}));
    EXPECT_EQ(answer.status, 410);
}

TEST_F(Gates, AResumeThatCannotAskTheCentreIsToldToComeAgain) {
    cut_off();
    const Answer answer = ask(chat(chat_body(true), "key-1", {{"Last-Event-ID", "evt_00001"}}));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.field("x-should-retry"), "true");
    EXPECT_GT(std::stoll(answer.field("retry-after-ms")), 0);
}

}  // namespace
}  // namespace nodex::gateway
