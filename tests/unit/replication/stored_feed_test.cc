// A POP without its centre: what it serves after a start, what it does not, and how it finds back.
#include "replication/stored_feed.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/pop_world.h"

namespace nodex::replication::stored_feed_test {
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

// A feed of several pages, and the power goes when the first of them is stored.
TEST(StoredFeed, IsServedWholeOrNotAtAll) {
    PopWorld world(1);
    world.make_account();
    KeySettings settings;
    settings.name = "key";
    constexpr unsigned keys = limits::feed_records_max + 1'000;
    for (unsigned i = 0; i < keys; ++i) {
        KeyHash hash = hash_of(1);
        hash.octets[1] = static_cast<std::uint8_t>(i);
        hash.octets[2] = static_cast<std::uint8_t>(i >> 8);
        ASSERT_TRUE(world.ledger.create_key(account, hash, settings, world.clock.wall_ms()));
    }
    PopWorld::Pop& pop = world.start(0);
    const auto stored = [&] {
        unsigned count = 0;
        (void)pop.store.scan(storage::Family::feed, "o", "p", [&](Bytes, Bytes) {
            ++count;
            return true;
        });
        return count;
    };
    ASSERT_TRUE(world.until([&] { return stored() > 0; }));
    ASSERT_LT(stored(), keys) << "only a part of it";
    world.network.cut(0, true);
    (void)world.start(0);
    EXPECT_FALSE(world.until([&] { return pop.directory != nullptr; }, 10 * second))
        << "a key that is not there yet would be refused as unknown";
    world.network.cut(0, false);
    ASSERT_TRUE(world.served(pop));
    EXPECT_EQ(stored(), keys + 1);
    KeyHash last = hash_of(1);
    last.octets[1] = static_cast<std::uint8_t>(keys - 1);
    last.octets[2] = static_cast<std::uint8_t>((keys - 1) >> 8);
    EXPECT_NE(pop.directory->find_key(last), nullptr);
}

// A centre of another version: `change` makes of a reply to rpc.feed what that version says.
void serve_feed_as(PopWorld& world, std::function<void(FeedReply& reply)> change) {
    world.network.centre().serve(
        "nx.v1.rpc.feed",
        [&world, change = std::move(change)](Bytes, Bytes message, const Respond& respond) {
            const Result<OpenedMessage> opened = open(message, world.link_keys[0]);
            NX_ASSERT(opened.has_value());
            Result<FeedReply> reply = world.ledger.feed(decode_feed_request(opened->payload)->from);
            change(*reply);
            Envelope envelope = opened->envelope;
            envelope.type = MessageType::feed_reply;
            envelope.epoch = 1;
            envelope.protocol = protocol_version + 1;
            respond(seal(envelope, encode(*reply), world.link_keys[0]));
        });
}

TEST(StoredFeed, FollowsANewerCentreAndWhatItPassedOverIsFetchedAfterItsUpgrade) {
    PopWorld world(1);
    world.make_account();
    make_key(world, 1);
    serve_feed_as(world, [](FeedReply& reply) {
        if (reply.records.empty()) return;
        for (std::string& record : reply.records) record += "a newer field";
        reply.records.emplace_back("\x7f a kind of object that this version does not know");
    });
    PopWorld::Pop& pop = world.start(0);
    ASSERT_TRUE(world.served(pop));
    EXPECT_NE(pop.directory->find_key(hash_of(1)), nullptr);
    world.step();
    Result<StoredFeed> stored = load_feed(pop.store);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->from, stored->version) << "nothing is known that was not asked for";
    EXPECT_EQ(stored->records.size(), 2u);

    // As a version would have left it that knows a kind less.
    storage::Batch batch;
    std::string version = **pop.store.get(storage::Family::feed, "v");
    version.back() = static_cast<char>(feed_kinds - 1);
    batch.put(storage::Family::feed, "v", version);
    ASSERT_TRUE(pop.store.write(batch, storage::Durability::power));
    stored = load_feed(pop.store);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->from, 0u) << "all of it again";
    EXPECT_GT(stored->version, 0u) << "and served from until then";
    EXPECT_EQ(stored->records.size(), 2u);
    (void)world.start(0);
    ASSERT_TRUE(world.served(pop));
    world.step();
    stored = load_feed(pop.store);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->from, stored->version) << "asked for once";
}

TEST(StoredFeed, FollowsAnOlderCentre) {
    PopWorld world(1);
    world.make_account();
    make_key(world, 1);
    serve_feed_as(world, [](FeedReply& reply) {
        for (std::string& record : reply.records)
            if (record[0] == 0) record.pop_back();  // accounts without a mode of claims
    });
    const PopWorld::Pop& pop = world.start(0);
    ASSERT_TRUE(world.served(pop));
    ASSERT_NE(pop.directory->find_key(hash_of(1)), nullptr);
    EXPECT_EQ(pop.directory->find_key(hash_of(1))->claims, ClaimMode::node);
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
}  // namespace nodex::replication::stored_feed_test
