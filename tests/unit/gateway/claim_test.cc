// Claim: the same request is run once, whoever asks for it again and when.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Claims : public GatewayWorld {
  protected:
    static Fields sdk(const std::string& retry) {
        return {{"X-Stainless-Lang", "js"}, {"X-Stainless-Retry-Count", retry}};
    }
};

TEST_F(Claims, AFinishedAnswerIsReplayedByteForByteAndCallsNobody) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(whole_stream("hi"));
    const Answer first = answer_of(client);
    const Answer replay = ask(chat(chat_body(true)));
    EXPECT_EQ(replay.body, first.body);
    EXPECT_EQ(first.field("x-nodex-idempotent-replay"), "false");
    EXPECT_EQ(replay.field("x-nodex-idempotent-replay"), "true");
    EXPECT_EQ(replay.field("x-nodex-request-id"), first.field("x-nodex-request-id"));
    EXPECT_EQ(replay.field("x-nodex-session-id"), first.field("x-nodex-session-id"));
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Claims, TheSameKeyWithAnotherBodyIsRefused) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(client).status, 200);
    const Answer other = ask(chat(chat_body(false, "other")));
    EXPECT_EQ(other.status, 422);
    EXPECT_EQ(other.field("x-should-retry"), "false");
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Claims, KeysInAnotherOrderAreTheSameRequest) {
    RawClient& client =
        send(chat(R"({"model":"m","messages":[{"role":"user","content":"x"}],"max_tokens":5})"));
    provider_says(json_answer("hi"));
    const Answer other =
        ask(chat(R"({ "max_tokens":5,"messages":[{"content":"x","role":"user"}], "model":"m" })"));
    EXPECT_EQ(other.body, answer_of(client).body);
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Claims, ARunningStreamIsJoinedAndBothGetTheSameBytes) {
    RawClient& first = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    RawClient& second_client = send(chat(chat_body(true)));
    EXPECT_EQ(answer_of(second_client).body, answer_of(first).body);
    provider_says(delta("two") + finish_event() + done_event() + last_chunk());
    EXPECT_TRUE(answer_of(first).whole && answer_of(second_client).whole);
    EXPECT_EQ(answer_of(second_client).body, answer_of(first).body);
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Claims, ARunningWholeAnswerIsJoined) {
    RawClient& first = send(chat(chat_body(false)));
    RawClient& second_client = send(chat(chat_body(false)));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(first).status, 200);
    EXPECT_EQ(answer_of(second_client).body, answer_of(first).body);
    EXPECT_EQ(calls(), 1u);
}

// The joined run's names were kept: the session that the client was told could not resume.
TEST_F(Claims, WhoJoinedARunThatFailedRunsUnderNamesOfItsOwn) {
    RawClient& first = send(chat(chat_body(true)));
    RawClient& joiner = send(chat(chat_body(true)));
    for (unsigned attempt = 0; attempt < 2; ++attempt)
        provider_says("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
    ASSERT_EQ(answer_of(first).status, 503);
    ASSERT_EQ(calls(), 3u) << "the joiner runs it";
    provider_says(whole_stream("hi"));
    const Answer answer = answer_of(joiner);
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.field("x-nodex-idempotent-replay"), "false");
    EXPECT_NE(answer.field("x-nodex-request-id"), answer_of(first).field("x-nodex-request-id"));
    const Answer resumed =
        ask(chat(chat_body(true), "key-1",
                 {{"Last-Event-ID", "evt_00001"},
                  {"X-Nodex-Session-Id", answer.field("x-nodex-session-id")}}));
    EXPECT_EQ(resumed.status, 200) << resumed.body;
    EXPECT_EQ(resumed.field("x-nodex-request-id"), answer.field("x-nodex-request-id"));
}

TEST_F(Claims, WithoutAKeyOnlyAnSdkMayPay) {
    const Answer refused = ask(chat(chat_body(false), ""));
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.body.find("idempotency_key_required"), std::string::npos);
    RawClient& client = send(chat(chat_body(false), "", sdk("0")));
    provider_says(json_answer("hi"));
    EXPECT_TRUE(answer_of(client).field("x-nodex-idempotency-key").starts_with("nxg_"));
}

