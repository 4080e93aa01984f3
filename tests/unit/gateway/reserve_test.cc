// Admit and reserve: money and rate limits, and what of them comes back.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

// What chat_body() can cost: 44 tokens of text and framing at 1, 50 of output at 2.
constexpr Nano most = 44 + 50 * 2;

struct Poor : GatewayWorld {
    static WorldOptions options() {
        WorldOptions options;
        options.balance = most + 3;
        return options;
    }
    Poor() : GatewayWorld(options()) {}
    void run_once() {
        RawClient& client = send(chat(chat_body(false)));
        provider_says(json_answer("hi"));
        ASSERT_EQ(answer_of(client).status, 200);
        ship();
    }
};

TEST_F(Poor, WithoutMoneyARequestIsRefusedAndAnAnswerThatExistsIsReplayed) {
    run_once();
    const Answer refused = ask(chat(chat_body(false), "key-2"));
    EXPECT_EQ(refused.status, 402);
    EXPECT_NE(refused.body.find("\"code\":\"insufficient_balance\""), std::string::npos);
    EXPECT_EQ(refused.field("x-should-retry"), "false");
    EXPECT_EQ(ask(chat(chat_body(false))).status, 200);
    EXPECT_EQ(calls(), 1u);
}

// Codex stops at once only on that code.
TEST_F(Poor, AsA429ThePriceOfABalanceIsToldAsInsufficientQuota) {
    change_settings([](Settings& settings) { settings.insufficient_balance_status = 429; });
    run_once();
    const Answer refused = ask(chat(chat_body(false), "key-2"));
    EXPECT_EQ(refused.status, 429);
    EXPECT_NE(refused.body.find("\"code\":\"insufficient_quota\""), std::string::npos)
        << refused.body;
    EXPECT_NE(refused.body.find("balance"), std::string::npos) << "the text still says why";
    EXPECT_EQ(refused.field("x-should-retry"), "false");
    EXPECT_EQ(refused.field("retry-after"), "");
}

TEST_F(Poor, TwoAtOnceCannotSpendTheSameMoney) {
    RawClient& first = send(chat(chat_body(false)));
    EXPECT_EQ(ask(chat(chat_body(false), "key-2")).status, 402);
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(first).status, 200);
}

// --- the centre is away for a moment, and the lease does not cover the request

TEST_F(Poor, AnAnswerThatExistsIsReplayedWithoutWaitingForTheCentre) {
    run_once();
    network_.cut(0, true);
    const RawClient& client = send(chat(chat_body(false)));
    EXPECT_EQ(answer_of(client).status, 200) << client.received;
    EXPECT_EQ(answer_of(client).field("x-nodex-idempotent-replay"), "true");
}

TEST_F(Poor, ARunningRequestIsJoinedWithoutWaitingForTheCentre) {
    const RawClient& first = send(chat(chat_body(false)));
    network_.cut(0, true);
    const RawClient& second = send(chat(chat_body(false)));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(first).status, 200) << first.received;
    EXPECT_EQ(answer_of(second).status, 200) << second.received;
    EXPECT_EQ(calls(), 1u);
}

using Lent = GatewayWorld;  // nothing yet: every first request asks

TEST_F(Lent, ARequestWaitsWhileTheCentreFailsOver) {
    network_.cut(0, true);
    const RawClient& client = send(chat(chat_body(false)));
    wait(10 * second);
    EXPECT_EQ(client.received, "");
    EXPECT_EQ(calls(), 0u);
    network_.cut(0, false);
    ASSERT_TRUE(until([&] { return calls() == 1; }, 5 * second));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(client).status, 200) << client.received;
}

