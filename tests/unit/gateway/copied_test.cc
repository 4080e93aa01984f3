// Streams whose events are shown once another POP has them: what is held back, what is not, and
// that a buddy that does not answer stalls nobody.
#include "edge/base/limits.h"
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Copied : public GatewayWorld {
  protected:
    static WorldOptions options() {
        WorldOptions options;
        options.buddy = true;
        return options;
    }
    explicit Copied(WorldOptions options = Copied::options()) : GatewayWorld(std::move(options)) {}
    void SetUp() override {
        GatewayWorld::SetUp();
        change_settings([](Settings& settings) { settings.copies_first = true; });
    }
    void TearDown() override {
        if (buddy_ != nullptr) cut_buddy_off(false);
        GatewayWorld::TearDown();
    }
    [[nodiscard]] std::size_t copied_chunks() const {
        return buddy_->store.keys_count(storage::Family::body);
    }
    [[nodiscard]] std::uint64_t alone() const { return agent_->stats().copy_waits_alone.load(); }
    static bool has(const RawClient& client, const std::string& text) {
        return client.received.find(text) != std::string::npos;
    }
};

TEST_F(Copied, AStreamArrivesWholeAndEveryChunkWasAtTheBuddyFirst) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head());
    for (unsigned i = 0; i < 5; ++i) {
        const std::string text = "part-" + std::to_string(i);
        provider_says(delta(text));
        ASSERT_TRUE(until([&] { return has(client, text); }));
        EXPECT_EQ(copied_chunks(), i + 1);
    }
    provider_says(finish_event() + usage_event(3, 2) + done_event() + last_chunk());
    ASSERT_TRUE(until([&] { return answer_of(client).whole; }));
    EXPECT_TRUE(answer_of(client).body.ends_with("id: evt_00007\ndata: [DONE]\n\n"));
    EXPECT_EQ(agent_->stats().copies_finished.load(), 1u) << "the end too";
    EXPECT_EQ(alone(), 0u);
    ship();
    EXPECT_EQ(spent(), 3 * 1 + 2 * 2);
}

TEST_F(Copied, AnEventThatTheBuddyDoesNotHaveIsNotShownWithinTheLimitAndThenIs) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    ASSERT_TRUE(until([&] { return has(client, "one"); }));
    cut_buddy_off(true);
    provider_says(delta("two"));
    wait(limits::copy_wait_max / 2);
    EXPECT_FALSE(has(client, "two"));
    EXPECT_EQ(store_.keys_count(storage::Family::body), 3u) << "logged at once all the same";
    wait(limits::copy_wait_max);
    EXPECT_TRUE(has(client, "two"));
    EXPECT_EQ(agent_->stats().copy_waits_behind.load(), 1u);
    provider_says(delta("three"));
    settle();
    EXPECT_TRUE(has(client, "three")) << "nobody waits for a buddy that was late";
    provider_says(finish_event() + done_event() + last_chunk());
    settle();
    EXPECT_TRUE(answer_of(client).whole);
    EXPECT_GE(alone(), 3u);
}

TEST_F(Copied, TheEndIsHeldBackAndTheMoneyIsNot) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    ASSERT_TRUE(until([&] { return has(client, "one"); }));
    cut_buddy_off(true);
    provider_says(delta("two") + finish_event() + usage_event(3, 2) + done_event() + last_chunk());
    settle();
    EXPECT_FALSE(has(client, "two"));
    EXPECT_EQ(open_claims(), 0u) << "settled";
    EXPECT_EQ(reserved(), 0);
    wait(limits::copy_wait_max);
    EXPECT_TRUE(answer_of(client).body.ends_with("data: [DONE]\n\n")) << client.received;
}

TEST_F(Copied, AShortStreamThatIsOneWriteWaitsForItsEnd) {
    cut_buddy_off(true);
    RawClient& client = send(chat(chat_body(true)));
    provider_says(whole_stream("hi"));
    wait(limits::copy_wait_max / 2);
    EXPECT_FALSE(has(client, "hi"));
    cut_buddy_off(false);
    ASSERT_TRUE(until([&] { return answer_of(client).whole; }));
    EXPECT_TRUE(has(client, "hi"));
}

TEST_F(Copied, AJoinOfARunningStreamAndAReplayOfOneThatHasJustEndedAreShownNoMore) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    ASSERT_TRUE(until([&] { return has(client, "one"); }));
    cut_buddy_off(true);
    RawClient& joined = send(chat(chat_body(true)));
    provider_says(delta("two"));
    settle();
    EXPECT_TRUE(has(joined, "one"));
    EXPECT_FALSE(has(joined, "two"));
    provider_says(finish_event() + done_event() + last_chunk());
    settle();
    ASSERT_EQ(open_claims(), 0u);
    RawClient& replay = send(chat(chat_body(true)));
    settle();
    EXPECT_FALSE(has(replay, "one")) << "it would show the end";
    cut_buddy_off(false);
    for (const RawClient* each : {&client, &joined, &replay}) {
        ASSERT_TRUE(until([&] { return answer_of(*each).whole; }));
        EXPECT_EQ(answer_of(*each).body, answer_of(client).body);
    }
}

TEST_F(Copied, AClientThatLeavesWhileItWaitsLeavesNothingBehind) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    ASSERT_TRUE(until([&] { return has(client, "one"); }));
    cut_buddy_off(true);
    provider_says(delta("two"));
    hang_up(client);
    provider_says(finish_event() + done_event() + last_chunk());
    RawClient& replay = send(chat(chat_body(true)));
    settle();
    hang_up(replay);
    wait(2 * limits::copy_wait_max);
    EXPECT_EQ(open_claims(), 0u);
}

TEST_F(Copied, AStreamThatLosesItsProviderEndsWithItsErrorEvent) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("half"));
    provider_ends();
    ASSERT_TRUE(until([&] { return answer_of(client).whole; }));
    EXPECT_TRUE(has(client, "half"));
    EXPECT_TRUE(has(client, "upstream_lost"));
}

TEST_F(Copied, AWholeAnswerWaitsForNobody) {
    cut_buddy_off(true);
    RawClient& client = send(chat(chat_body(false)));
    provider_says(json_answer("plain"));
    settle();
    EXPECT_EQ(answer_of(client).status, 200);
    EXPECT_TRUE(has(client, "plain"));
}

TEST_F(Copied, AStoreThatFailsWhileAChunkWaitsEndsTheStream) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    ASSERT_TRUE(until([&] { return has(client, "one"); }));
    cut_buddy_off(true);
    provider_says(delta("two"));
    settle();
    store_.fail_write_after(0, ErrorCode::storage_failed, false);
    provider_says(delta("three"));
    wait(2 * limits::copy_wait_max);
    EXPECT_FALSE(has(client, "three"));
    EXPECT_FALSE(has(client, "[DONE]"));
    quiet_end();
}

// As a node whose only neighbour has not been started yet.
class CopiedAlone : public Copied {
  protected:
    CopiedAlone() : Copied(WorldOptions{}) {}
};

TEST_F(CopiedAlone, AStreamGoesOnWithoutABuddyAndIsCounted) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(whole_stream("hi"));
    settle();
    EXPECT_TRUE(answer_of(client).whole);
    wait(200 * millisecond);
    EXPECT_GE(alone(), 1u);
    EXPECT_EQ(agent_->stats().copy_waits_behind.load(), 1u);
}

}  // namespace
}  // namespace nodex::gateway
