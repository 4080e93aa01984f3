// Between POPs: reads of another POP's answers, copies at the buddy, and what is left when the
// owner dies. Three POPs: the copies of POP 0 are at POP 1, of POP 1 at POP 2, of POP 2 at POP 0.
#include <gtest/gtest.h>

#include "tests/unit/replication/peer_world.h"

namespace nodex::replication {
namespace {

class Peers : public testing::Test {
  protected:
    PeerWorld world{3};
};

TEST_F(Peers, TheCentreTellsWhoTheOthersAreAndWhoHasWhoseCopies) {
    EXPECT_EQ(world.peers(0).roster().count(), 2u);
    EXPECT_EQ(world.peers(0).roster().own_buddy(), PeerWorld::id(1));
    EXPECT_EQ(world.peers(0).roster().buddy_of(PeerWorld::id(2)), PeerWorld::id(0));
    ASSERT_NE(world.peers(0).roster().key_of(PeerWorld::id(1)), nullptr);
    EXPECT_EQ(world.peers(0).roster().key_of(PeerWorld::id(1))->view(),
              world.peers(1).roster().key_of(PeerWorld::id(0))->view());
    EXPECT_NE(world.peers(0).roster().key_of(PeerWorld::id(1))->view(),
              world.peers(0).roster().key_of(PeerWorld::id(2))->view());
    EXPECT_EQ(world.peers(0).roster().key_of(PeerWorld::id(7)), nullptr);
}

TEST_F(Peers, AFinishedAnswerIsReadWithItsRecordItsKeyAndItsChunks) {
    const auto open = world.open(0, 1);
    for (std::uint32_t i = 0; i < 3; ++i) world.append(0, open, i);
    world.finish(0, open, 3);
    const auto reply = world.read(2, PeerWorld::question(0, open, 1));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->state, ReadState::finished);
    EXPECT_EQ(reply->request, open.request_id);
    EXPECT_EQ(reply->session, open.session);
    EXPECT_EQ(reply->body, open.answer);
    EXPECT_EQ(reply->key_record, "key record");
    ASSERT_TRUE(reply->answer);
    EXPECT_EQ(reply->answer->chunks_count, 3u);
    EXPECT_EQ(reply->chunks, (std::vector<std::string>{"chunk 1", "chunk 2"}));
}

TEST_F(Peers, ARunningAnswerIsReadAsFarAsItIsLogged) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    const auto reply = world.read(2, PeerWorld::question(0, open, 0));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->state, ReadState::running);
    EXPECT_FALSE(reply->answer);
    EXPECT_EQ(reply->chunks, (std::vector<std::string>{"chunk 0"}));
}

TEST_F(Peers, AReadWithNothingNewIsHeldUntilAChunkComes) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    std::optional<Result<ReadReply>> got;
    world.peers(2).remote().read(PeerWorld::question(0, open, 1, 2'000),
                                 [&got](Result<ReadReply> reply, bool) { got = std::move(reply); });
    world.run(500 * millisecond);
    ASSERT_FALSE(got);
    EXPECT_EQ(world.peers(0).reads().held_count(), 1u);
    world.append(0, open, 1);
    world.run(20 * millisecond);
    ASSERT_TRUE(got);
    ASSERT_TRUE(got->has_value());
    EXPECT_EQ((*got)->chunks, (std::vector<std::string>{"chunk 1"}));
    EXPECT_EQ(world.peers(0).reads().held_count(), 0u);
}

TEST_F(Peers, AHeldReadEndsWithItsAnswerAlsoWhenNoChunkComesWithTheEnd) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    std::optional<Result<ReadReply>> got;
    world.peers(2).remote().read(PeerWorld::question(0, open, 1, 2'000),
                                 [&got](Result<ReadReply> reply, bool) { got = std::move(reply); });
    world.run(100 * millisecond);
    world.finish(0, open, 1);
    world.run(20 * millisecond);
    ASSERT_TRUE(got && got->has_value());
    EXPECT_EQ((*got)->state, ReadState::finished);
}

TEST_F(Peers, AHeldReadEndsWithItsWait) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    const Nanoseconds asked = world.clock().now_ns();
    const auto reply = world.read(2, PeerWorld::question(0, open, 1, 700));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->state, ReadState::running);
    EXPECT_TRUE(reply->chunks.empty());
    EXPECT_GE(world.clock().now_ns() - asked, 700 * millisecond);
    EXPECT_LT(world.clock().now_ns() - asked, 900 * millisecond);
}