TEST_F(Lent, ARequestThatWaitedForALostCentreIsToldToComeAgain) {
    network_.cut(0, true);
    const RawClient& client = send(chat(chat_body(false)));
    wait(limits::centre_failover_max + second);
    EXPECT_EQ(answer_of(client).status, 503) << client.received;
    EXPECT_NE(client.received.find("\"code\":\"budget_unavailable\""), std::string::npos);
    EXPECT_EQ(answer_of(client).field("x-should-retry"), "true");
    EXPECT_EQ(answer_of(client).field("retry-after-ms"), "2000");
    EXPECT_EQ(ask(chat(chat_body(false), "key-2")).status, 503);
    network_.cut(0, false);
}

TEST_F(Lent, AClientThatLeavesWhileTheCentreFailsOverHoldsNothing) {
    network_.cut(0, true);
    hang_up(send(chat(chat_body(false))));
    wait(second);
    network_.cut(0, false);
    wait(5 * second);
    EXPECT_EQ(calls(), 0u);
    EXPECT_EQ(reserved(), 0);
}

struct Budgeted : GatewayWorld {
    static WorldOptions options() {
        WorldOptions options;
        options.key.budget = most - 1;
        return options;
    }
    Budgeted() : GatewayWorld(options()) {}
};

TEST_F(Budgeted, AKeysOwnBudgetIsAnotherRefusalAndHoldsNothingOfTheAccount) {
    const Answer refused = ask(chat(chat_body(false)));
    EXPECT_EQ(refused.status, 403);
    EXPECT_NE(refused.body.find("\"code\":\"insufficient_quota\""), std::string::npos);
    EXPECT_EQ(reserved(), 0);
}

struct Metered : GatewayWorld {
    static WorldOptions options() {
        WorldOptions options;
        options.key.limits = {.requests_per_minute = 5, .tokens_per_minute = 100, .concurrency = 1};
        return options;
    }
    Metered() : GatewayWorld(options()) {}
};

TEST_F(Metered, TheSixthRequestOfAMinuteIsToldWhenToComeAgain) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(client).field("x-ratelimit-limit-requests"), "5");
    EXPECT_EQ(answer_of(client).field("x-ratelimit-remaining-requests"), "4");
    EXPECT_EQ(answer_of(client).field("x-ratelimit-limit-tokens"), "100");
    Answer last;
    for (unsigned number = 0; number < 5; ++number) last = ask(chat(chat_body(false)));
    EXPECT_EQ(last.status, 429);
    EXPECT_NE(last.body.find("\"code\":\"rate_limited\""), std::string::npos);
    EXPECT_EQ(last.field("x-should-retry"), "true");
    EXPECT_GT(std::stoll(last.field("retry-after-ms")), 0);
    EXPECT_GT(std::stoll(last.field("retry-after")), 0);
}

// A replay costs no tokens. It took as many as a run, and gave none back.
TEST_F(Metered, TheTokensOfAReplayAreGivenBack) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(client).status, 200);
    EXPECT_EQ(ask(chat(chat_body(false))).status, 200);
    RawClient& next = send(chat(chat_body(false), "key-2"));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(next).status, 200) << answer_of(next).body;
}

TEST_F(Metered, OneAtATimeMeansOneAtATime) {
    RawClient& first = send(chat(chat_body(false)));
    const Answer refused = ask(chat(chat_body(false), "key-2"));
    EXPECT_EQ(refused.status, 429);
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(first).status, 200);
    RawClient& next = send(chat(chat_body(false), "key-3"));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(next).status, 200) << answer_of(next).body;
}

// Hanging up made room for another run, as often as one liked.
TEST_F(Metered, ARunThatOutlivesItsClientStillCountsAndMayBeJoined) {
    RawClient& gone = send(chat(chat_body(false)));
    hang_up(gone);
    EXPECT_EQ(ask(chat(chat_body(false), "key-2")).status, 429);
    EXPECT_EQ(calls(), 1u);
    wait(60 * second);  // the token bucket is full again
    RawClient& back = send(chat(chat_body(false)));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(back).status, 200) << answer_of(back).body;
    EXPECT_EQ(calls(), 1u);
}

}  // namespace
}  // namespace nodex::gateway
