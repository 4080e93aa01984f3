// Messages between POPs: what is encoded is decoded; what is cut or lies about its counts is
// refused. Pair keys open for the two POPs of the pair, and for nobody else.
#include "replication/peer_messages.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "replication/pair_keys.h"
#include "tests/unit/storage/samples.h"

namespace nodex::replication {
namespace {

using storage::samples::id;

// Equal after a round trip, and refused when any octet is missing.
template <class Message, class Decode>
void check(const Message& message, Decode decode) {
    const std::string encoded = encode(message);
    const auto decoded = decode(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(encode(*decoded), encoded);
    for (std::size_t size = 0; size < encoded.size(); ++size)
        EXPECT_FALSE(decode(Bytes(encoded).substr(0, size))) << size;
    EXPECT_TRUE(decode(encoded + "a newer field"));
}

TEST(PeerMessages, EveryMessageSurvivesARoundTripAndNoPrefixDoes) {
    check(PeersReply{PopId{2},
                     {{PopId{2}, PopId{3}, std::string(crypto::wrapped_key_bytes, 'k')},
                      {PopId{3}, PopId{1}, std::string(crypto::wrapped_key_bytes, 'l')}}},
          decode_peers_reply);
    ReadRequest read;
    read.owner = PopId{7};
    read.account = AccountId{9};
    read.idempotency = id<IdempotencyId>(5);
    read.fingerprint = id<Fingerprint>(6);
    read.request = id<RequestId>(8);
    read.from_chunk = 11;
    read.bytes_max = 12;
    read.wait_ms = 13;
    check(read, decode_read_request);
    ReadReply reply;
    reply.state = ReadState::finished;
    reply.request = id<RequestId>(1);
    reply.session = id<SessionId>(2);
    reply.body = id<BodyId>(3);
    reply.stream = true;
    reply.chunks_count = 2;
    reply.key_record = "key";
    reply.answer = storage::samples::finish(storage::samples::request(1), 5).answer;
    reply.chunks = {"one", "two"};
    check(reply, decode_read_reply);
    CopyRequest copy;
    copy.life = 99;
    copy.pieces.push_back({AccountId{1},
                           id<IdempotencyId>(2),
                           id<RequestId>(3),
                           4,
                           "open",
                           "key",
                           "answer",
                           {"chunk", ""}});
    copy.pieces.push_back(
        {AccountId{1}, id<IdempotencyId>(2), id<RequestId>(3), 6, "", "", "", {}});
    check(copy, decode_copy_request);
    check(CopyReply{{{storage::CopyVerdict::stored, 3}, {storage::CopyVerdict::refused, 0}}},
          decode_copy_reply);
}

TEST(PeerMessages, CountsThatTheMessageCannotHoldAreRefused) {
    ReadReply reply;
    std::string encoded = encode(reply);
    encoded[encoded.size() - 1] = '\x7f';  // two thousand million chunks
    EXPECT_FALSE(decode_read_reply(encoded));
    std::string copies = encode(CopyRequest{});
    copies[copies.size() - 1] = '\x7f';
    EXPECT_FALSE(decode_copy_request(copies));
    std::string peers = encode(PeersReply{});
    peers[peers.size() - 1] = '\x7f';
    EXPECT_FALSE(decode_peers_reply(peers));
}

TEST(PeerMessages, AFinishedReplyWithoutItsAnswerIsRefused) {
    ReadReply reply;
    reply.state = ReadState::finished;
    EXPECT_FALSE(decode_read_reply(encode(reply)));
}

TEST(PeerMessages, ChunkNumbersThatWouldOverflowAreRefused) {
    CopyRequest copy;
    copy.pieces.push_back(
        {AccountId{1}, id<IdempotencyId>(2), id<RequestId>(3), UINT32_MAX, "", "", "", {"chunk"}});
    EXPECT_FALSE(decode_copy_request(encode(copy)));
}

TEST(PairKeys, BothSidesGetTheSameKeyAndNobodyElseOpensIt) {
    SeededRandom random(3);
    LinkKeys keys;
    for (std::uint16_t pop = 1; pop <= 3; ++pop)
        keys.emplace_back(PopId{pop}, crypto::SecretKey::generate(random));
    const PeersReply one = peers_of(PopId{1}, keys, random);
    const PeersReply two = peers_of(PopId{2}, keys, random);
    ASSERT_EQ(one.peers.size(), 2u);
    const auto of_one = open_pair_key(PopId{1}, keys[0].second, PopId{2}, one.peers[0].sealed_key);
    const auto of_two = open_pair_key(PopId{2}, keys[1].second, PopId{1}, two.peers[0].sealed_key);
    ASSERT_TRUE(of_one && of_two);
    EXPECT_EQ(of_one->view(), of_two->view());
    EXPECT_FALSE(open_pair_key(PopId{1}, keys[2].second, PopId{2}, one.peers[0].sealed_key));
    EXPECT_FALSE(open_pair_key(PopId{1}, keys[0].second, PopId{3}, one.peers[0].sealed_key));
    EXPECT_FALSE(open_pair_key(PopId{3}, keys[0].second, PopId{2}, one.peers[0].sealed_key));
}

TEST(PairKeys, ANewLinkKeyChangesTheKeysOfItsPairsOnly) {
    SeededRandom random(3);
    const auto a = crypto::SecretKey::generate(random), b = crypto::SecretKey::generate(random),
               c = crypto::SecretKey::generate(random), d = crypto::SecretKey::generate(random);
    const auto before = pair_key(PopId{1}, a, PopId{2}, b);
    EXPECT_EQ(before.view(), pair_key(PopId{2}, b, PopId{1}, a).view());
    EXPECT_NE(before.view(), pair_key(PopId{1}, d, PopId{2}, b).view());
    EXPECT_NE(before.view(), pair_key(PopId{1}, a, PopId{3}, c).view());
}

TEST(PairKeys, TheBuddyIsTheNextInOrderAndTheFirstAfterTheLast) {
    SeededRandom random(3);
    LinkKeys keys;
    for (const std::uint16_t pop : {std::uint16_t{9}, std::uint16_t{2}, std::uint16_t{5}})
        keys.emplace_back(PopId{pop}, crypto::SecretKey::generate(random));
    EXPECT_EQ(peers_of(PopId{2}, keys, random).buddy, PopId{5});
    EXPECT_EQ(peers_of(PopId{5}, keys, random).buddy, PopId{9});
    EXPECT_EQ(peers_of(PopId{9}, keys, random).buddy, PopId{2});
    keys.resize(1);
    EXPECT_EQ(peers_of(PopId{9}, keys, random).buddy, PopId{});
    EXPECT_TRUE(peers_of(PopId{4}, keys, random).peers.empty());
}

}  // namespace
}  // namespace nodex::replication