TEST_F(Peers, NobodyWaitsLongerThanTheLimitWhateverIsAskedFor) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    const Nanoseconds asked = world.clock().now_ns();
    ReadRequest request = PeerWorld::question(0, open, 1, 3'600'000);
    ASSERT_TRUE(world.read(2, request));
    EXPECT_LT(world.clock().now_ns() - asked, limits::read_wait_max + 200 * millisecond);
}

TEST_F(Peers, AReadReturnsNoMoreThanItAsksFor) {
    const auto open = world.open(0, 1);
    for (std::uint32_t i = 0; i < 10; ++i) world.append(0, open, i, std::string(1'000, 'x'));
    ReadRequest request = PeerWorld::question(0, open, 0);
    request.bytes_max = 2'500;
    const auto reply = world.read(2, request);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->chunks.size(), 3u);
}

TEST_F(Peers, AReleasedRequestAnotherBodyAndAnotherRequestAreTold) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    ReadRequest request = PeerWorld::question(0, open, 0);
    request.fingerprint.octets[0] ^= 1;
    EXPECT_EQ(world.read(2, request)->state, ReadState::mismatch);
    request = PeerWorld::question(0, open, 0);
    request.request = storage::samples::id<RequestId>(99);
    EXPECT_EQ(world.read(2, request)->state, ReadState::gone);
    world.release(0, open);
    EXPECT_EQ(world.read(2, PeerWorld::question(0, open, 0))->state, ReadState::gone);
}

TEST_F(Peers, TheBuddyHasTheWholeAnswerWhenItsOwnerDies) {
    const auto open = world.open(0, 1);
    for (std::uint32_t i = 0; i < 3; ++i) world.append(0, open, i);
    world.finish(0, open, 3);
    world.run(500 * millisecond);
    EXPECT_EQ(world.peers(0).sender().lag_bytes(), 0u);
    EXPECT_EQ(world.peers(0).sender().finished_count(), 1u);
    world.kill(0);
    for (const unsigned reader : {1u, 2u}) {  // the buddy itself, and a third POP
        const auto reply = world.read(reader, PeerWorld::question(0, open, 0));
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->state, ReadState::finished);
        EXPECT_EQ(reply->answer->chunks_count, 3u);
        EXPECT_EQ(reply->key_record, "key record");
        EXPECT_EQ(reply->chunks, (std::vector<std::string>{"chunk 0", "chunk 1", "chunk 2"}));
    }
}