TEST_F(Claims, AnSdksOwnRetryReplaysItsFirstAttempt) {
    RawClient& client = send(chat(chat_body(false), "", sdk("0")));
    provider_says(json_answer("hi"));
    const Answer retry = ask(chat(chat_body(false), "", sdk("1")));
    EXPECT_EQ(retry.body, answer_of(client).body);
    EXPECT_EQ(retry.field("x-nodex-idempotent-replay"), "true");
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Claims, TheSameSdkRequestAskedAnewIsAnotherRequest) {
    send(chat(chat_body(false), "", sdk("0")));
    send(chat(chat_body(false), "", sdk("0")));
    EXPECT_EQ(calls(), 2u);
}

// Which of the two counts would be ours to guess, and a proxy's guess may be another.
TEST_F(Claims, TwoFieldsWithDifferentKeysAreRefused) {
    for (const char* name : {"X-Idempotency-Key", "Idempotency-Key"}) {
        const Answer refused = ask(chat(chat_body(false), "key-1", {{name, "key-2"}}));
        EXPECT_EQ(refused.status, 400) << name;
        EXPECT_NE(refused.body.find("idempotency_key_invalid"), std::string::npos) << refused.body;
    }
    EXPECT_EQ(calls(), 0u);
}

TEST_F(Claims, AKeyHas1To255VisibleCharacters) {
    for (const std::string& wrong : {std::string(256, 'k'), std::string("a b")})
        EXPECT_EQ(ask(chat(chat_body(false), wrong)).status, 400);
    send(chat(chat_body(false), std::string(255, 'k')));
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Claims, WhatFailedItsValidationDoesNotTakeTheKey) {
    EXPECT_EQ(ask(chat("{\"model\":\"m\"}")).status, 400);
    EXPECT_EQ(ask(chat("{\"model\":\"no\",\"messages\":[{\"role\":\"user\"}]}")).status, 404);
    send(chat(chat_body(false)));
    EXPECT_EQ(calls(), 1u);
}

// It was told as 403 account_blocked, which no client tries again, to a customer who was some
// seconds old: the POP knew his account before its body key.
TEST_F(Claims, WithoutTheAccountsBodyKeyNothingRunsAndTheClientComesAgain) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(json_answer("hi"));
    ASSERT_EQ(answer_of(client).status, 200);
    const std::uint32_t version = *vault_->current_version(account_);
    vault_->shred(account_);
    for (const Fields& fields : {Fields{}, sdk("1")}) {
        const Answer answer = ask(chat(chat_body(false), "key-2", fields));
        EXPECT_EQ(answer.status, 503);
        EXPECT_NE(answer.body.find("account_unavailable"), std::string::npos) << answer.body;
        EXPECT_EQ(answer.field("x-should-retry"), "true");
        EXPECT_EQ(answer.field("retry-after"), "1");
    }
    EXPECT_EQ(calls(), 1u);
    EXPECT_EQ(reserved(), 0);
    EXPECT_EQ(open_claims(), 0u);
    EXPECT_EQ(ask(chat(chat_body(false))).status, 410) << "what was destroyed does not come back";
    vault_->activate(
        vault_->wrap(account_, version + 1, crypto::SecretKey::generate(random_), random_));
    RawClient& again = send(chat(chat_body(false), "key-2"));
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(again).status, 200);
}

TEST_F(Claims, AClosedAccountIsBlockedWhateverItsKeys) {
    ASSERT_TRUE(ledger_.set_account_state(account_, replication::AccountState::closed,
                                          loop_.clock().wall_ms()));
    ASSERT_TRUE(ledger_.shred_account(account_, loop_.clock().wall_ms()));
    ASSERT_TRUE(until([&] { return !vault_->current_version(account_).has_value(); }));
    ASSERT_TRUE(until([&] {
        gateway_->replace_directory(agent_->directory());
        return key().account_state == replication::AccountState::closed;
    }));
    const Answer answer = ask(chat(chat_body(false)));
    EXPECT_EQ(answer.status, 403);
    EXPECT_NE(answer.body.find("account_blocked"), std::string::npos) << answer.body;
    EXPECT_EQ(answer.field("x-should-retry"), "false");
}

TEST_F(Claims, AClaimThatCannotBeStoredCallsNobody) {
    quiet_end();
    store_.fail_write_after(0, ErrorCode::io_failure, false);
    const Answer answer = ask(chat(chat_body(false)));
    EXPECT_EQ(answer.status, 503);
    EXPECT_NE(answer.body.find("storage_unavailable"), std::string::npos);
    EXPECT_EQ(calls(), 0u);
    EXPECT_EQ(reserved(), 0);
}

}  // namespace
}  // namespace nodex::gateway
