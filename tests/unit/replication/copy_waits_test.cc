// Who waits for the buddy: events are shown once it has them, nobody waits for longer than the
// limit, and a buddy that was late is waited for again only after it has kept up.
#include "replication/copy_waits.h"

#include <gtest/gtest.h>

#include "tests/unit/replication/peer_world.h"

namespace nodex::replication {
namespace {

using Word = CopyWaits::Word;

class CopyWaitsTest : public testing::Test {
  protected:
    static constexpr unsigned owner = 0, buddy = 1, other = 2;

    CopyWaits& waits() { return world.peers(owner).waits(); }
    // As the agent does: what was stored before is news first.
    std::shared_ptr<std::optional<Word>> ask(const CopyWaits::Ask& ask) {
        world.pop(owner).core->appended(world.pop(owner).tap->take());
        auto word = std::make_shared<std::optional<Word>>();
        waits().ask(ask, [word](Word told) { *word = told; });
        return word;
    }
    std::shared_ptr<std::optional<Word>> ask_chunks(const storage::OpenRequest& open,
                                                    std::uint32_t chunks) {
        return ask({open.request_id, chunks, false, false});
    }
    std::optional<ReadReply> read_at_other(const storage::OpenRequest& open, std::uint32_t from) {
        return world.read(other, PeerWorld::question(owner, open, from));
    }
    PeerWorld world{3, 1, true};
};

TEST_F(CopyWaitsTest, AChunkIsShownWhenTheBuddyHasItAndNotBefore) {
    const auto open = world.open(owner, 1);
    world.append(owner, open, 0);
    const auto word = ask_chunks(open, 1);
    EXPECT_FALSE(*word);
    world.run(limits::buddy_batch_delay);  // nothing is gathered while somebody waits
    EXPECT_EQ(*word, Word::copied);
    world.kill(owner);
    const auto copy = read_at_other(open, 0);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->chunks, (std::vector<std::string>{"chunk 0"}));
}

TEST_F(CopyWaitsTest, WhatTheBuddyHasAlreadyIsShownAtOnce) {
    const auto open = world.open(owner, 1);
    world.append(owner, open, 0);
    world.append(owner, open, 1);
    world.run(100 * millisecond);
    EXPECT_EQ(*ask_chunks(open, 2), Word::copied);
    EXPECT_EQ(*ask_chunks(open, 1), Word::copied);
}

TEST_F(CopyWaitsTest, TheEndIsShownWhenTheWholeAnswerIsAtTheBuddy) {
    const auto open = world.open(owner, 1);
    world.append(owner, open, 0);
    const auto end = ask({open.request_id, 0, true, false});
    world.run(100 * millisecond);
    EXPECT_FALSE(*end) << "it has not ended";
    world.finish(owner, open, 1);
    world.run(100 * millisecond);
    EXPECT_EQ(*end, Word::copied);
    // A replay of it now, and of an answer that an earlier process made.
    EXPECT_EQ(*ask({open.request_id, 1, true, true}), Word::copied);
    world.kill(owner);
    EXPECT_EQ(read_at_other(open, 0)->state, ReadState::finished);
}

TEST_F(CopyWaitsTest, AReplayWaitsForAnAnswerThatHasJustEnded) {
    const auto open = world.open(owner, 1);
    world.append(owner, open, 0);
    world.finish(owner, open, 1);
    const auto replay = ask({open.request_id, 1, true, true});
    EXPECT_FALSE(*replay);
    world.run(100 * millisecond);
    EXPECT_EQ(*replay, Word::copied);
}

TEST_F(CopyWaitsTest, ABuddyThatDoesNotAnswerHoldsUpNobodyBeyondTheLimitAndOnlyOnce) {
    const auto open = world.open(owner, 1);
    world.kill(buddy);
    world.append(owner, open, 0);
    const auto first = ask_chunks(open, 1);
    world.run(limits::copy_wait_max / 2);
    const auto second = ask_chunks(open, 1);
    EXPECT_FALSE(*first);
    world.run(limits::copy_wait_max / 2 + 5 * millisecond);
    EXPECT_EQ(*first, Word::alone);
    EXPECT_EQ(*second, Word::alone) << "it waits for the same buddy";
    EXPECT_TRUE(waits().behind());
    for (std::uint32_t chunk = 1; chunk < 20; ++chunk) {
        world.append(owner, open, chunk);
        EXPECT_EQ(*ask_chunks(open, chunk + 1), Word::alone);
        world.run(limits::copy_wait_max / 4);
    }
    EXPECT_EQ(waits().alone_count(), 21u);
    EXPECT_LE(waits().waiting(), 1u) << "one is watched";
}

TEST_F(CopyWaitsTest, ABuddyThatKeepsUpAgainIsWaitedForAgain) {
    const auto open = world.open(owner, 1);
    world.kill(buddy);
    world.append(owner, open, 0);
    (void)ask_chunks(open, 1);
    world.run(limits::copy_wait_max + 5 * millisecond);
    ASSERT_TRUE(waits().behind());
    world.start(buddy);
    std::uint32_t chunk = 1;
    for (; waits().behind() && chunk < 50; ++chunk) {
        world.append(owner, open, chunk);
        (void)ask_chunks(open, chunk + 1);
        world.run(limits::copy_wait_max / 2);
    }
    EXPECT_FALSE(waits().behind());
    world.append(owner, open, chunk);
    const auto word = ask_chunks(open, chunk + 1);
    EXPECT_FALSE(*word);
    world.run(100 * millisecond);
    EXPECT_EQ(*word, Word::copied);
}

TEST_F(CopyWaitsTest, ARoundTripLongerThanTheLimitHoldsUpNobodyForGood) {
    SimFaults far;
    far.delay_min = far.delay_max = limits::copy_wait_max;
    world.network().set_faults(far);
    const auto open = world.open(owner, 1);
    unsigned held = 0;
    for (std::uint32_t chunk = 0; chunk < 40; ++chunk) {
        world.append(owner, open, chunk);
        held += !*ask_chunks(open, chunk + 1);
        world.run(limits::copy_wait_max / 4);
    }
    EXPECT_LE(held, 4u) << "of the first second only";
    EXPECT_TRUE(waits().behind());
}

TEST_F(CopyWaitsTest, OtherPopsAreShownNoMoreThanClientsHere) {
    const auto open = world.open(owner, 1);
    world.append(owner, open, 0);
    (void)ask_chunks(open, 1);
    world.run(100 * millisecond);
    world.kill(buddy);
    world.append(owner, open, 1);
    const auto word = ask_chunks(open, 2);
    auto seen = read_at_other(open, 0);
    ASSERT_TRUE(seen);
    EXPECT_EQ(seen->state, ReadState::running);
    EXPECT_EQ(seen->chunks, (std::vector<std::string>{"chunk 0"}));
    ASSERT_FALSE(*word);
    world.finish(owner, open, 2);
    EXPECT_EQ(read_at_other(open, 0)->state, ReadState::running) << "nor that it has ended";
    world.run(limits::copy_wait_max);
    EXPECT_EQ(*word, Word::alone);
    seen = read_at_other(open, 0);
    EXPECT_EQ(seen->state, ReadState::finished) << "clients here have seen it";
    EXPECT_EQ(seen->chunks.size(), 2u);
}

TEST_F(CopyWaitsTest, AReadOfAnotherPopThatIsHeldGoesOnWithTheCopy) {
    const auto open = world.open(owner, 1);
    std::optional<Result<ReadReply>> got;
    world.append(owner, open, 0);
    world.pop(owner).core->appended(world.pop(owner).tap->take());
    world.peers(other).remote().read(
        PeerWorld::question(owner, open, 0, 2'000),
        [&got](Result<ReadReply> reply, bool) { got = std::move(reply); });
    world.run(100 * millisecond);
    ASSERT_TRUE(got && got->has_value());
    EXPECT_EQ((*got)->chunks, (std::vector<std::string>{"chunk 0"}));
}

TEST_F(CopyWaitsTest, AnAnswerThatIsNotCopiedIsShownAlone) {
    EXPECT_EQ(*ask({storage::samples::request(9).request_id, 1, false, false}), Word::alone);
    EXPECT_FALSE(waits().behind()) << "the buddy is not late";
    const auto open = world.open(owner, 1);
    const auto word = ask({open.request_id, 0, true, false});
    world.release(owner, open);
    world.run(20 * millisecond);
    EXPECT_EQ(*word, Word::alone) << "there will be no end";
}

TEST_F(CopyWaitsTest, NobodyWaitsAfterTheEnd) {
    const auto open = world.open(owner, 1);
    world.append(owner, open, 0);
    const auto word = ask_chunks(open, 1);
    waits().stop();
    EXPECT_EQ(*word, Word::alone);
    EXPECT_EQ(waits().waiting(), 0u);
}

TEST(CopyWaitsAlone, WithoutAnotherPopNothingWaits) {
    PeerWorld world(1, 1, true);
    const auto open = world.open(0, 1);
    world.append(0, open, 0);
    std::optional<Word> word;
    world.peers(0).waits().ask({open.request_id, 1, false, false}, [&](Word told) { word = told; });
    EXPECT_EQ(word, Word::alone);
    EXPECT_TRUE(world.peers(0).waits().behind());
}

}  // namespace
}  // namespace nodex::replication
