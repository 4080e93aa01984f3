// Follow: resumes at every kind of event id, of answers that are finished, running, or unknown.
#include "storage/keyspace.h"
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Follow : public GatewayWorld {
  protected:
    std::string resume(const std::string& last, const Fields& more = {}, bool stream = true) {
        Fields fields{{"Last-Event-ID", last}};
        fields.insert(fields.end(), more.begin(), more.end());
        return chat(chat_body(stream), "key-1", fields);
    }
    Answer finished() {
        RawClient& client = send(chat(chat_body(true)));
        provider_says(whole_stream("hi"));
        return answer_of(client);
    }
};

TEST_F(Follow, AFinishedStreamResumesAfterEveryEvent) {
    const std::string whole = finished().body;
    std::size_t at = 0;
    for (unsigned number = 0; number <= 3; ++number) {
        const Answer rest = ask(resume(http::event_id(number)));
        EXPECT_EQ(rest.status, 200);
        EXPECT_EQ(rest.body, whole.substr(at)) << number;
        at = whole.find("\n\n", at) + 2;
    }
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Follow, AnIdBeyondTheEndOfAFinishedStreamIsUnknown) {
    (void)finished();
    const Answer refused = ask(resume("evt_00004"));
    EXPECT_EQ(refused.status, 400);
    EXPECT_NE(refused.body.find("invalid_last_event_id"), std::string::npos);
}

// It was waited for, to the end of the stream, and then answered by 200 and nothing.
TEST_F(Follow, AnIdThatARunningStreamHasNotReachedIsUnknown) {
    RawClient& first = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    RawClient& client = send(resume("evt_00002"));
    EXPECT_EQ(answer_of(client).status, 400) << client.received;
    EXPECT_NE(client.received.find("invalid_last_event_id"), std::string::npos);
    RawClient& reached = send(resume("evt_00001"));
    provider_says(finish_event() + done_event() + last_chunk());
    EXPECT_TRUE(answer_of(first).whole);
    EXPECT_TRUE(answer_of(reached).body.starts_with("id: evt_00002\n"));
    EXPECT_TRUE(answer_of(reached).whole);
}

TEST_F(Follow, BeforeTheFirstEventOnlyZeroIsKnown) {
    RawClient& first = send(chat(chat_body(true)));
    RawClient& client = send(resume("evt_00001"));
    EXPECT_EQ(answer_of(client).status, 400) << client.received;
    RawClient& zero = send(resume("evt_00000"));
    provider_says(whole_stream("hi"));
    EXPECT_EQ(answer_of(zero).body, answer_of(first).body);
}

TEST_F(Follow, AResumeOfAnUnknownKeyIsGoneAndRunsNothing) {
    for (const char* id : {"evt_00000", "evt_00007"}) {
        const Answer refused = ask(resume(id));
        EXPECT_EQ(refused.status, 410);
        EXPECT_EQ(refused.field("x-should-retry"), "false");
    }
    EXPECT_EQ(calls(), 0u);
    EXPECT_EQ(reserved(), 0);
}

// As of another POP, or after a start with a new node key until the centre gives the old keys again.
TEST_F(Follow, AnAnswerWhoseKeyHasYetToComeMayBeAskedForAgain) {
    const Answer first = finished();
    std::string place, value;
    NX_ASSERT(store_.scan(storage::Family::dek, {}, {}, [&](Bytes key, Bytes octets) {
        place = std::string(key);
        value = std::string(octets);
        return true;
    }));
    const auto put = [&](const std::string& row) {
        storage::Batch batch;
        batch.put(storage::Family::dek, place, row);
        ASSERT_TRUE(store_.write(batch, storage::Durability::power));
    };
    storage::BodyKey body_key = *storage::decode_body_key(value);
    std::string later(body_key.key_record);
    ++later[1];  // the lowest octet of its account key's version
    body_key.key_record = later;
    std::string changed;
    storage::encode(body_key, changed);
    put(changed);
    for (const std::string& octets : {chat(chat_body(true)), resume("evt_00001")}) {
        const Answer answer = ask(octets);
        EXPECT_EQ(answer.status, 503);
        EXPECT_NE(answer.body.find("account_unavailable"), std::string::npos) << answer.body;
        EXPECT_EQ(answer.field("retry-after"), "1");
    }
    put(value);
    EXPECT_EQ(ask(chat(chat_body(true))).body, first.body);
    EXPECT_EQ(calls(), 1u);
}

TEST_F(Follow, AnIdThatIsNoneIsRefusedBeforeAnythingElse) {
    for (const char* id : {"evt_1", "evt_000001", "42", "evt_-0001"})
        EXPECT_EQ(ask(resume(id)).status, 400) << id;
}

TEST_F(Follow, AResumeNeedsItsKeyItsSessionAndAStream) {
    const Answer whole = finished();
    EXPECT_EQ(ask(chat(chat_body(true), "", {{"Last-Event-ID", "evt_00001"}})).status, 400);
    EXPECT_EQ(ask(resume("evt_00001", {{"X-Nodex-Session-Id", "another"}})).status, 400);
    EXPECT_EQ(ask(resume("evt_00001", {}, false)).status, 400);
    EXPECT_EQ(
        ask(resume("evt_00001", {{"X-Nodex-Session-Id", whole.field("x-nodex-session-id")}})).status,
        200);
}

TEST_F(Follow, ACutStreamEndsForAResumeAsItEndedForTheFirst) {
    RawClient& first = send(chat(chat_body(true)));
    provider_says(stream_head() + delta("one"));
    provider_ends();
    const std::string whole = answer_of(first).body;
    EXPECT_EQ(ask(resume("evt_00001")).body, whole.substr(whole.find("\n\n") + 2));
    EXPECT_EQ(ask(resume("evt_00002")).status, 200);
    EXPECT_EQ(ask(resume("evt_00003")).status, 400);
}

TEST_F(Follow, AWholeAnswerIsReplayedToAHundredPipelinedRepeats) {
    RawClient& client = send(chat(chat_body(false)));
    provider_says(json_answer("hi"));
    const std::string body = answer_of(client).body;
    std::string octets;
    for (unsigned number = 0; number < 100; ++number) octets += chat(chat_body(false));
    RawClient& repeats = send(octets);
    EXPECT_TRUE(until([&] { return occurrences(repeats.received, "HTTP/1.1 200") == 100; }));
    EXPECT_EQ(occurrences(repeats.received, body), 100u);
    EXPECT_EQ(calls(), 1u);
}

}  // namespace
}  // namespace nodex::gateway
