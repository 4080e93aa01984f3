// RocksStore: what only a real directory shows: locks, damage, full disks, expiry.
#include "storage/rocks_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <set>

#include "edge/base/codec.h"
#include "storage/keyspace.h"
#include "tests/unit/storage/samples.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage::rocks_store_test {
namespace {

// RocksDB's flushes do not run: all of their threads do something else.
class FlushThreadsBusy {
  public:
    FlushThreadsBusy() {
        rocksdb::Env* const env = rocksdb::Env::Default();
        threads_ = env->GetBackgroundThreads(rocksdb::Env::Priority::HIGH);
        NX_ASSERT(threads_ > 0);
        for (int i = 0; i < threads_; ++i)
            env->Schedule(&wait, this, rocksdb::Env::Priority::HIGH);
        for (int seen = 0; (seen = inside_.load()) < threads_;) inside_.wait(seen);
    }
    void end() {
        busy_.store(false);
        busy_.notify_all();
        for (int seen = 0; (seen = inside_.load()) > 0;) inside_.wait(seen);
    }

  private:
    static void wait(void* self) {
        auto& all = *static_cast<FlushThreadsBusy*>(self);
        all.inside_.fetch_add(1);
        all.inside_.notify_all();
        all.busy_.wait(true);
        all.inside_.fetch_sub(1);
        all.inside_.notify_all();
    }
    std::atomic<bool> busy_{true};
    std::atomic<int> inside_{0};
    int threads_ = 0;
};

class RocksStoreTest : public ::testing::Test {
  protected:
    RocksOptions options() {
        RocksOptions result;
        result.path = directory.path() + "/data";
        result.clock = &clock;
        result.free_bytes = [this](const std::string&) { return free_bytes; };
        result.free_bytes_min = 1'000;
        return result;
    }
    std::unique_ptr<RocksStore> open() {
        auto opened = RocksStore::open(options());
        NX_ASSERT(opened.has_value());
        return std::move(*opened);
    }
    // Overwrites the middle of every file whose name holds `part`; how many there were.
    unsigned damage(const std::string& part) {
        unsigned files = 0;
        for (const auto& entry : std::filesystem::directory_iterator(options().path)) {
            if (entry.path().filename().string().find(part) == std::string::npos) continue;
            std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
            file.seekp(static_cast<std::streamoff>(entry.file_size() / 2));
            file << "damaged by a test";
            ++files;
        }
        return files;
    }

    // Behind our back: what a cut-off manifest, or an older program, looks like.
    void drop(const std::set<std::string>& unwanted) {
        std::vector<std::string> names;
        NX_ASSERT(rocksdb::DB::ListColumnFamilies({}, options().path, &names).ok());
        std::vector<rocksdb::ColumnFamilyDescriptor> families;
        for (const std::string& name : names) families.emplace_back(name, family_options(name));
        std::vector<rocksdb::ColumnFamilyHandle*> handles;
        rocksdb::DB* opened = nullptr;
        NX_ASSERT(rocksdb::DB::Open({}, options().path, families, &handles, &opened).ok());
        const std::unique_ptr<rocksdb::DB> database(opened);
        for (rocksdb::ColumnFamilyHandle* handle : handles) {
            if (unwanted.contains(handle->GetName()))
                NX_ASSERT(database->DropColumnFamily(handle).ok());
            database->DestroyColumnFamilyHandle(handle);
        }
    }
    static rocksdb::ColumnFamilyOptions family_options(const std::string& name) {
        rocksdb::ColumnFamilyOptions family;
        if (name == "body") family.compaction_style = rocksdb::kCompactionStyleFIFO;
        return family;
    }

    TemporaryDirectory directory;
    ManualClock clock;
    std::uint64_t free_bytes = 1'000'000;
    Batch batch;
};

TEST_F(RocksStoreTest, MakesItsDirectoryForItsOwnerOnly) {
    std::filesystem::create_directories(options().path);
    ASSERT_EQ(::chmod(options().path.c_str(), 0755), 0);
    open();
    struct stat information {};
    ASSERT_EQ(::stat(options().path.c_str(), &information), 0);
    EXPECT_EQ(information.st_mode & 0777u, 0700u);
}

TEST_F(RocksStoreTest, RefusesADirectoryThatIsInUse) {
    const auto first = open();
    const auto second = RocksStore::open(options());
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, ErrorCode::unavailable);
}