TEST_F(Peers, AnAnswerWhoseOwnerDiedInItsMiddleIsCutWhereItsCopyEnds) {
    const auto open = world.open(0, 1);
    for (std::uint32_t i = 0; i < 3; ++i) world.append(0, open, i);
    world.run(500 * millisecond);
    world.append(0, open, 3);  // never reaches the buddy
    world.kill(0);
    auto reply = world.read(2, PeerWorld::question(0, open, 0, 2'000));
    ASSERT_TRUE(reply);
    while (reply->state == ReadState::running)  // until its owner has been silent for long enough
        reply = world.read(2, PeerWorld::question(0, open, 0, 2'000));
    EXPECT_EQ(reply->state, ReadState::cut);
    EXPECT_FALSE(reply->answer);
    EXPECT_EQ(reply->chunks_count, 3u);
    EXPECT_EQ(reply->chunks.size(), 3u);
}

// A third POP that cannot reach the owner asks the buddy, which still hears it.
TEST_F(Peers, ACopyThatStillGrowsIsFollowedAtTheBuddy) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    world.run(500 * millisecond);
    const auto* key = world.peers(2).roster().key_of(PeerWorld::id(1));
    const std::string message = seal({MessageType::read_request, PeerWorld::id(2), 1, 1, 1},
                                     encode(PeerWorld::question(0, open, 1, 2'000)), *key);
    std::optional<std::string> heard;
    world.pop(2).transport->request("nx.v1.pop.2.3.read", message, 3 * second,
                                    [&heard](Result<std::string> reply) {
                                        if (reply) heard = std::move(*reply);
                                    });
    world.run(300 * millisecond);
    EXPECT_FALSE(heard);
    world.append(0, open, 1);
    world.run(100 * millisecond);
    ASSERT_TRUE(heard);
    const auto reply = decode_read_reply(nodex::replication::open(*heard, *key)->payload);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->state, ReadState::running);
    EXPECT_EQ(reply->chunks, (std::vector<std::string>{"chunk 1"}));
}

TEST_F(Peers, NothingIsKeptOfARequestThatWasReleased) {
    const auto open = world.open(0, 1);
    world.run(200 * millisecond);
    world.release(0, open);
    world.run(500 * millisecond);
    EXPECT_EQ(world.pop(1).store.keys_count(storage::Family::buddy), 0u);
    EXPECT_EQ(world.peers(0).sender().finished_count(), 0u);
    EXPECT_FALSE(world.peers(0).sender().busy());
}

TEST_F(Peers, CopiesCatchUpAfterTheBuddyWasAway) {
    world.network().cut(1, true);
    std::vector<storage::OpenRequest> opens;
    for (std::uint64_t request = 1; request <= 20; ++request) {
        opens.push_back(world.open(0, request));
        for (std::uint32_t i = 0; i < 10; ++i)
            world.append(0, opens.back(), i, std::string(3'000, static_cast<char>('a' + i)));
        if (request % 2 == 0) world.finish(0, opens.back(), 10);
    }
    world.run(10 * second);
    EXPECT_EQ(world.peers(0).sender().lag_bytes(), 20u * 10 * 3'000);
    world.network().cut(1, false);
    world.run(10 * second);
    EXPECT_EQ(world.peers(0).sender().lag_bytes(), 0u);
    world.kill(0);
    world.run(10 * second);
    for (std::size_t i = 0; i < opens.size(); ++i) {
        const auto reply = world.read(1, PeerWorld::question(0, opens[i], 0));
        ASSERT_TRUE(reply);
        EXPECT_EQ(reply->state, i % 2 == 1 ? ReadState::finished : ReadState::cut);
        EXPECT_EQ(reply->chunks.size(), 10u);
    }
}

TEST_F(Peers, CopiesGiveWayToWhatIsUrgentAndStillArrive) {
    constexpr Nanoseconds one_way = 50 * millisecond;
    SimFaults road;
    road.delay_min = road.delay_max = one_way;
    world.network().set_faults(road);
    const CopySender& sender = world.peers(0).sender();
    std::uint64_t request = 0;
    for (const bool urgent : {true, false}) {
        world.peers(0).copies_give_way_while([urgent] { return urgent; });
        for (int answers = 0; answers < 20; ++answers) {
            const auto open = world.open(0, ++request);
            for (std::uint32_t i = 0; i < 10; ++i) world.append(0, open, i, std::string(3'000, 'a'));
            world.finish(0, open, 10);
        }
        ASSERT_EQ(sender.lag_bytes(), 0u) << "no news yet";
        world.run(10 * millisecond);
        Nanoseconds took = 0;
        for (; sender.lag_bytes() > 0 && took < 60 * second; took += 10 * millisecond)
            world.run(10 * millisecond);
        const auto messages = static_cast<Nanoseconds>(20 * 10 * 3'000 / limits::buddy_batch_bytes);
        if (urgent) {
            EXPECT_GT(took, messages * 2 * one_way);
        } else {
            EXPECT_LT(took, messages * one_way);
        }
        EXPECT_LT(took, 60 * second);
    }
}

TEST_F(Peers, ABuddyThatRestartedGoesOnWithTheSameCopies) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    world.run(500 * millisecond);
    world.kill(1);
    world.append(0, open, 1);
    world.run(2 * second);
    world.start(1);
    world.append(0, open, 2);
    world.run(8 * second);
    world.kill(0);
    world.run(10 * second);
    const auto reply = world.read(1, PeerWorld::question(0, open, 0));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->chunks, (std::vector<std::string>{"chunk 0", "chunk 1", "chunk 2"}));
    EXPECT_EQ(world.peers(1).taker().kept_bytes(), 21u);
}

TEST_F(Peers, AnOwnerThatRestartedDoesNotReviveItsOldCopies) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    world.run(500 * millisecond);
    world.kill(0);
    world.start(0);
    world.run(3 * second);
    const auto other = world.open(0, 2);
    world.append(0, other, 0);
    world.run(500 * millisecond);  // the buddy hears the new process
    world.kill(0);
    const auto reply = world.read(1, PeerWorld::question(0, open, 0));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->state, ReadState::cut);
}

// The centre's word for `request` of POP `number`, which wants the key of `open`.
ClaimReply::Entry claim(PeerWorld& world, unsigned number, const storage::OpenRequest& open,
                        const RequestId& request) {
    std::optional<ClaimReply::Entry> heard;
    world.pop(number).core->claims().ask(
        {ClaimOp::acquire, open.account, open.idempotency, open.fingerprint, request, 0},
        [&heard](const std::optional<ClaimReply::Entry>& word) { heard = word; });
    for (unsigned i = 0; i < 4'000 && !heard; ++i) world.step(5 * millisecond);
    NX_ASSERT(heard.has_value());
    return *heard;
}

TEST_F(Peers, AKeyOfADeadOwnerIsNotTakenOverWhenSomethingOfItsAnswerIsKept) {
    const auto open = world.open(0, 1);
    ASSERT_EQ(claim(world, 0, open, open.request_id).result, ClaimResult::granted);
    world.append(0, open, 0);
    world.run(500 * millisecond);
    world.kill(0);
    world.run(10 * second);
    const auto word = claim(world, 2, open, request_of(PeerWorld::id(2), 99));
    EXPECT_EQ(word.result, ClaimResult::held);
    EXPECT_TRUE(word.owner_dead);
    EXPECT_EQ(word.owner, PeerWorld::id(0));
}

TEST_F(Peers, AKeyOfADeadOwnerThatDeliveredNothingIsTakenOver) {
    const auto open = world.open(0, 1);
    ASSERT_EQ(claim(world, 0, open, open.request_id).result, ClaimResult::granted);
    world.run(500 * millisecond);
    world.kill(0);
    world.run(10 * second);
    const auto word = claim(world, 2, open, request_of(PeerWorld::id(2), 99));
    EXPECT_EQ(word.result, ClaimResult::granted);
}

TEST_F(Peers, WithoutOwnerAndCopiesAReadIsUnavailable) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    world.run(500 * millisecond);
    world.kill(0);
    world.kill(1);
    EXPECT_FALSE(world.read(2, PeerWorld::question(0, open, 0)));
    EXPECT_GE(world.peers(2).remote().failures_count(), 1u);
}

TEST_F(Peers, CopiesAndReadsArriveWholeOverABadNetwork) {
    world.network().set_faults({20, 20, millisecond, 150 * millisecond});
    const auto open = world.open(0, 1);
    std::string read_text, logged_text;
    std::uint32_t next = 0;
    for (std::uint32_t i = 0; i < 60; ++i) {
        const std::string text(100 + i, static_cast<char>('a' + i % 26));
        world.append(0, open, i, text);
        logged_text += text;
        if (i == 59) world.finish(0, open, 60);
        world.run(30 * millisecond);
        if (i % 5 != 0) continue;
        const auto reply = world.read(2, PeerWorld::question(0, open, next, 100));
        if (!reply || reply->state == ReadState::gone) continue;  // from copies, or not yet there
        for (const std::string& chunk : reply->chunks) read_text += chunk;
        next += static_cast<std::uint32_t>(reply->chunks.size());
    }
    EXPECT_TRUE(logged_text.starts_with(read_text));
    world.run(60 * second);
    world.network().set_faults({});
    world.kill(0);
    const auto reply = world.read(1, PeerWorld::question(0, open, 0));
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->state, ReadState::finished);
    std::string copied;
    for (const std::string& chunk : reply->chunks) copied += chunk;
    EXPECT_EQ(copied, logged_text);
}

TEST_F(Peers, AMessageOfAnotherPairOrFromNobodyIsNotAnswered) {
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    SeededRandom random(5);
    const auto forged = crypto::SecretKey::generate(random);
    const std::string message = seal({MessageType::read_request, PeerWorld::id(2), 1, 1, 1},
                                     encode(PeerWorld::question(0, open, 0)), forged);
    bool answered = false;
    const auto heard = [&answered](Result<std::string> reply) { answered = reply.has_value(); };
    world.pop(2).transport->request("nx.v1.pop.1.3.read", message, 500 * millisecond, heard);
    world.run(second);
    EXPECT_FALSE(answered);
    // The right key under the subject of another sender.
    const auto* key = world.peers(2).roster().key_of(PeerWorld::id(0));
    const std::string honest = seal({MessageType::read_request, PeerWorld::id(2), 1, 1, 1},
                                    encode(PeerWorld::question(0, open, 0)), *key);
    world.pop(2).transport->request("nx.v1.pop.1.2.read", honest, 500 * millisecond, heard);
    world.run(second);
    EXPECT_FALSE(answered);
    EXPECT_EQ(world.peers(0).link().refused_count(), 2u);
    world.pop(2).transport->request("nx.v1.pop.1.3.read", honest, 500 * millisecond, heard);
    world.run(second);
    EXPECT_TRUE(answered);
}

// Any POP could fill the room that is kept for one other, and the disk behind it.
TEST_F(Peers, CopiesAreTakenOfThePopWhoseBuddyThisOneIsOnly) {
    CopyRequest message;
    message.life = 1;
    const auto open = world.open(2, 1);  // the copies of POP 2 are at POP 0
    CopyRequest::Piece piece{open.account, open.idempotency, open.request_id, 0, {}, {}, {}, {}};
    piece.open = storage::encode(open);
    piece.key_record = "key record";
    piece.chunks = {"chunk"};
    message.pieces = {piece};
    const auto send = [&](unsigned to) {
        bool answered = false;
        const auto* key = world.peers(2).roster().key_of(PeerWorld::id(to));
        world.pop(2).transport->request(
            "nx.v1.pop." + std::to_string(to + 1) + ".3.copy",
            seal({MessageType::copy_request, PeerWorld::id(2), 1, 1, 1}, encode(message), *key),
            500 * millisecond, [&](Result<std::string> reply) { answered = reply.has_value(); });
        world.run(second);
        return answered;
    };
    EXPECT_FALSE(send(1));
    EXPECT_EQ(world.pop(1).store.keys_count(storage::Family::buddy), 0u);
    EXPECT_EQ(world.peers(1).taker().dropped_count(), 1u);
    EXPECT_FALSE(world.peers(1).taker().live(PeerWorld::id(2)));
    EXPECT_TRUE(send(0));
    EXPECT_EQ(world.pop(0).store.keys_count(storage::Family::buddy), 1u);
}

// A POP is gone and thousands of its clients come here: their reads once took the places of
// heartbeats and settlements.
TEST_F(Peers, ReadsLeaveRoomForWhatTheCentreMustHear) {
    world.network().cut(2, true);
    const auto open = world.open(0, 1);
    unsigned refused = 0, ended = 0;
    for (unsigned i = 0; i < limits::remote_reads_max + 3; ++i)
        world.peers(2).remote().read(PeerWorld::question(0, open, 0),
                                     [&](const Result<ReadReply>& reply, bool) {
                                         ++ended;
                                         refused += !reply;
                                     });
    EXPECT_EQ(refused, 3u);
    EXPECT_EQ(ended, 3u);
}

TEST(PeersAlone, OnePopHasNobodyToTellAndKeepsNoList) {
    PeerWorld world{1};
    EXPECT_FALSE(world.peers(0).wants_news());
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    world.run(second);
    EXPECT_FALSE(world.peers(0).busy());
    EXPECT_EQ(world.peers(0).sender().lag_bytes(), 0u);
}

TEST(PeersFull, NoNewCopyIsBegunBeyondTheBytesThatMayBeKept) {
    PeerWorld world{2};
    const auto first = world.open(0, 1);
    for (std::uint32_t i = 0; i < 20; ++i) world.append(0, first, i, std::string(60'000, 'x'));
    world.run(3 * second);
    EXPECT_GE(world.peers(1).taker().kept_bytes(), PeerWorld::copies_bytes_max);
    const auto second_one = world.open(0, 2);
    world.append(0, second_one, 0);
    world.run(second);
    EXPECT_EQ(world.peers(0).sender().dropped_count(), 1u);
    EXPECT_EQ(world.pop(1).store.keys_count(storage::Family::buddy), 1u);
    world.append(0, first, 20);  // what was begun goes on
    world.run(second);
    EXPECT_EQ(world.peers(0).sender().lag_bytes(), 0u);
}

TEST(PeersOverflow, WhatNewsDidNotTellIsFoundInTheStore) {
    PeerWorld world{2};
    const auto kept = world.open(0, 1);
    const auto ended = world.open(0, 2);
    world.append(0, ended, 0);
    world.run(500 * millisecond);
    (void)world.pop(0).tap->take();
    world.append(0, kept, 0);
    world.append(0, kept, 1);
    world.append(0, ended, 1);
    world.finish(0, ended, 2);
    (void)world.pop(0).tap->take();  // lost
    storage::AppendNews news;
    news.overflowed = true;
    world.pop(0).core->appended(news);
    world.run(2 * second);
    world.kill(0);
    world.run(10 * second);
    EXPECT_EQ(world.read(1, PeerWorld::question(0, kept, 0))->chunks.size(), 2u);
    EXPECT_EQ(world.read(1, PeerWorld::question(0, ended, 0))->state, ReadState::finished);
}

}  // namespace
}  // namespace nodex::replication
