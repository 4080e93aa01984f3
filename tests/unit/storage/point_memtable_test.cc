// Memtables of point families, through RocksDB: held to a std::map, with snapshots, flushes and
// readers beside the writer.
#include "storage/point_memtable.h"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/memtablerep.h>

#include <array>
#include <atomic>
#include <functional>
#include <map>

#include "edge/base/random.h"
#include "edge/base/result.h"
#include "tests/support/together.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage::point_memtable_test {
namespace {

using Rows = std::map<std::string, std::string>;

class PointMemtableTest : public testing::Test {
  protected:
    void open(std::size_t write_buffer_bytes) {
        database.reset();
        rocksdb::Options options;
        options.create_if_missing = true;
        options.allow_concurrent_memtable_write = false;
        options.write_buffer_size = write_buffer_bytes;
        options.memtable_factory = point_memtables(write_buffer_bytes);
        options.disable_auto_compactions = true;
        rocksdb::DB* opened = nullptr;
        NX_ASSERT(rocksdb::DB::Open(options, directory.path(), &opened).ok());
        database.reset(opened);
    }
    std::string get(const std::string& key, const rocksdb::Snapshot* as_of = nullptr) {
        rocksdb::ReadOptions how;
        how.snapshot = as_of;
        std::string value;
        const auto found = database->Get(how, key, &value);
        return found.ok() ? value : found.IsNotFound() ? "(absent)" : found.ToString();
    }
    void put(const std::string& key, const std::string& value) {
        ASSERT_TRUE(database->Put({}, key, value).ok());
    }
    Rows forwards(const rocksdb::Snapshot* as_of = nullptr) {
        Rows rows;
        std::string last;
        each(as_of, [&](rocksdb::Iterator& at) {
            for (at.SeekToFirst(); at.Valid(); at.Next()) {
                EXPECT_TRUE(rows.empty() || last < at.key().ToString());
                last = at.key().ToString();
                rows.emplace(last, at.value().ToString());
            }
        });
        return rows;
    }
    Rows backwards() {
        Rows rows;
        each(nullptr, [&](rocksdb::Iterator& at) {
            for (at.SeekToLast(); at.Valid(); at.Prev())
                rows.emplace(at.key().ToString(), at.value().ToString());
        });
        return rows;
    }
    // The first key at or behind `key`, and the last one at or before it.
    void expect_neighbours(const Rows& rows, const std::string& key) {
        each(nullptr, [&](rocksdb::Iterator& at) {
            const auto behind = rows.lower_bound(key);
            at.Seek(key);
            ASSERT_EQ(at.Valid(), behind != rows.end());
            if (at.Valid()) {
                EXPECT_EQ(at.key().ToString(), behind->first);
            }
            const auto after = rows.upper_bound(key);
            at.SeekForPrev(key);
            ASSERT_EQ(at.Valid(), after != rows.begin());
            if (at.Valid()) {
                EXPECT_EQ(at.key().ToString(), std::prev(after)->first);
            }
        });
    }
    void each(const rocksdb::Snapshot* as_of, const std::function<void(rocksdb::Iterator&)>& look) {
        rocksdb::ReadOptions how;
        how.snapshot = as_of;
        const std::unique_ptr<rocksdb::Iterator> at(database->NewIterator(how));
        look(*at);
        EXPECT_TRUE(at->status().ok());
    }