TEST_F(RocksStoreTest, RefusesAPathThatIsNotADirectory) {
    std::ofstream(options().path) << "a file";
    EXPECT_EQ(RocksStore::open(options()).error().code, ErrorCode::bad_configuration);
}

TEST_F(RocksStoreTest, RefusesADamagedDatabase) {
    open();
    ASSERT_GE(damage("MANIFEST"), 1u);
    const auto opened = RocksStore::open(options());
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
}

// RocksDB takes a cut-off manifest for a shorter history: without the marker it opened with empty
// families.
TEST_F(RocksStoreTest, RefusesADirectoryThatHasLostItsDatabase) {
    open();
    for (const auto& entry : std::filesystem::directory_iterator(options().path))
        if (entry.path().filename() != "READY") std::filesystem::remove_all(entry.path());
    EXPECT_EQ(RocksStore::open(options()).error().code, ErrorCode::corrupt);
}

TEST_F(RocksStoreTest, FinishesADirectoryWhoseCreationWasInterrupted) {
    open();
    std::filesystem::remove(options().path + "/READY");
    EXPECT_TRUE(RocksStore::open(options()).has_value());
}

TEST_F(RocksStoreTest, MakesTheFamiliesThatAnOlderVersionDidNotHave) {
    batch.put(Family::idem, "key", "value");
    ASSERT_TRUE(open()->write(batch, Durability::power).has_value());
    drop({"feed", "c_kek", "c_reference"});
    std::ofstream(options().path + "/READY", std::ios::trunc);  // what it wrote
    const auto store = open();
    EXPECT_EQ(*store->get(Family::idem, "key"), std::optional<std::string>("value"));
    EXPECT_EQ(*store->get(Family::c_kek, "key"), std::optional<std::string>());
    batch.clear();
    batch.put(Family::c_kek, "key", "value");
    EXPECT_TRUE(store->write(batch, Durability::power).has_value());
}

TEST_F(RocksStoreTest, NeverReplacesALostFamilyByAnEmptyOne) {
    for (const char* family : {"c_kek", "idem"}) {
        std::filesystem::remove_all(options().path);
        open();
        drop({family});
        EXPECT_EQ(RocksStore::open(options()).error().code, ErrorCode::corrupt) << family;
    }
}

TEST_F(RocksStoreTest, TellsADamagedRowFromAnAbsentOne) {
    {
        const auto store = open();
        for (std::uint32_t i = 0; i < 500; ++i)
            batch.put(Family::idem, samples::id<RequestId>(i).view(), std::string(100, 'v'));
        ASSERT_TRUE(store->write(batch, Durability::power).has_value());
        ASSERT_TRUE(store->compact(Family::lease).has_value());
        ASSERT_TRUE(store->compact(Family::idem).has_value());
    }
    batch.clear();
    ASSERT_GE(damage(".sst"), 1u);
    auto opened = RocksStore::open(options());
    if (!opened) {  // found at once
        EXPECT_EQ(opened.error().code, ErrorCode::corrupt);
        return;
    }
    unsigned corrupt = 0;
    for (std::uint32_t i = 0; i < 500; ++i) {
        const auto value = (*opened)->get(Family::idem, samples::id<RequestId>(i).view());
        if (!value) {
            EXPECT_EQ(value.error().code, ErrorCode::corrupt);
            ++corrupt;
        } else {
            EXPECT_TRUE(value->has_value()) << "a damaged row is never reported as absent";
        }
    }
    EXPECT_GE(corrupt, 1u);
}

TEST_F(RocksStoreTest, RefusesAnotherSchema) {
    {
        const auto store = open();
        std::string version;
        ByteWriter(version).integer<std::uint32_t>(2);
        batch.put(Family::meta, meta_key::schema, version);
        ASSERT_TRUE(store->write(batch, Durability::power).has_value());
    }
    EXPECT_EQ(RocksStore::open(options()).error().code, ErrorCode::unsupported);
}

