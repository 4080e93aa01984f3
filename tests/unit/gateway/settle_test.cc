// Settle: what an answer costs, and what is told when it cannot be stored.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Settle : public GatewayWorld {};

TEST_F(Settle, AWholeAnswerCostsWhatTheProviderCounted) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(json_answer("hi", 7));
    EXPECT_EQ(answer_of(client).status, 200);
    ship();
    EXPECT_EQ(spent(), 3 + 7 * 2);
}

TEST_F(Settle, NoMoreThanWasReservedIsCharged) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(json_answer("hi", 5'000));
    EXPECT_EQ(answer_of(client).status, 200);
    ship();
    EXPECT_EQ(spent(), 44 + 50 * 2);
}

TEST_F(Settle, WithoutAUsageTheTextIsCounted) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("twelve bytes") + finish_event() + done_event() +
                  last_chunk());
    EXPECT_TRUE(answer_of(client).whole);
    ship();
    EXPECT_EQ(spent(), (20 + 3) / 4 + 12 / 4 * 2);
}

TEST_F(Settle, TheTextOfAnErrorIsNotBilled) {
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("four"));
    provider_ends();
    EXPECT_TRUE(answer_of(client).whole);
    ship();
    EXPECT_EQ(spent(), (20 + 3) / 4 + 1 * 2);
}

TEST_F(Settle, AnAnswerThatCannotBeStoredIsNotToldAsASuccess) {
    quiet_end();
    RawClient& client = send(chat(chat_body(false)));
    store_.fail_write_after(0, ErrorCode::io_failure, false);
    provider_says(json_answer("hi"));
    EXPECT_EQ(answer_of(client).status, 503);
    EXPECT_NE(answer_of(client).body.find("storage_unavailable"), std::string::npos);
}

TEST_F(Settle, AStreamWhoseEndCannotBeStoredDoesNotLookComplete) {
    quiet_end();
    RawClient& client = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    store_.fail_write_after(0, ErrorCode::io_failure, false);
    provider_says(finish_event() + done_event() + last_chunk());
    const Answer answer = answer_of(client);
    EXPECT_TRUE(answer.whole);
    EXPECT_EQ(answer.body.find("[DONE]"), std::string::npos);
    EXPECT_NE(answer.body.find("storage_unavailable"), std::string::npos) << answer.body;
}

}  // namespace
}  // namespace nodex::gateway
