// What every Store promises. RocksStore and SimStore are held to the same tests, so the twin cannot
// drift.
#pragma once
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "storage/store.h"

namespace nodex::storage {

// A store and the place where it lives.
class StoreWorld {
  public:
    virtual ~StoreWorld() = default;
    virtual Store& store() = 0;
    virtual void reopen() = 0;  // closes without warning and opens again
    virtual void hold_writer() = 0;     // another one is inside from now on
    virtual void release_writer() = 0;  // and goes away
};

struct StoreWorldFactory {
    const char* name;
    std::unique_ptr<StoreWorld> (*make)();
};

class StoreContract : public ::testing::TestWithParam<StoreWorldFactory> {
  protected:
    using Rows = std::vector<std::pair<std::string, std::string>>;

    std::string get(Family family, Bytes key) {
        const auto value = world->store().get(family, key);
        EXPECT_TRUE(value.has_value());
        return value->has_value() ? **value : "(absent)";
    }
    void write(Durability durability = Durability::process) {
        ASSERT_TRUE(world->store().write(batch, durability).has_value());
        batch.clear();
    }
    Rows scan(Bytes from, Bytes to, std::size_t limit = 100) {
        Rows rows;
        const Status scanned =
            world->store().scan(Family::outbox, from, to, [&rows, limit](Bytes key, Bytes value) {
                rows.emplace_back(key, value);
                return rows.size() < limit;
            });
        EXPECT_TRUE(scanned.has_value());
        return rows;
    }
    Rows scan_backwards(Bytes from, Bytes to, std::size_t limit = 100) {
        Rows rows;
        const Status scanned = world->store().scan_backwards(
            Family::outbox, from, to, [&rows, limit](Bytes key, Bytes value) {
                rows.emplace_back(key, value);
                return rows.size() < limit;
            });
        EXPECT_TRUE(scanned.has_value());
        return rows;
    }
    void fill() {
        for (const char* key : {"b", "d", "a", "c"})
            batch.put(Family::outbox, key, std::string("value ") + key);
        write();
    }

