// Destroyed keys leave the disk: what was erased is in no file any more once it was purged.
#include <gtest/gtest.h>

#include <fstream>

#include "storage/keyspace.h"
#include "storage/purge_thread.h"
#include "storage/rocks_store.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage {
namespace {

struct PurgeTest : testing::Test {
    TemporaryDirectory directory;
    std::unique_ptr<RocksStore> store;

    void SetUp() override { open(); }
    void open() {
        store.reset();
        RocksOptions options;
        options.path = directory.path() + "/db";
        options.free_bytes_min = 0;
        auto opened = RocksStore::open(options);
        ASSERT_TRUE(opened.has_value());
        store = std::move(*opened);
    }
    static BodyId body(char octet) { return BodyId::from(std::string(BodyId::size, octet)); }
    // As long as a wrapped key, and found nowhere else.
    static std::string key(char octet) {
        return std::string("wrapped-key-") + octet + std::string(60, octet);
    }
    void put(char octet) {
        Batch batch;
        std::string row;
        encode(BodyKey{system_clock().wall_ms(), key(octet)}, row);
        batch.put(Family::dek, dek_key(body(octet)).view(), row);
        batch.put(Family::open, std::string(16, octet), "keeps the log needed");
        ASSERT_TRUE(store->write(batch, Durability::power));
    }
    void erase(char octet) {
        Batch batch;
        ASSERT_TRUE(erase_body_key(body(octet), *store, batch));
        ASSERT_TRUE(store->write(batch, Durability::power));
    }
    bool on_disk(char octet) {
        for (const auto& entry : std::filesystem::recursive_directory_iterator(directory.path())) {
            if (!entry.is_regular_file()) continue;
            std::ifstream file(entry.path(), std::ios::binary);
            const std::string content((std::istreambuf_iterator<char>(file)), {});
            if (content.find(key(octet)) != std::string::npos) return true;
        }
        return false;
    }
};

TEST_F(PurgeTest, AnErasedKeyIsOnTheDiskUntilItIsPurgedAndThenInNoFile) {
    put('a');
    put('b');
    erase('a');
    EXPECT_TRUE(on_disk('a'));  // in the log; else this test would show nothing
    const auto purged = purge_marked(*store);
    ASSERT_TRUE(purged);
    EXPECT_EQ(*purged, 1u);
    EXPECT_FALSE(on_disk('a'));
    EXPECT_TRUE(on_disk('b'));
    EXPECT_EQ(*purge_marked(*store), 0u);
    EXPECT_TRUE(store->get(Family::dek, dek_key(body('b')).view())->has_value());
}

TEST_F(PurgeTest, AKeyThatWasInAFileOfItsFamilyGoesToo) {
    put('a');
    ASSERT_TRUE(store->compact(Family::dek));  // from the log into a file
    erase('a');
    ASSERT_TRUE(purge_marked(*store));
    EXPECT_FALSE(on_disk('a'));
}

TEST_F(PurgeTest, AMarkOutlivesTheProcessThatLeftIt) {
    put('a');
    erase('a');
    open();
    EXPECT_EQ(*purge_marked(*store), 1u);
    EXPECT_FALSE(on_disk('a'));
}

TEST_F(PurgeTest, AKeyThatIsNotHereLeavesNoMark) {
    erase('a');
    Batch batch;
    ASSERT_TRUE(erase_body_key(BodyId{}, *store, batch));
    EXPECT_TRUE(batch.empty());
    EXPECT_EQ(*purge_marked(*store), 0u);
}

TEST_F(PurgeTest, TheThreadBeginsWithWhatAnEarlierProcessLeft) {
    put('a');
    erase('a');
    const auto marked = [this] {
        bool found = false;
        EXPECT_TRUE(store->scan(Family::meta, purge_marks, purge_marks_end,
                                [&](Bytes, Bytes) { return !(found = true); }));
        return found;
    };
    ASSERT_TRUE(marked());
    { const PurgeThread thread(purge_pass(*store)); }  // ends after the pass under way
    // The pass had begun, or the thread was ended before it: then the mark is still there.
    EXPECT_TRUE(marked() || !on_disk('a'));
}

}  // namespace
}  // namespace nodex::storage