    TemporaryDirectory directory;
    std::unique_ptr<rocksdb::DB> database;
};

// Keys that begin with one another, end in zeros, and share more than what is sorted without them.
std::string any_key(SeededRandom& random) {
    static constexpr std::string_view octets("\0\1\xff", 3);
    std::string key(random.below(4) == 0 ? 16 : 0, 'a');
    for (std::size_t i = random.below(6); i > 0; --i) key += octets[random.below(octets.size())];
    return key;
}

TEST_F(PointMemtableTest, AnswersAsAMapDoesWhileItIsWrittenFlushedAndOpenedAgain) {
    open(1 << 20);
    SeededRandom random(1);
    Rows rows;
    for (int i = 0; i < 6'000; ++i) {
        const std::string key = any_key(random);
        if (random.below(3) == 0) {
            ASSERT_TRUE(database->Delete({}, key).ok());
            rows.erase(key);
        } else {
            rows[key] = std::to_string(i);
            put(key, rows[key]);
        }
        const std::string other = any_key(random);
        const auto expected = rows.find(other);
        EXPECT_EQ(get(other), expected == rows.end() ? "(absent)" : expected->second);
        if (i % 100 == 0) {
            expect_neighbours(rows, other);
            EXPECT_EQ(forwards(), rows);
            EXPECT_EQ(backwards(), rows);
        }
        if (i % 2'000 == 1'000) {
            ASSERT_TRUE(database->Flush({}).ok());
        }
        if (i % 2'000 == 1'999) open(1 << 20);  // what was not flushed is read from the log
    }
    EXPECT_EQ(forwards(), rows);
}

TEST_F(PointMemtableTest, ASnapshotSeesWhatWasThere) {
    open(1 << 20);
    put("key", "old");
    const rocksdb::Snapshot* const then = database->GetSnapshot();
    put("key", "new");
    put("other", "new");
    EXPECT_EQ(get("key", then), "old");
    EXPECT_EQ(get("other", then), "(absent)");
    EXPECT_EQ(get("key"), "new");
    EXPECT_EQ(forwards(then), (Rows{{"key", "old"}}));
    ASSERT_TRUE(database->Delete({}, "key").ok());
    EXPECT_EQ(get("key", then), "old");
    EXPECT_EQ(get("key"), "(absent)");
    database->ReleaseSnapshot(then);
}

TEST_F(PointMemtableTest, AnIteratorIsNotMovedByLaterRows) {
    open(1 << 20);
    put("b", "1");
    put("d", "1");
    each(nullptr, [&](rocksdb::Iterator& at) {
        at.Seek("b");
        put("c", "2");
        at.Next();
        ASSERT_TRUE(at.Valid());
        EXPECT_EQ(at.key().ToString(), "d");
        at.Seek("c");
        ASSERT_TRUE(at.Valid());
        EXPECT_EQ(at.key().ToString(), "d");
    });
    EXPECT_EQ(forwards().size(), 3u);
}

TEST_F(PointMemtableTest, ErasedRangesHideTheRowsInThem) {
    open(1 << 20);
    for (const char* key : {"a", "b", "c"}) put(key, "1");
    ASSERT_TRUE(database->DeleteRange({}, database->DefaultColumnFamily(), "b", "c").ok());
    EXPECT_EQ(get("b"), "(absent)");
    EXPECT_EQ(get("c"), "1");
    EXPECT_EQ(forwards().size(), 2u);
}

// Buckets are chosen for the size: with the fewest there are, every list is long.
TEST_F(PointMemtableTest, FewBucketsHoldManyRows) {
    open(64 << 10);
    for (int i = 0; i < 20'000; ++i) put(std::to_string(i), std::to_string(i * 2));
    for (int i = 0; i < 20'000; i += 97) EXPECT_EQ(get(std::to_string(i)), std::to_string(i * 2));
    EXPECT_EQ(forwards().size(), 20'000u);
}

TEST_F(PointMemtableTest, ReadersBesideTheWriterSeeEachRowWholeAndNeverAnOlderOne) {
    open(256 << 10);  // flushed many times meanwhile
    constexpr int rounds = 300, keys = 40;
    std::atomic<bool> written{false};
    const auto key_of = [](int i) { return "key " + std::to_string(i); };
    const auto write = [&] {
        for (int round = 1; round <= rounds; ++round)
            for (int i = 0; i < keys; ++i)
                put(key_of(i), std::to_string(round) + std::string(100, ' '));
        written = true;
    };
    const auto read = [&](std::size_t seed) {
        SeededRandom random(seed);
        std::array<int, keys> seen{};
        while (!written) {
            const auto i = static_cast<std::size_t>(random.below(keys));
            const std::string value = get(key_of(static_cast<int>(i)));
            if (value == "(absent)") {
                EXPECT_EQ(seen[i], 0);
                continue;
            }
            EXPECT_EQ(value.size(), value.find(' ') + 100);
            const int round = std::stoi(value);
            EXPECT_GE(round, seen[i]);
            seen[i] = round;
        }
    };
    const auto scan = [&] {
        while (!written) EXPECT_LE(forwards().size(), static_cast<std::size_t>(keys));
    };
    test::together(4, [&](std::size_t who) {
        if (who == 0) write();
        if (who == 1) scan();
        if (who > 1) read(who);
    });
    EXPECT_EQ(std::stoi(get(key_of(0))), rounds);
}

}  // namespace
}  // namespace nodex::storage::point_memtable_test
