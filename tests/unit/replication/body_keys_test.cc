// Body keys from the centre to POPs: who may open them, which version is used, what is left of them
// after an order to destroy, and what a root key that is not the right one means.
#include "replication/body_keys.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "edge/base/limits.h"
#include "replication/central/body_key_service.h"
#include "tests/unit/replication/pop_world.h"

namespace nodex::replication::body_keys_test {
namespace {

constexpr AccountId account{1};
constexpr std::int64_t day_ms = 24 * 3'600'000;

struct Body {
    BodyId id;
    std::string key_record;
    std::string sealed;
};
Body seal(const storage::Vault& vault, AccountId id, Random& random) {
    Result<storage::BodyWriter> writer = vault.create_body(id, 1, random);
    NX_ASSERT(writer.has_value());
    Body body{writer->id(), writer->key_record(), {}};
    writer->seal("the text", true, body.sealed);
    return body;
}
// "" when it does not open.
std::string open(const storage::Vault& vault, AccountId id, const Body& body) {
    const Result<storage::BodyReader> reader = vault.open_body(id, body.id, body.key_record);
    std::string text;
    if (reader) (void)reader->open(0, true, body.sealed, text);
    return text;
}

TEST(BodyKeyMessages, ComeBackAsTheyWere) {
    const std::string sealed(crypto::wrapped_key_bytes, 's');
    const BodyKeyReply reply{{{AccountId{7}, 2, 65'536, {{65'536, sealed}, {65'537, sealed}}},
                              {AccountId{8}, 0, 65'536, {}}}};
    const std::string bytes = encode(reply);
    const Result<BodyKeyReply> read = decode_body_key_reply(bytes);
    ASSERT_TRUE(read);
    EXPECT_EQ(encode(*read), bytes);
    ASSERT_EQ(read->entries.size(), 2u);
    EXPECT_EQ(read->entries[0].keys[1].version, 65'537u);
    for (std::size_t cut = 0; cut < bytes.size(); ++cut)
        EXPECT_FALSE(decode_body_key_reply(bytes.substr(0, cut)));
    const std::string request = encode(BodyKeyRequest{{{AccountId{7}, 3}, {AccountId{9}, 0}}});
    ASSERT_TRUE(decode_body_key_request(request));
    EXPECT_EQ(encode(*decode_body_key_request(request)), request);
    EXPECT_FALSE(decode_body_key_request(std::string(2, '\xff') + request.substr(2)));
}

TEST(BodyKeySeal, OpensForItsPopAccountAndVersionOnly) {
    SeededRandom random(1);
    const crypto::SecretKey link = crypto::SecretKey::generate(random);
    const crypto::SecretKey key = crypto::SecretKey::generate(random);
    const crypto::SecretKey derived = body_key_link_key(link);
    std::string sealed = seal_body_key(derived, PopId{1}, account, 65'536, key, random);
    const auto opened = open_body_key(derived, PopId{1}, account, 65'536, sealed);
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->view(), key.view());
    EXPECT_FALSE(open_body_key(derived, PopId{2}, account, 65'536, sealed));
    EXPECT_FALSE(open_body_key(derived, PopId{1}, AccountId{2}, 65'536, sealed));
    EXPECT_FALSE(open_body_key(derived, PopId{1}, account, 65'537, sealed));
    EXPECT_FALSE(open_body_key(link, PopId{1}, account, 65'536, sealed))
        << "the MAC key itself opens nothing";
    sealed[40] ^= 1;
    EXPECT_FALSE(open_body_key(derived, PopId{1}, account, 65'536, sealed));
}

TEST(BodyKeys, AreTheSameAtEveryPop) {
    PopWorld world;
    world.make_account();
    PopWorld::Pop& first = world.start(0);
    PopWorld::Pop& second = world.start(1);
    ASSERT_TRUE(world.served(first));
    ASSERT_TRUE(world.served(second));
    EXPECT_EQ(first.vault->current_version(account), first_body_key_version);
    EXPECT_EQ(open(*second.vault, account, seal(*first.vault, account, world.random)), "the text");
}

TEST(BodyKeys, AreKeptForAStartWithoutTheCentre) {
    PopWorld world(1);
    world.make_account();
    ASSERT_TRUE(world.served(world.start(0)));
    const Body body = seal(*world.pops[0]->vault, account, world.random);
    world.pops[0]->store.lose_power(0);
    world.network.cut(0, true);
    const PopWorld::Pop& again = world.start(0);
    EXPECT_EQ(open(*again.vault, account, body), "the text");
    EXPECT_TRUE(again.vault->create_body(account, 1, world.random));
}

// Databases of before have keys that their POP made: versions 1 and up, of no use elsewhere.
TEST(BodyKeys, OnesThatThePopMadeBeforeStayReadableAndAreNotUsedAnyMore) {
    PopWorld world(1);
    world.make_account();
    world.start(0);
    PopWorld::Pop& pop = *world.pops[0];
    const auto old_key =
        pop.vault->wrap(account, 1, crypto::SecretKey::generate(world.random), world.random);
    storage::Batch batch;
    storage::put_kek(old_key, batch);
    ASSERT_TRUE(pop.store.write(batch, storage::Durability::power));
    pop.vault->activate(old_key);
    const Body old_body = seal(*pop.vault, account, world.random);
    world.start(0);
    ASSERT_TRUE(world.served(pop));
    EXPECT_EQ(open(*pop.vault, account, old_body), "the text");
    EXPECT_EQ(pop.vault->current_version(account), first_body_key_version);
}

TEST(BodyKeys, ANewVersionReachesEveryPopAndOldBodiesStayReadable) {
    PopWorld world;
    world.make_account();
    for (unsigned i = 0; i < 2; ++i) ASSERT_TRUE(world.served(world.start(i)));
    const Body old_body = seal(*world.pops[0]->vault, account, world.random);
    world.clock.advance(30 * 24 * 3'600 * second);  // the centre rotates by itself
    ASSERT_TRUE(world.until([&] {
        return world.pops[0]->vault->current_version(account) == first_body_key_version + 1 &&
               world.pops[1]->vault->current_version(account) == first_body_key_version + 1;
    }));
    EXPECT_EQ(open(*world.pops[1]->vault, account, old_body), "the text");
}

TEST(BodyKeys, ShreddingReachesEveryPopEvenOneThatWasAway) {
    PopWorld world;
    world.make_account();
    for (unsigned i = 0; i < 2; ++i) ASSERT_TRUE(world.served(world.start(i)));
    const Body body = seal(*world.pops[0]->vault, account, world.random);
    world.network.cut(1, true);
    ASSERT_TRUE(world.ledger.shred_account(account, world.clock.wall_ms()));
    const auto shredded = [&](unsigned number) {
        return world.until([&] {
            const auto version = world.pops[number]->vault->current_version(account);
            return version == first_body_key_version + 1 &&
                   open(*world.pops[number]->vault, account, body).empty();
        });
    };
    EXPECT_TRUE(shredded(0)) << "and it has the account's next key";
    EXPECT_EQ(open(*world.pops[1]->vault, account, body), "the text") << "it cannot know yet";
    world.network.cut(1, false);
    EXPECT_TRUE(shredded(1));
    world.start(1);
    EXPECT_TRUE(open(*world.pops[1]->vault, account, body).empty()) << "nor after a restart";
    const Result<ledger::BodyKeys> kept = world.ledger.body_keys(account);
    ASSERT_EQ(kept->versions.size(), 1u);
    EXPECT_EQ(kept->versions[0].number, first_body_key_version + 1)
        << "a number names one key for good";
}

// A ledger that is restored to before the order would give the old key out again.
TEST(BodyKeys, WhatWasShreddedStaysShreddedWhenTheLedgerIsRestored) {
    PopWorld world(1);
    world.make_account();
    ASSERT_TRUE(world.served(world.start(0)));
    PopWorld::Pop& pop = *world.pops[0];
    const Body body = seal(*pop.vault, account, world.random);
    const MemoryLedgerStore backup = world.ledger_store;
    ASSERT_TRUE(world.ledger.shred_account(account, world.clock.wall_ms()));
    ASSERT_TRUE(world.until(
        [&] { return pop.vault->current_version(account) == first_body_key_version + 1; }));
    world.ledger_store = backup;
    ASSERT_TRUE(world.ledger.raise_epoch(world.clock.wall_ms()));
    world.start_centre();
    storage::Batch batch;
    storage::erase_keks(account, batch);  // it has no key at all: it will take what it gets
    ASSERT_TRUE(pop.store.write(batch, storage::Durability::power));
    world.start(0);
    world.served(pop);
    EXPECT_FALSE(
        world.until([&] { return pop.vault->current_version(account).has_value(); }, 5 * second));
    EXPECT_TRUE(open(*pop.vault, account, body).empty());
}

// The backup is of before the account's first key: the centre begins anew, above it.
TEST(BodyKeys, AKeyThatTheRestoredLedgerLostStaysUsableWhereItIs) {
    PopWorld world(1);
    world.make_account();
    const MemoryLedgerStore backup = world.ledger_store;
    ASSERT_TRUE(world.served(world.start(0)));
    PopWorld::Pop& pop = *world.pops[0];
    const Body body = seal(*pop.vault, account, world.random);
    world.ledger_store = backup;
    const std::uint64_t epoch = *world.ledger.raise_epoch(world.clock.wall_ms());
    world.start_centre();
    ASSERT_TRUE(world.until([&] { return pop.vault->current_version(account) == epoch; }));
    EXPECT_EQ(open(*pop.vault, account, body), "the text");
    world.start(0);
    EXPECT_EQ(open(*pop.vault, account, body), "the text") << "and it is still stored";
}

ErrorCode sealing(const PopWorld::Pop& pop, Random& random) {
    const Result<storage::BodyWriter> writer = pop.vault->create_body(account, 1, random);
    return writer ? ErrorCode::none : writer.error().code;
}
ErrorCode opening(const PopWorld::Pop& pop, const Body& body) {
    const auto reader = pop.vault->open_body(account, body.id, body.key_record);
    return reader ? ErrorCode::none : reader.error().code;
}

// The customer was told that his account is blocked, and no client tries that again.
TEST(BodyKeys, AnAccountMayBeKnownBeforeItsKeyAndIsNotTakenForAShreddedOne) {
    PopWorld world;
    KeyHash hash;
    hash.octets[0] = 1;
    const auto knows = [&](const PopWorld::Pop& pop) {
        return world.until([&] { return pop.directory && pop.directory->find_key(hash); });
    };
    PopWorld::Pop& here = *world.pops[0];
    for (unsigned i = 0; i < 2; ++i) ASSERT_TRUE(world.served(world.start(i)));
    const auto root = std::exchange(world.root, std::nullopt);
    world.start_centre();
    world.make_account();
    KeySettings settings;
    settings.name = "key";
    ASSERT_TRUE(world.ledger.create_key(account, hash, settings, world.clock.wall_ms()));
    ASSERT_TRUE(knows(here));
    EXPECT_EQ(sealing(here, world.random), ErrorCode::unavailable);

    world.network.cut(0, true);
    world.root = root;
    world.start_centre();
    const PopWorld::Pop& there = *world.pops[1];
    ASSERT_TRUE(world.until([&] { return there.vault->current_version(account).has_value(); }));
    const Body body = seal(*there.vault, account, world.random);
    world.start(0);  // it ended in between
    ASSERT_TRUE(knows(here));
    EXPECT_EQ(sealing(here, world.random), ErrorCode::unavailable);
    EXPECT_EQ(opening(here, body), ErrorCode::unavailable);
    world.network.cut(0, false);
    ASSERT_TRUE(world.until([&] { return opening(here, body) == ErrorCode::none; }));
    EXPECT_EQ(sealing(here, world.random), ErrorCode::none);
}

// The order comes while no other key does, and the POP ends after every step of its way.
TEST(BodyKeys, WhatWasShreddedIsToldAsGoneInEveryLaterLife) {
    PopWorld world(1);
    world.make_account();
    ASSERT_TRUE(world.served(world.start(0)));
    PopWorld::Pop& pop = *world.pops[0];
    const Body body = seal(*pop.vault, account, world.random);
    const auto root = std::exchange(world.root, std::nullopt);
    world.start_centre();
    ASSERT_TRUE(world.ledger.shred_account(account, world.clock.wall_ms()));
    bool gone = false;
    for (unsigned life = 0; life < 60; ++life) {
        for (unsigned steps = 0; steps <= life; ++steps) world.step();
        world.start(0);
        const ErrorCode code = opening(pop, body);
        EXPECT_EQ(code, gone || code != ErrorCode::none ? ErrorCode::forbidden : ErrorCode::none);
        gone = code == ErrorCode::forbidden;
    }
    EXPECT_TRUE(gone);
    EXPECT_EQ(sealing(pop, world.random), ErrorCode::unavailable);
    // Nor does a feed of before the order bring it back.
    storage::Batch feed;
    erase_feed(feed);
    ASSERT_TRUE(pop.store.write(feed, storage::Durability::power));
    world.start(0);
    EXPECT_EQ(opening(pop, body), ErrorCode::forbidden);
    world.root = root;
    world.start_centre();
    ASSERT_TRUE(world.until([&] { return sealing(pop, world.random) == ErrorCode::none; }));
    EXPECT_EQ(opening(pop, body), ErrorCode::forbidden);
}

TEST(BodyKeys, AClosedAccountGetsNone) {
    PopWorld world(1);
    const AccountId closed = world.make_account();
    ASSERT_TRUE(
        world.ledger.set_account_state(closed, AccountState::closed, world.clock.wall_ms()));
    ASSERT_TRUE(world.served(world.start(0)));
    EXPECT_FALSE(world.pops[0]->vault->current_version(closed));
    EXPECT_TRUE(world.ledger.body_keys(closed)->versions.empty());
}

class BodyKeyServiceTest : public testing::Test {
  protected:
    BodyKeyServiceTest() {
        (void)ledger.create_account("a", *ledger::parse_currency("USD"), 0);
        std::filesystem::create_directories(folder);
    }
    ~BodyKeyServiceTest() override { std::filesystem::remove_all(folder); }
    ErrorCode start(const std::optional<crypto::SecretKey>& given = {}) {
        service = std::make_unique<BodyKeyService>(ledger, random);
        const Status started = service->start(given, path);
        return started ? ErrorCode::none : started.error().code;
    }
    std::string plain(std::uint16_t pop) {
        const auto reply = service->answer(PopId{pop}, link, {{{account, 0}}}, 0);
        NX_ASSERT(reply.has_value());
        const BodyKeyReply::Key& key = reply->entries.at(0).keys.at(0);
        const auto opened =
            open_body_key(body_key_link_key(link), PopId{pop}, account, key.version, key.sealed);
        return opened ? std::string(opened->view()) : "";
    }
    SeededRandom random{4};
    crypto::SecretKey link = crypto::SecretKey::generate(random);
    MemoryLedgerStore store;
    Ledger ledger{store};
    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("nodex_root_key_" + std::to_string(::getpid()));
    std::string path = (folder / "root.key").string();
    std::unique_ptr<BodyKeyService> service;
};

TEST_F(BodyKeyServiceTest, MakesItsRootKeyOnceAndGivesTheSameKeyAfterARestart) {
    ASSERT_EQ(start(), ErrorCode::none);
    const std::string key = plain(1);
    EXPECT_EQ(key.size(), 32u);
    ASSERT_EQ(start(), ErrorCode::none);
    EXPECT_EQ(plain(1), key);
    EXPECT_EQ(plain(2), key);
    EXPECT_EQ(std::filesystem::status(path).permissions(),
              std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(BodyKeyServiceTest, RefusesToStartWithoutTheRootKeyOfItsLedger) {
    ASSERT_EQ(start(), ErrorCode::none);
    plain(1);
    std::filesystem::remove(path);
    EXPECT_EQ(start(), ErrorCode::bad_configuration);
    EXPECT_FALSE(std::filesystem::exists(path)) << "and makes no other in its place";
    EXPECT_EQ(start(crypto::SecretKey::generate(random)), ErrorCode::bad_configuration);
}

TEST_F(BodyKeyServiceTest, TheLedgerHoldsNoPlainKey) {
    ASSERT_EQ(start(), ErrorCode::none);
    const std::string key = plain(1);
    (void)store.scan(LedgerTable::kek, {}, {}, [&](Bytes, Bytes value) {
        EXPECT_EQ(std::string(value).find(key), std::string::npos);
        return true;
    });
}

TEST_F(BodyKeyServiceTest, VersionsEndAfterTheLongestLifeOfABodyAndAreBounded) {
    ASSERT_EQ(start(), ErrorCode::none);
    ASSERT_TRUE(service->rotate(account, 0));
    for (unsigned i = 1; i < limits::body_key_versions_max; ++i)
        ASSERT_TRUE(service->rotate(account, day_ms));
    EXPECT_EQ(service->rotate(account, day_ms).error().code, ErrorCode::limit_exceeded);
    const auto later = service->rotate(account, 36 * day_ms);
    ASSERT_TRUE(later);
    EXPECT_EQ(later->versions.size(), 2u) << "the last but one was in use until a moment ago";
}

TEST_F(BodyKeyServiceTest, NumbersGoOnBehindThoseThatWereShredded) {
    ASSERT_EQ(start(), ErrorCode::none);
    ASSERT_TRUE(service->rotate(account, 0));
    ASSERT_TRUE(ledger.shred_account(account, 0));
    EXPECT_EQ(service->rotate(account, 0)->versions.back().number, first_body_key_version + 1);
}

// Each of them lost what the one before had given out, and they are restored within one second.
TEST_F(BodyKeyServiceTest, NoTwoRestoredLedgersGiveTheSameNumber) {
    ASSERT_EQ(start(), ErrorCode::none);
    const MemoryLedgerStore backup = store;
    std::set<std::uint32_t> numbers;
    std::uint64_t epoch = 0;
    std::int64_t now_ms = 1'790'000'000'000;
    for (int restore = 0; restore < 20; ++restore, now_ms += 150) {
        store = backup;
        epoch = *ledger.raise_epoch(now_ms, epoch);
        for (int made = 0; made < 3; ++made) {
            const auto keys = service->rotate(account, now_ms);
            if (made == 0) {
                ASSERT_TRUE(keys);
            }
            if (!keys) {
                EXPECT_EQ(keys.error().code, ErrorCode::limit_exceeded);
            } else {
                EXPECT_TRUE(numbers.insert(keys->versions.back().number).second);
            }
        }
    }
    EXPECT_GE(numbers.size(), 20u);
    now_ms = static_cast<std::int64_t>(epoch + 40) * 1'000;
    EXPECT_TRUE(service->rotate(account, now_ms)) << "it waits for half a minute only";
}

TEST_F(BodyKeyServiceTest, NumbersOfALostLedgerAreNotGivenAgainWhenTheClockWentBack) {
    ASSERT_EQ(start(), ErrorCode::none);
    const MemoryLedgerStore backup = store;
    std::set<std::uint32_t> numbers;
    std::int64_t now_ms = 1'790'000'000'000;
    const std::uint64_t epoch = *ledger.raise_epoch(now_ms, 0);
    now_ms += 25'000;
    for (int made = 0; made < 10; ++made)
        if (const auto keys = service->rotate(account, now_ms))
            numbers.insert(keys->versions.back().number);
    now_ms -= 28'000;
    store = backup;
    ASSERT_TRUE(ledger.raise_epoch(now_ms, epoch));
    const auto keys = service->rotate(account, now_ms);
    ASSERT_TRUE(keys);
    EXPECT_TRUE(numbers.insert(keys->versions.back().number).second);
}

}  // namespace
}  // namespace nodex::replication::body_keys_test