    std::unique_ptr<StoreWorld> world = GetParam().make();
    Batch batch;
};

TEST_P(StoreContract, ReadsWhatWasWrittenAndNothingElse) {
    batch.put(Family::meta, "key", "value");
    batch.put(Family::meta, Bytes("\0k", 2), Bytes("\0\xff", 2));
    batch.put(Family::meta, "empty", "");
    write();
    EXPECT_EQ(get(Family::meta, "key"), "value");
    EXPECT_EQ(get(Family::meta, Bytes("\0k", 2)), Bytes("\0\xff", 2));
    EXPECT_EQ(get(Family::meta, "empty"), "");
    EXPECT_EQ(get(Family::meta, "ke"), "(absent)");
    EXPECT_EQ(get(Family::lease, "key"), "(absent)") << "families are apart";
}

TEST_P(StoreContract, AppliesTheChangesOfABatchInOrder) {
    batch.put(Family::meta, "twice", "first");
    batch.put(Family::meta, "twice", "second");
    batch.put(Family::meta, "gone", "x");
    batch.erase(Family::meta, "gone");
    batch.erase(Family::meta, "back");
    batch.put(Family::meta, "back", "y");
    write();
    EXPECT_EQ(get(Family::meta, "twice"), "second");
    EXPECT_EQ(get(Family::meta, "gone"), "(absent)");
    EXPECT_EQ(get(Family::meta, "back"), "y");
}

TEST_P(StoreContract, ReplacesAValueInsideABatch) {
    batch.put(Family::lease, "row", "1111");
    batch.put(Family::lease, "other", "abcd");
    batch.replace_value(0, "2222");
    write();
    EXPECT_EQ(get(Family::lease, "row"), "2222");
    EXPECT_EQ(get(Family::lease, "other"), "abcd");
}

TEST_P(StoreContract, ErasesRangesWithoutTheirEnd) {
    fill();
    batch.erase_range(Family::outbox, "b", "d");
    write();
    EXPECT_EQ(scan("", ""), (Rows{{"a", "value a"}, {"d", "value d"}}));
    batch.erase_range(Family::outbox, "a", "d");
    batch.put(Family::outbox, "c", "later");
    write();
    EXPECT_EQ(scan("", ""), (Rows{{"c", "later"}, {"d", "value d"}}));
}

TEST_P(StoreContract, ScansInOrderWithinItsBounds) {
    fill();
    EXPECT_EQ(scan("", "").size(), 4u);
    EXPECT_EQ(scan("b", "d"), (Rows{{"b", "value b"}, {"c", "value c"}}));
    EXPECT_EQ(scan("bb", ""), (Rows{{"c", "value c"}, {"d", "value d"}}));
    EXPECT_EQ(scan("", "", 1), (Rows{{"a", "value a"}}));
    EXPECT_TRUE(scan("e", "").empty());
    EXPECT_TRUE(scan("b", "b").empty());
}

TEST_P(StoreContract, ScansBackwardsWithinItsBounds) {
    fill();
    EXPECT_EQ(scan_backwards("b", "d"), (Rows{{"c", "value c"}, {"b", "value b"}}));
    EXPECT_EQ(scan_backwards("", "", 1), (Rows{{"d", "value d"}}));
    EXPECT_EQ(scan_backwards("cc", ""), (Rows{{"d", "value d"}}));
    EXPECT_TRUE(scan_backwards("", "a").empty());
}

TEST_P(StoreContract, LetsAVisitorRead) {
    fill();
    std::string seen;
    const Status scanned =
        world->store().scan(Family::outbox, "c", "", [this, &seen](Bytes key, Bytes) {
            seen += get(Family::outbox, key);
            return true;
        });
    ASSERT_TRUE(scanned.has_value());
    EXPECT_EQ(seen, "value cvalue d");
}

TEST_P(StoreContract, KeepsBothDurabilitiesAcrossAReopen) {
    batch.put(Family::open, "process", "1");
    batch.put(Family::body, "chunk", std::string(100'000, 'c'));
    write(Durability::process);
    batch.put(Family::idem, "power", "2");
    write(Durability::power);
    batch.erase_range(Family::outbox, "a", "b");
    write(Durability::process);
    world->reopen();
    EXPECT_EQ(get(Family::open, "process"), "1");
    EXPECT_EQ(get(Family::idem, "power"), "2");
    EXPECT_EQ(get(Family::body, "chunk").size(), 100'000u);
    EXPECT_FALSE(world->store().failed());
}

TEST_P(StoreContract, ATriedWriteIsAWrite) {
    batch.put(Family::meta, "key", "value");
    batch.erase_range(Family::outbox, "a", "b");
    const Result<Written> tried = world->store().try_write(batch);
    ASSERT_TRUE(tried.has_value());
    EXPECT_EQ(*tried, Written::yes);
    EXPECT_EQ(get(Family::meta, "key"), "value");
    world->reopen();
    EXPECT_EQ(get(Family::meta, "key"), "value");
}

TEST_P(StoreContract, ATriedWriteWaitsForNobodyAndMayBeWrittenLater) {
    world->hold_writer();
    batch.put(Family::meta, "key", "value");
    const Result<Written> tried = world->store().try_write(batch);
    ASSERT_TRUE(tried.has_value());
    EXPECT_EQ(*tried, Written::not_now);
    EXPECT_EQ(get(Family::meta, "key"), "(absent)");
    EXPECT_FALSE(world->store().failed());
    world->release_writer();
    write();
    EXPECT_EQ(get(Family::meta, "key"), "value");
    batch.put(Family::meta, "key", "later");
    EXPECT_EQ(*world->store().try_write(batch), Written::yes);
    EXPECT_EQ(get(Family::meta, "key"), "later");
}

// RocksDB used a row's insert hint for an erased range and ended the process: the memory of one
// list was read as the other's (found with MALLOC_PERTURB_).
TEST(Batch, EndsAtARangeErasureThatAHintedFamilyCannotTake) {
    for (const Family family : {Family::c_usage, Family::c_reference}) {
        EXPECT_FALSE(may_erase_range(family));
        EXPECT_DEATH(Batch().erase_range(family, "a", "b"), "may_erase_range");
    }
    Batch().erase_range(Family::outbox, "a", "b");
}

}  // namespace nodex::storage
