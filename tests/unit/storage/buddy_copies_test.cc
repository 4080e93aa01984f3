// BuddyCopies: pieces in any order make a copy without holes; what may replace what; how much is
// kept.
#include "storage/buddy_copies.h"

#include <gtest/gtest.h>

#include <deque>

#include "edge/base/limits.h"
#include "storage/keyspace.h"
#include "storage/sim_store.h"
#include "tests/unit/storage/samples.h"

namespace nodex::storage {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr PopId owner{7};

class BuddyCopiesTest : public ::testing::Test {
  protected:
    BuddyCopies::Piece piece(const OpenRequest& of, std::uint32_t first,
                             std::vector<Bytes> chunks) {
        BuddyCopies::Piece made;
        made.owner = owner;
        made.owner_life = 1;
        made.account = of.account;
        made.idempotency = of.idempotency;
        made.request = of.request_id;
        made.first_chunk = first;
        if (first == 0) made.key_record = "key record";
        made.chunks = std::move(chunks);
        if (first == 0) {
            encoded.push_back(encode(of));
            made.open = encoded.back();
        }
        return made;
    }
    std::vector<BuddyCopies::Outcome> take(const std::vector<BuddyCopies::Piece>& pieces) {
        Batch batch;
        auto outcomes = copies.take(pieces, now_ms, store, batch);
        EXPECT_TRUE(outcomes.has_value());
        EXPECT_TRUE(store.write(batch, Durability::process).has_value());
        return *outcomes;
    }
    BuddyCopies::Outcome take(const BuddyCopies::Piece& one) { return take(std::vector{one})[0]; }
    std::optional<BuddyCopy> find(const OpenRequest& of) {
        auto found = BuddyCopies::find(of.account, of.idempotency, owner, now_ms, store);
        EXPECT_TRUE(found.has_value());
        return std::move(*found);
    }
    std::string chunk(const OpenRequest& of, std::uint32_t number) {
        return (*store.get(Family::body, body_key(of.answer, number).view())).value_or("");
    }

    SimStore store;
    BuddyCopies copies{{100, 26 * hour_ms}};
    std::int64_t now_ms = 1'000'000;
    std::deque<std::string> encoded;  // keeps what pieces borrow
    const OpenRequest request = samples::request(1);
};

TEST_F(BuddyCopiesTest, PiecesInOrderMakeACopy) {
    EXPECT_EQ(take(piece(request, 0, {"a", "b"})).chunks_count, 2u);
    EXPECT_EQ(take(piece(request, 2, {"c"})).chunks_count, 3u);
    const auto copy = find(request);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->chunks_count, 3u);
    EXPECT_EQ(copy->open.session, request.session);
    EXPECT_FALSE(copy->answer);
    EXPECT_EQ(chunk(request, 2), "c");
    const auto key = store.get(Family::dek, dek_key(request.answer).view());
    EXPECT_EQ(decode_body_key(**key)->key_record, "key record");
    EXPECT_EQ(copies.bytes(), 3u);
}

TEST_F(BuddyCopiesTest, PiecesOfOneCallSeeEachOther) {
    const auto outcomes =
        take({piece(request, 0, {"a"}), piece(request, 1, {"b"}), piece(request, 3, {"d"})});
    EXPECT_EQ(outcomes[1].chunks_count, 2u);
    EXPECT_EQ(outcomes[2].verdict, CopyVerdict::gap);
    EXPECT_EQ(outcomes[2].chunks_count, 2u);
    EXPECT_EQ(find(request)->chunks_count, 2u);
    EXPECT_EQ(chunk(request, 3), "");
}

TEST_F(BuddyCopiesTest, ARepeatedPieceChangesNothingAndIsNotCountedTwice) {
    take(piece(request, 0, {"a", "b"}));
    take(piece(request, 0, {"X", "Y", "c"}));
    EXPECT_EQ(chunk(request, 0), "a");
    EXPECT_EQ(chunk(request, 2), "c");
    EXPECT_EQ(copies.bytes(), 3u);
}

TEST_F(BuddyCopiesTest, WithoutItsOpenRowAPieceIsUnknown) {
    EXPECT_EQ(take(piece(request, 1, {"b"})).verdict, CopyVerdict::unknown);
    EXPECT_FALSE(find(request));
}

TEST_F(BuddyCopiesTest, AnOpenRowOfAnotherRequestAccountOrKeyBeginsNothing) {
    auto foreign = piece(request, 0, {"a"});
    foreign.request = samples::id<RequestId>(2);
    EXPECT_EQ(take(foreign).verdict, CopyVerdict::refused);
    foreign = piece(request, 0, {"a"});
    foreign.account = AccountId{8};
    EXPECT_EQ(take(foreign).verdict, CopyVerdict::refused);
    foreign = piece(request, 0, {"a"});
    foreign.open = "not a row";
    EXPECT_EQ(take(foreign).verdict, CopyVerdict::refused);
    EXPECT_EQ(store.keys_count(Family::buddy), 0u);
    EXPECT_EQ(store.keys_count(Family::body), 0u);
}