TEST_F(RocksStoreTest, FailsForGoodBelowTheFreeSpaceFloor) {
    const auto store = open();
    batch.put(Family::meta, "k", "v");
    ASSERT_TRUE(store->write(batch, Durability::process).has_value());
    free_bytes = 1'999;
    clock.advance(2 * second);
    EXPECT_TRUE(store->low_on_space());
    EXPECT_TRUE(store->write(batch, Durability::process).has_value()) << "running work may end";
    free_bytes = 2'000;
    clock.advance(2 * second);
    EXPECT_FALSE(store->low_on_space()) << "space came back";
    free_bytes = 1'000;
    clock.advance(2 * second);
    EXPECT_TRUE(store->write(batch, Durability::process).has_value());
    free_bytes = 999;
    clock.advance(2 * second);
    EXPECT_EQ(store->write(batch, Durability::process).error().code, ErrorCode::storage_full);
    free_bytes = 1'000'000;
    clock.advance(2 * second);
    EXPECT_EQ(store->write(batch, Durability::process).error().code, ErrorCode::storage_full);
    EXPECT_TRUE(store->failed());
    EXPECT_TRUE(store->get(Family::meta, "k").has_value()) << "reads go on";
}

TEST_F(RocksStoreTest, SamplesFreeSpaceByBytesWrittenToo) {
    const auto store = open();
    batch.put(Family::body, "k", std::string(9 * 1024 * 1024, 'x'));
    free_bytes = 0;
    EXPECT_TRUE(store->write(batch, Durability::process).has_value());
    EXPECT_TRUE(store->write(batch, Durability::process).has_value());
    EXPECT_EQ(store->write(batch, Durability::process).error().code, ErrorCode::storage_full);
}

TEST_F(RocksStoreTest, RefusesToOpenBelowTheFloor) {
    free_bytes = 999;
    EXPECT_EQ(RocksStore::open(options()).error().code, ErrorCode::storage_full);
}

TEST_F(RocksStoreTest, DropsExpiredRowsWhenFilesAreMerged) {
    const auto store = open();
    const std::int64_t now_ms = clock.wall_ms();
    const auto put_answer = [this](Bytes key, std::int64_t expires_ms) {
        batch.put(Family::idem, key,
                  encode(samples::finish(samples::request(1), 1, expires_ms).answer));
    };
    put_answer("expired", now_ms);
    put_answer("alive", now_ms + 1);
    batch.put(Family::idem, "unknown", "not an answer");
    const auto put_key = [this](Bytes key, std::int64_t stored_ms) {
        std::string row;
        encode(BodyKey{stored_ms, "wrapped"}, row);
        batch.put(Family::dek, key, row);
    };
    const auto retention_ms = static_cast<std::int64_t>(options().body_retention_s) * 1'000;
    put_key("expired", now_ms - retention_ms);
    put_key("alive", now_ms - retention_ms + 1);
    ASSERT_TRUE(store->write(batch, Durability::process).has_value());
    ASSERT_TRUE(store->compact(Family::idem).has_value());
    ASSERT_TRUE(store->compact(Family::dek).has_value());
    const auto has = [&store](Family family, Bytes key) {
        return (*store->get(family, key)).has_value();
    };
    EXPECT_FALSE(has(Family::idem, "expired"));
    EXPECT_TRUE(has(Family::idem, "alive"));
    EXPECT_TRUE(has(Family::idem, "unknown")) << "what is not understood is kept";
    EXPECT_FALSE(has(Family::dek, "expired"));
    EXPECT_TRUE(has(Family::dek, "alive"));
}

TEST_F(RocksStoreTest, ATriedWriteDoesNotWaitForFlushes) {
    const auto store = open();
    FlushThreadsBusy flushes;
    const std::string mebibyte(1024 * 1024, 'x');
    const auto key = [](int number) { return "row " + std::to_string(number); };
    int written = 0;
    for (bool taken = true; taken && written < 64; written += taken) {
        batch.clear();
        batch.put(Family::meta, key(written), mebibyte);
        const Result<Written> tried = store->try_write(batch);
        ASSERT_TRUE(tried.has_value());
        taken = *tried == Written::yes;
    }
    EXPECT_GT(written, 8) << "a memtable and more";
    EXPECT_LT(written, 64) << "RocksDB stalls writes at two full ones";
    EXPECT_FALSE(store->failed());
    EXPECT_FALSE((*store->get(Family::meta, key(written))).has_value());
    flushes.end();
    EXPECT_TRUE(store->write(batch, Durability::process).has_value()) << "who may wait does";
    EXPECT_TRUE((*store->get(Family::meta, key(written))).has_value());
}

}  // namespace
}  // namespace nodex::storage::rocks_store_test
