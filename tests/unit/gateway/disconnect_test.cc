// Clients that go away, in every phase of a request: what runs, what is charged, what is left.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Disconnect : public GatewayWorld {
  protected:
    static Fields sdk() { return {{"X-Stainless-Lang", "js"}}; }
    [[nodiscard]] bool provider_was_left() {
        return provider().peers.back()->channel.phase() == ChannelPhase::idle;
    }
};

TEST_F(Disconnect, InTheMiddleOfItsBodyNothingHasBegun) {
    std::string octets = chat(chat_body(true));
    octets.resize(octets.size() - 5);
    hang_up(send(octets));
    EXPECT_EQ(calls(), 0u);
    EXPECT_EQ(open_claims(), 0u);
}

TEST_F(Disconnect, InEveryTurnUpToTheCallLeavesNoReservationBehind) {
    for (unsigned turns = 0; turns < 12; ++turns) {
        RawClient& client = connect();
        client.channel.write(chat(chat_body(true), "key-" + std::to_string(turns), sdk()));
        for (unsigned turn = 0; turn < turns; ++turn) step();
        hang_up(client);
    }
    wait(5 * second);  // the grace of those that had called
    EXPECT_GT(calls(), 0u);
    gateway_->stop_runs();  // who sent a key is drained
    EXPECT_TRUE(until([&] { return gateway_->idle(); }));
    EXPECT_EQ(reserved(), 0);
}

TEST_F(Disconnect, WithAKeyTheAnswerIsFinishedAndKept) {
    hang_up(send(chat(chat_body(true))));
    provider_says(whole_stream("hi"));
    ship();
    EXPECT_EQ(spent(), 3 + 2 * 2);
    EXPECT_TRUE(ask(chat(chat_body(true))).body.ends_with("[DONE]\n\n"));
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Disconnect, WithoutAKeyTheProviderIsLeftWithinFourSecondsAndNothingIsCharged) {
    hang_up(send(chat(chat_body(true), "", sdk())));
    wait(1 * second);
    EXPECT_FALSE(provider_was_left());
    wait(3 * second);
    EXPECT_TRUE(provider_was_left());
    ship();
    EXPECT_EQ(spent(), 0);
}

TEST_F(Disconnect, WithoutAKeyInAStreamWhatCameIsCharged) {
    RawClient& client = send(chat(chat_body(true), "", sdk()));
    provider_says(stream_head() + delta("four"));
    hang_up(client);
    wait(4 * second);
    EXPECT_TRUE(provider_was_left());
    ship();
    EXPECT_EQ(spent(), (20 + 3) / 4 + 1 * 2);
}

TEST_F(Disconnect, AnSdksRetryWithinTheGraceKeepsTheRunAlive) {
    RawClient& client = send(chat(chat_body(true), "", sdk()));
    provider_says(stream_head() + delta("one"));
    hang_up(client);
    wait(1 * second);
    Fields retry = sdk();
    retry.emplace_back("X-Stainless-Retry-Count", "1");
    RawClient& back = send(chat(chat_body(true), "", retry));
    wait(10 * second);
    provider_says(finish_event() + done_event() + last_chunk());
    EXPECT_TRUE(answer_of(back).body.ends_with("[DONE]\n\n")) << answer_of(back).body;
    EXPECT_EQ(calls(), 1u);
}

// Some providers write "error":null into every event: the last one passed for the end of the stream.
TEST_F(Disconnect, AStreamThatWasGivenUpNeverLooksCompleteInItsReplay) {
    RawClient& client = send(chat(chat_body(true), "", sdk()));
    provider_says(stream_head() + event(R"({"error":null,"choices":[{"index":0,"delta":{}}]})"));
    hang_up(client);
    wait(4 * second);
    Fields retry = sdk();
    retry.emplace_back("X-Stainless-Retry-Count", "1");
    const Answer replay = ask(chat(chat_body(true), "", retry));
    EXPECT_NE(replay.body.find("\"code\":\"upstream_lost\""), std::string::npos) << replay.body;
}

TEST_F(Disconnect, AFollowerThatLeavesDoesNotDisturbTheOthers) {
    RawClient& first = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    hang_up(send(chat(chat_body(true))));
    provider_says(delta("two") + finish_event() + done_event() + last_chunk());
    EXPECT_TRUE(answer_of(first).body.ends_with("[DONE]\n\n"));
}

// The time of a stream without a listener ran on after one had come back.
TEST_F(Disconnect, AStreamThatWasResumedIsNotCutByTheDeadlineOfDraining) {
    change_settings([](Settings& settings) { settings.drain_deadline = 20 * second; });
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    hang_up(client);
    wait(5 * second);
    RawClient& back = send(chat(chat_body(true), "key-1", {{"Last-Event-ID", "evt_00001"}}));
    wait(25 * second);
    provider_says(delta("two") + finish_event() + done_event() + last_chunk());
    EXPECT_TRUE(answer_of(back).body.ends_with("[DONE]\n\n")) << answer_of(back).body;
}

TEST_F(Disconnect, AStreamWithoutAListenerIsCutByTheDeadlineOfDrainingAlsoAfterAResume) {
    change_settings([](Settings& settings) { settings.drain_deadline = 20 * second; });
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    hang_up(client);
    wait(5 * second);
    RawClient& back = send(chat(chat_body(true), "key-1", {{"Last-Event-ID", "evt_00001"}}));
    wait(25 * second);
    hang_up(back);
    wait(21 * second);
    EXPECT_TRUE(provider_was_left());
    EXPECT_EQ(open_claims(), 0u);
}

}  // namespace
}  // namespace nodex::gateway