TEST_F(BuddyCopiesTest, TheEndMakesItWholeAndKeepsItAsLongAsTheAnswer) {
    take(piece(request, 0, {"a"}));
    Answer answer = samples::finish(request, 5, now_ms + 24 * hour_ms).answer;
    answer.chunks_count = 2;
    auto last = piece(request, 1, {"b"});
    encoded.push_back(encode(answer));
    last.answer = encoded.back();
    EXPECT_EQ(take(last).chunks_count, 2u);
    now_ms += 23 * hour_ms;
    ASSERT_TRUE(find(request));
    EXPECT_EQ(find(request)->answer->chunks_count, 2u);
    now_ms += hour_ms;
    EXPECT_FALSE(find(request));
}

TEST_F(BuddyCopiesTest, ACopyWithoutAnEndExpires) {
    take(piece(request, 0, {"a"}));
    now_ms += limits::buddy_running_retention_ms - 1;
    EXPECT_TRUE(find(request));
    now_ms += 1;
    EXPECT_FALSE(find(request));
}

TEST_F(BuddyCopiesTest, ANewerRequestUnderTheSameKeyTakesThePlaceOfAnOlderOne) {
    take(piece(request, 0, {"a", "b"}));
    OpenRequest newer = samples::request(2);
    newer.idempotency = request.idempotency;
    newer.created_ms = request.created_ms + 1;
    EXPECT_EQ(take(piece(newer, 0, {"n"})).verdict, CopyVerdict::stored);
    EXPECT_EQ(find(request)->open.request_id, newer.request_id);
    EXPECT_EQ(take(piece(request, 0, {"a"})).verdict, CopyVerdict::refused);  // late
    EXPECT_EQ(take(piece(request, 2, {"c"})).verdict, CopyVerdict::unknown);
    EXPECT_EQ(find(request)->chunks_count, 1u);
}

TEST_F(BuddyCopiesTest, ACopyNeverLiesOverAnAnswerOfOurOwn) {
    Batch batch;
    std::string record;
    encode(BodyKey{1, "ours"}, record);
    batch.put(Family::dek, dek_key(request.answer).view(), record);
    batch.put(Family::body, body_key(request.answer, 0).view(), "ours");
    ASSERT_TRUE(store.write(batch, Durability::process).has_value());
    EXPECT_EQ(take(piece(request, 0, {"theirs"})).verdict, CopyVerdict::refused);
    EXPECT_EQ(chunk(request, 0), "ours");
}

TEST_F(BuddyCopiesTest, BytesAreCountedAcrossRestartsAndForgottenWithTheirFiles) {
    take(piece(request, 0, {std::string(60, 'x')}));
    now_ms += hour_ms;
    take(piece(samples::request(2), 0, {std::string(60, 'y')}));
    EXPECT_EQ(take(piece(samples::request(3), 0, {"z"})).verdict, CopyVerdict::refused);
    BuddyCopies restarted{{100, 26 * hour_ms}};
    ASSERT_TRUE(restarted.open(store).has_value());
    EXPECT_EQ(restarted.bytes(), 120u);
    now_ms += 26 * hour_ms;  // the first hour's files are gone
    EXPECT_EQ(take(piece(samples::request(3), 0, {"z"})).verdict, CopyVerdict::stored);
    EXPECT_EQ(copies.bytes(), 61u);
    BuddyCopies again{{100, 26 * hour_ms}};
    ASSERT_TRUE(again.open(store).has_value());
    EXPECT_EQ(again.bytes(), 61u);
}

// One copy that never ends must not fill the disk.
TEST_F(BuddyCopiesTest, ACopyThatWasBegunEndsAQuarterAboveTheBytesThatAreKept) {
    const std::string most(124, 'x');
    EXPECT_EQ(take(piece(request, 0, {most})).verdict, CopyVerdict::stored);
    EXPECT_EQ(take(piece(samples::request(2), 0, {"a"})).verdict, CopyVerdict::refused);
    EXPECT_EQ(take(piece(request, 1, {"b"})).verdict, CopyVerdict::stored);
    EXPECT_EQ(take(piece(request, 2, {"c"})).verdict, CopyVerdict::refused);
    EXPECT_EQ(copies.bytes(), 125u);
    BuddyCopies::Piece end = piece(request, 2, {});
    const Answer answer = samples::finish(request, 5).answer;
    const std::string last = encode(answer);
    end.answer = last;
    EXPECT_EQ(take(end).verdict, CopyVerdict::stored) << "its end costs nothing";
}

TEST_F(BuddyCopiesTest, ShreddingAnAccountForgetsItsCopiesOnly) {
    OpenRequest other = samples::request(2);
    other.account = AccountId{8};
    take(piece(request, 0, {"a"}));
    take(piece(other, 0, {"b"}));
    Batch batch;
    BuddyCopies::forget(request.account, batch);
    ASSERT_TRUE(store.write(batch, Durability::process).has_value());
    EXPECT_FALSE(find(request));
    EXPECT_TRUE(find(other));
}

}  // namespace
}  // namespace nodex::storage
