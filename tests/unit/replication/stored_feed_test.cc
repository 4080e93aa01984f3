// A POP without its centre: what it serves after a start, what it does not, and how it finds back.
#include "replication/stored_feed.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/pop_world.h"

namespace nodex::replication {
namespace {

constexpr AccountId account{1};

KeyHash hash_of(std::uint8_t number) {
    KeyHash hash;
    hash.octets[0] = number;
    return hash;
}
KeyId make_key(PopWorld& world, std::uint8_t number) {
    KeySettings settings;
    settings.name = "key";
    return world.ledger.create_key(account, hash_of(number), settings, world.clock.wall_ms())->id;
}
// The start of a POP that knows one key, on a disk that lost its power, cut off.
PopWorld::Pop& restart_cut_off(PopWorld& world) {
    world.make_account();
    make_key(world, 1);
    NX_ASSERT(world.served(world.start(0)));
    world.step();
    world.pops[0]->store.lose_power(world.pops[0]->store.unsynced_count());
    world.network.cut(0, true);
    return world.start(0);
}

TEST(StoredFeed, ServesAStartWithoutTheCentre) {
    PopWorld world(1);
    PopWorld::Pop& pop = restart_cut_off(world);
    EXPECT_EQ(pop.directory, nullptr);
    ASSERT_TRUE(world.until([&] { return pop.directory != nullptr; }, 3 * second));
    EXPECT_NE(pop.directory->find_key(hash_of(1)), nullptr);
    EXPECT_NE(pop.core->link().incarnation(), 0u) << "request ids name the same incarnation";
    EXPECT_TRUE(pop.vault->create_body(account, 1, world.random));
}

TEST(StoredFeed, GrantsNothingToSpend) {
    PopWorld world(1);
    PopWorld::Pop& pop = restart_cut_off(world);
    ASSERT_TRUE(world.served(pop));
    std::optional<AskVerdict> verdict;
    pop.core->leases().ask({LeaseKey::Kind::account, 1}, {}, 1,
                           [&](AskVerdict told, LeaseScope*, LeaseScope*) { verdict = told; });
    ASSERT_TRUE(
        world.until([&] { return verdict.has_value(); }, limits::lease_ask_deadline + second));
    EXPECT_EQ(*verdict, AskVerdict::unavailable);
}

TEST(StoredFeed, FollowsTheCentreWhenTheLinkReturns) {
    PopWorld world(1);
    PopWorld::Pop& pop = restart_cut_off(world);
    ASSERT_TRUE(world.served(pop));
    make_key(world, 2);
    world.network.cut(0, false);
    ASSERT_TRUE(world.until([&] { return pop.directory->find_key(hash_of(2)) != nullptr; }));
    EXPECT_NE(pop.directory->find_key(hash_of(1)), nullptr);
    EXPECT_TRUE(pop.registered());
}

TEST(StoredFeed, IsNotWaitedForWhenTheCentreAnswers) {
    PopWorld world(1);
    world.make_account();
    make_key(world, 1);
    ASSERT_TRUE(world.served(world.start(0)));
    make_key(world, 2);
    PopWorld::Pop& pop = world.start(0);
    ASSERT_TRUE(world.served(pop));
    EXPECT_NE(pop.directory->find_key(hash_of(2)), nullptr) << "the first one is up to date";
}

TEST(StoredFeed, APopThatWasNeverRegisteredServesNothing) {
    PopWorld world(1);
    world.network.cut(0, true);
    const PopWorld::Pop& pop = world.start(0);
    EXPECT_FALSE(world.until([&] { return pop.directory != nullptr; }, 10 * second));
}

TEST(StoredFeed, ADamagedRowIsNotServedAndTheCentreIsAskedForAll) {
    PopWorld world(1);
    world.make_account();
    make_key(world, 1);
    ASSERT_TRUE(world.served(world.start(0)));
    world.step();
    std::string place;
    (void)world.pops[0]->store.scan(storage::Family::feed, "o", "p", [&](Bytes key, Bytes) {
        place = std::string(key);
        return true;
    });
    ASSERT_TRUE(world.pops[0]->store.corrupt_value(storage::Family::feed, place));
    PopWorld::Pop& pop = world.start(0);
    ASSERT_TRUE(world.served(pop));
    EXPECT_NE(pop.directory->find_key(hash_of(1)), nullptr);
}

// The bound of a revocation: two seconds while linked, at every POP.
TEST(StoredFeed, ARevokedKeyIsKnownEverywhereWithinTwoSeconds) {
    PopWorld world;
    world.make_account();
    const KeyId key = make_key(world, 1);
    for (unsigned i = 0; i < 2; ++i) ASSERT_TRUE(world.served(world.start(i)));
    ASSERT_TRUE(world.ledger.set_key_state(key, KeyState::revoked, world.clock.wall_ms()));
    ASSERT_TRUE(world.until(
        [&] {
            for (const auto& pop : world.pops)
                if (pop->directory->find_key(hash_of(1))->state != KeyState::revoked) return false;
            return true;
        },
        2 * second))
        << "by heartbeats alone: nobody sent a hint";
}

}  // namespace
}  // namespace nodex::replication
