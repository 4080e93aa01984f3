// What each option buys. Defaults of RocksDB that matter are written down too, so that they stay.
#include "storage/rocks_options.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include "storage/keyspace.h"
#include "storage/point_memtable.h"
#include "storage/rocks_slice.h"

namespace nodex::storage {
namespace {

constexpr std::size_t mebibyte = 1024 * 1024;

// Drops rows that have expired while their file is merged anyway. What does not parse is kept: a
// reader must see that it is corrupt.
class ExpiryFilter final : public rocksdb::CompactionFilter {
  public:
    ExpiryFilter(Family family, std::int64_t now_ms, std::int64_t retention_ms) noexcept
        : family_(family), now_ms_(now_ms), retention_ms_(retention_ms) {}
    const char* Name() const override { return "nodex.expiry"; }
    bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& value, std::string*,
                bool*) const override {
        if (family_ == Family::idem) {
            const auto expires_ms = expiry_of_answer(bytes_of(value));
            return expires_ms && *expires_ms <= now_ms_;
        }
        if (family_ == Family::buddy) {
            const auto expires_ms = expiry_of_buddy_copy(bytes_of(value));
            return expires_ms && *expires_ms <= now_ms_;
        }
        const auto key = decode_body_key(bytes_of(value));
        return key && key->stored_ms <= now_ms_ - retention_ms_;
    }

  private:
    const Family family_;
    const std::int64_t now_ms_;        // one instant for a whole compaction
    const std::int64_t retention_ms_;  // of body keys
};

class ExpiryFilterFactory final : public rocksdb::CompactionFilterFactory {
  public:
    ExpiryFilterFactory(Family family, const RocksOptions& options) noexcept
        : family_(family),
          clock_(*options.clock),
          retention_ms_(static_cast<std::int64_t>(options.body_retention_s) * 1'000) {}
    const char* Name() const override { return "nodex.expiry.factory"; }
    std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
        const rocksdb::CompactionFilter::Context&) override {
        return std::make_unique<ExpiryFilter>(family_, clock_.wall_ms(), retention_ms_);
    }

  private:
    const Family family_;
    Clock& clock_;
    const std::int64_t retention_ms_;
};

// Where a new key of a family that grows at its end (usage: at its beginning) belongs: beside the
// one before it. The memtable keeps a hint and searches from there; without one every insert that is
// not strictly in order (two requests of one millisecond) searches from the top. Only for families of
// which may_erase_range() is false (store.h).
class RecentKeys final : public rocksdb::SliceTransform {
  public:
    const char* Name() const override { return "nodex.recent_keys"; }
    rocksdb::Slice Transform(const rocksdb::Slice&) const override { return {}; }
    bool InDomain(const rocksdb::Slice&) const override { return true; }
};

void insert_beside_the_last(rocksdb::ColumnFamilyOptions& family) {
    family.memtable_insert_with_hint_prefix_extractor = std::make_shared<RecentKeys>();
}

// Of references half of a file of level 0 stands behind all rows by request, half behind all rows by
// session: to merge it is to write every row by session again. So seldom, and many at a time.
void merge_seldom(rocksdb::ColumnFamilyOptions& family) {
    family.write_buffer_size = 16 * mebibyte;
    family.level0_file_num_compaction_trigger = 8;
}

void only_asked_for_by_key(rocksdb::ColumnFamilyOptions& family) {
    family.memtable_factory = point_memtables(family.write_buffer_size);
}

std::shared_ptr<rocksdb::TableFactory> table_factory(const std::shared_ptr<rocksdb::Cache>& cache) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = cache;
    // Index and filter blocks are charged to the cache too: memory stays within one number however
    // many files.
    table.cache_index_and_filter_blocks = true;
    table.cache_index_and_filter_blocks_with_high_priority = true;
    table.pin_l0_filter_and_index_blocks_in_cache = true;
    // A claim with a new key asks for a row that is not there: 10 bits a key answer 99 % of them
    // from memory.
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    table.whole_key_filtering = true;
    table.checksum = rocksdb::kXXH3;
    table.format_version = 5;
    return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

// Sealed chunks: written once, read rarely, never changed. FIFO drops whole files by age, so
// retention costs no rewriting; a merging style would copy every byte several times to delete it.
// The price: a read asks the bloom filter of every file. All files are level 0 for good, so the
// triggers that stall writes because of many level-0 files are out of reach.
void use_fifo(rocksdb::ColumnFamilyOptions& family, const RocksOptions& options) {
    constexpr int never = 1 << 30;
    family.compaction_style = rocksdb::kCompactionStyleFIFO;
    family.ttl = options.body_retention_s;
    family.compaction_options_fifo.allow_compaction = false;
    // Age alone drops files. Dropping by size would lose answers before their time, in silence; a
    // full disk is refused loudly instead (free_bytes_min).
    family.compaction_options_fifo.max_table_files_size = std::uint64_t{1} << 60;
    family.level0_slowdown_writes_trigger = never;
    family.level0_stop_writes_trigger = never;
}

}  // namespace

