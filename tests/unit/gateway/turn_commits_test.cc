// Durability `process`: a loop writes what its turn wants durable. What clients, ledger and a failing
// disk see is the same as with the commit thread.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class TurnCommitsTest : public GatewayWorld {
  protected:
    static WorldOptions by_loop() {
        WorldOptions options;
        options.durability = storage::Durability::process;
        return options;
    }
    TurnCommitsTest() : GatewayWorld(by_loop()) {}
    [[nodiscard]] std::uint64_t by_loops() const { return commits_->stats().inline_batches; }
    [[nodiscard]] std::uint64_t handed_over() const {
        std::uint64_t all = 0;
        for (const auto& turns : commits_->stats().handed_over) all += turns;
        return all;
    }
};

TEST_F(TurnCommitsTest, AnAnswerTakesTwoWritesOfTheLoopAndNoneOfTheThread) {
    const std::uint64_t before = by_loops();
    RawClient& client = send(chat(chat_body(false)));
    EXPECT_EQ(by_loops(), before + 1);
    EXPECT_EQ(open_claims(), 1u);
    provider_says(json_answer("hi", 7));
    EXPECT_EQ(answer_of(client).status, 200);
    EXPECT_EQ(by_loops(), before + 2);
    EXPECT_EQ(handed_over(), 0u);
    EXPECT_EQ(open_claims(), 0u);
    ship();
    EXPECT_EQ(spent(), 3 + 7 * 2);
}

TEST_F(TurnCommitsTest, AStreamIsInTheStoreBeforeItsClientHasItAndIsReplayedAsItWas) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    EXPECT_NE(client.received.find("one"), std::string::npos);
    EXPECT_GE(store_.keys_count(storage::Family::body), 1u);
    provider_says(delta("two") + finish_event() + usage_event(3, 2) + done_event() + last_chunk());
    ASSERT_TRUE(answer_of(client).whole);
    const Answer again = ask(chat(chat_body(true)));
    EXPECT_EQ(again.body, answer_of(client).body);
    EXPECT_EQ(again.field("x-nodex-idempotent-replay"), "true");
    EXPECT_EQ(calls(), 1u);
    EXPECT_EQ(handed_over(), 0u);
}

TEST_F(TurnCommitsTest, AStoreThatIsBusyChangesNothingForClients) {
    store_.set_busy(true);
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    provider_says(delta("two") + finish_event() + usage_event(3, 2) + done_event() + last_chunk());
    EXPECT_TRUE(answer_of(client).body.ends_with("data: [DONE]\n\n"));
    EXPECT_EQ(by_loops(), 0u);
    EXPECT_GE(handed_over(), 2u);
    ship();
    EXPECT_EQ(spent(), 3 + 2 * 2);
}

TEST_F(TurnCommitsTest, ADiskThatFailsUnderTheLoopTellsNobodyOfSuccess) {
    quiet_end();
    RawClient& running = send(chat(chat_body(false), "first"));
    store_.fail_write_after(0, ErrorCode::io_failure, true);
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(running).status, 503);
    EXPECT_NE(answer_of(running).body.find("storage_unavailable"), std::string::npos);
    EXPECT_EQ(ask(chat(chat_body(false), "second")).status, 503);
    EXPECT_EQ(calls(), 1u) << "what is not durable is not asked of a provider";
}

}  // namespace
}  // namespace nodex::gateway
