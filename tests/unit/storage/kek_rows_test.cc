// Another node key: whatever moment the change is ended at, another run ends it, and no body is lost.
// What was destroyed is told so for good.
#include "storage/kek_rows.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "edge/base/codec.h"
#include "storage/sim_store.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage {
namespace {

constexpr std::uint64_t accounts = 3 * rewrap_batch_rows + 17;

class KekRowsTest : public testing::Test {
  protected:
    KekRowsTest() {
        for (const auto* key : {&from, &to})
            write_key(key == &from ? "from" : "to", *key);
        const auto vault = open_vault("from");
        Batch batch;
        for (std::uint64_t number = 1; number <= accounts; ++number)
            put_kek(vault->wrap(AccountId{number}, 1, crypto::SecretKey::generate(random), random), batch);
        NX_ASSERT(store.write(batch, Durability::power).has_value());
    }
    void write_key(const std::string& name, const crypto::SecretKey& key) {
        std::ofstream(path(name)) << to_hex(key.view()) << "\n";
        std::filesystem::permissions(path(name), std::filesystem::perms::owner_read);
    }
    std::string path(const std::string& name) const { return folder.path() + "/" + name; }
    std::unique_ptr<Vault> open_vault(const std::string& name) {
        auto vault = Vault::open(path(name), false, random);
        NX_ASSERT(vault.has_value());
        return std::move(*vault);
    }
    bool opens_with(const std::string& name) {
        const auto vault = open_vault(name);
        if (!load_keks(store, *vault)) return false;
        for (std::uint64_t number = 1; number <= accounts; ++number)
            EXPECT_EQ(vault->current_version(AccountId{number}), 1u);
        return true;
    }

    TemporaryDirectory folder;
    SeededRandom random{3};
    crypto::SecretKey from = crypto::SecretKey::generate(random);
    crypto::SecretKey to = crypto::SecretKey::generate(random);
    SimStore store;
};

TEST_F(KekRowsTest, EveryRowIsDurableUnderTheNewKey) {
    const auto count = rewrap_keks(store, from, to, random);
    ASSERT_TRUE(count);
    EXPECT_EQ(count->rewrapped, accounts);
    EXPECT_EQ(count->already, 0u);
    store.lose_power(0);
    EXPECT_TRUE(opens_with("to"));
    EXPECT_FALSE(opens_with("from"));
}

TEST_F(KekRowsTest, ARunThatEndedAfterAnyWriteIsEndedByAnother) {
    for (std::uint64_t writes = 0; writes < 4; ++writes) {
        for (const bool reaches_disk : {false, true}) {
            store.fail_write_after(writes, ErrorCode::storage_failed, reaches_disk);
            const auto failed = rewrap_keks(store, from, to, random);
            ASSERT_FALSE(failed) << writes;
            store.lose_power(0);
            const auto count = rewrap_keks(store, from, to, random);
            ASSERT_TRUE(count) << writes;
            EXPECT_EQ(count->rewrapped + count->already, accounts);
            EXPECT_TRUE(opens_with("to"));
            std::swap(from, to);  // and back again
            ASSERT_TRUE(rewrap_keks(store, from, to, random));
            EXPECT_TRUE(opens_with("from"));
            std::swap(from, to);
        }
    }
}

TEST_F(KekRowsTest, ARowOfAThirdKeyIsCorruptAndNothingIsGuessed) {
    const crypto::SecretKey third = crypto::SecretKey::generate(random);
    const auto count = rewrap_keks(store, third, to, random);
    ASSERT_FALSE(count);
    EXPECT_EQ(count.error().code, ErrorCode::corrupt);
    EXPECT_TRUE(opens_with("from"));
}

class DestroyedKeksTest : public testing::Test {
  protected:
    // Of a body under the account's key of that version, in a new life of the process on this store.
    ErrorCode open_code(std::uint32_t version) {
        const auto sealing = open_vault();
        sealing->activate(key(*sealing, version));
        const Result<BodyWriter> writer = sealing->create_body(account, 1, random);
        NX_ASSERT(writer.has_value());
        const auto vault = open_vault();
        NX_ASSERT(load_keks(store, *vault).has_value());
        const auto reader = vault->open_body(account, writer->id(), writer->key_record());
        return reader ? ErrorCode::none : reader.error().code;
    }
    std::unique_ptr<Vault> open_vault() {
        auto vault = Vault::open(folder.path() + "/node.key", true, random);
        NX_ASSERT(vault.has_value());
        return std::move(*vault);
    }
    Vault::KekRecord key(const Vault& vault, std::uint32_t version) {
        return vault.wrap(account, version, crypto::SecretKey::generate(random), random);
    }
    void write(const std::function<void(Batch&)>& fill) {
        Batch batch;
        fill(batch);
        ASSERT_TRUE(store.write(batch, Durability::power));
    }
    static constexpr AccountId account{7};
    TemporaryDirectory folder;
    SeededRandom random{4};
    SimStore store;
};

TEST_F(DestroyedKeksTest, AreToldAsGoneInEveryLaterLife) {
    EXPECT_EQ(open_code(70'000), ErrorCode::unavailable);
    write([](Batch& batch) { put_destroyed(account, {2, 70'000}, batch); });
    store.lose_power(0);
    EXPECT_EQ(find_destroyed(store, account)->orders, 2u);
    EXPECT_EQ(find_destroyed(store, account)->newest, 70'000u);
    EXPECT_EQ(find_destroyed(store, AccountId{8})->orders, 0u);
    EXPECT_EQ(open_code(70'000), ErrorCode::forbidden);
    EXPECT_EQ(open_code(70'001), ErrorCode::unavailable);
    write([this](Batch& batch) { put_kek(key(*open_vault(), 70'001), batch); });
    EXPECT_EQ(open_code(70'000), ErrorCode::forbidden);
    EXPECT_EQ(open_code(70'002), ErrorCode::unavailable);
}

// Earlier versions of this program stored the number of orders only.
TEST_F(DestroyedKeksTest, RowsOfBeforeAreReadAndOtherOctetsAreNot) {
    std::string place;
    write([](Batch& batch) { put_destroyed(account, {3, 70'000}, batch); });
    NX_ASSERT(store.scan(Family::meta, "shred/", "shred0", [&](Bytes row, Bytes) {
        place = std::string(row);
        return true;
    }));
    write([&](Batch& batch) { batch.put(Family::meta, place, Bytes("\x03\0\0\0", 4)); });
    EXPECT_EQ(find_destroyed(store, account)->orders, 3u);
    EXPECT_EQ(open_code(70'000), ErrorCode::unavailable);
    for (const std::size_t size : {0u, 3u, 7u, 9u}) {
        write([&](Batch& batch) { batch.put(Family::meta, place, std::string(size, '\1')); });
        EXPECT_EQ(find_destroyed(store, account).error().code, ErrorCode::corrupt) << size;
        EXPECT_EQ(load_keks(store, *open_vault()).error().code, ErrorCode::corrupt) << size;
    }
}

}  // namespace
}  // namespace nodex::storage