rocksdb::DBOptions database_options(const RocksOptions& options) {
    rocksdb::DBOptions database;
    database.paranoid_checks = true;
    // After a crash everything up to the first torn or damaged log record counts, nothing behind
    // it: a prefix of the history, never one with holes.
    database.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    // Every write goes to the operating system before it is acknowledged (durability `process`);
    // `power` adds fdatasync per group through WriteOptions::sync.
    database.manual_wal_flush = false;
    database.wal_bytes_per_sync = 1024 * 1024;  // write back early: a sync then finds little to do
    database.bytes_per_sync = 1024 * 1024;
    // A family that is hardly written (meta, lease) would keep old logs alive; at this size it is
    // flushed. It bounds restart time too: about half a second of replay.
    database.max_total_wal_size = 256ull * 1024 * 1024;
    database.db_write_buffer_size = options.memtable_bytes;
    // One writer, so nothing to pipeline and no concurrent inserts: both cost synchronisation.
    database.enable_pipelined_write = false;
    database.allow_concurrent_memtable_write = false;
    database.enable_write_thread_adaptive_yield = false;
    // Flush and compaction share the machine with the loops.
    database.max_background_jobs = 2;
    database.rate_limiter.reset(rocksdb::NewGenericRateLimiter(64ll * 1024 * 1024));
    // A write error is final: RocksDB must not resume by itself what the commit thread has reported
    // as failed.
    database.max_bgerror_resume_count = 0;
    // I/O errors on a mapping are signals, not results.
    database.allow_mmap_reads = false;
    database.allow_mmap_writes = false;
    database.max_open_files = -1;                  // FIFO by age needs the properties of every file
    database.skip_stats_update_on_db_open = true;  // restart within 2 s (promise 15)
    database.stats_dump_period_sec = 0;
    database.stats_persist_period_sec = 0;
    database.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
    database.max_log_file_size = 4 * 1024 * 1024;
    database.keep_log_file_num = 4;
    return database;
}

rocksdb::ColumnFamilyOptions family_options(Family family, const RocksOptions& options,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
    constexpr std::uint64_t day_s = 24 * 3600;
    rocksdb::ColumnFamilyOptions result;
    result.table_factory = table_factory(cache);
    result.write_buffer_size = 8 * mebibyte;
    // Keys and rows are digests and identifiers: nothing to compress.
    result.compression = rocksdb::kNoCompression;
    switch (family) {
        case Family::idem:
        case Family::dek:
        case Family::buddy:
            result.write_buffer_size = 16 * mebibyte;
            only_asked_for_by_key(result);
            result.compaction_filter_factory =
                std::make_shared<ExpiryFilterFactory>(family, options);
            // Files that no write touches any more are merged once a day all the same, so that they
            // expire.
            result.periodic_compaction_seconds = day_s;
            break;
        case Family::body:
            result.write_buffer_size = 32 * mebibyte;
            only_asked_for_by_key(result);
            use_fifo(result, options);
            break;
        case Family::c_claim:
            result.write_buffer_size = 16 * mebibyte;
            // A key of chance that is asked for before it is first written: the memtable's own bloom filter
            // answers without a search.
            result.memtable_prefix_bloom_size_ratio = 0.05;
            result.memtable_whole_key_filtering = true;
            break;
        case Family::outbox:
            // Written once, erased by range within seconds: most rows die in the memtable, if it is
            // large enough.
            result.write_buffer_size = 16 * mebibyte;
            break;
        case Family::open: only_asked_for_by_key(result); break;  // scanned at start, and for a new buddy
        case Family::meta:
        case Family::c_kek:
            // A row that was replaced leaves the disk within a day without a purge (purge_thread.h):
            // it held nothing that was to be destroyed.
            result.periodic_compaction_seconds = day_s;
            break;
        case Family::lease:
        case Family::feed: break;
        case Family::c_charge:
            only_asked_for_by_key(result);
            result.compression = rocksdb::kLZ4Compression;
            break;
        case Family::c_reference: merge_seldom(result); [[fallthrough]];
        case Family::c_usage:
            insert_beside_the_last(result);
            [[fallthrough]];
        case Family::c_account:
        case Family::c_key:
        case Family::c_lease:
        case Family::c_row:
        case Family::c_price:
        case Family::c_mark:
        case Family::c_meta:
        case Family::c_key_hash:
            result.compression = rocksdb::kLZ4Compression;
            break;  // rows with text, kept for good
        case Family::count: NX_ASSERT(false);
    }
    return result;
}

}  // namespace nodex::storage
