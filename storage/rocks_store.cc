// RocksStore: opening, errors turned into ours, batches, scans, free space.
#include "storage/rocks_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/listener.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>
#include <shared_mutex>

#include "edge/base/codec.h"
#include "edge/base/log.h"
#include "storage/keyspace.h"
#include "storage/ready_marker.h"
#include "storage/rocks_options.h"
#include "storage/rocks_slice.h"

namespace nodex::storage {
namespace {

constexpr std::uint32_t schema_version = 1;
constexpr Nanoseconds space_sample_interval = 1 * second;
constexpr std::uint64_t space_sample_bytes =
    16 * 1024 * 1024;  // or after this much was written: whichever is first
// Four shards: by itself RocksDB makes 64 of a cache of 64 MiB, and the filter of one large file, half
// a mebibyte, then pushes everything else out of its shard, and is read again for each key.
constexpr int cache_shard_bits = 2;
constexpr auto families_count = static_cast<std::size_t>(Family::count);

Error storage_error(ErrorCode code) noexcept {
    return {code, ErrorSource::storage};
}

ErrorCode code_of(const rocksdb::Status& status) noexcept {
    if (status.IsCorruption()) return ErrorCode::corrupt;
    if (status.IsNoSpace() || status.subcode() == rocksdb::Status::kSpaceLimit)
        return ErrorCode::storage_full;
    return ErrorCode::storage_failed;
}

// One sentence for the operator, and the code for the program.
Error refuse(const std::string& path, ErrorCode code, const char* remedy,
             const std::string& detail) {
    log::error("store_not_opened",
               {{"path", path}, {"error", name(code)}, {"remedy", remedy}, {"detail", detail}});
    return storage_error(code);
}

Error refuse_open(const std::string& path, const rocksdb::Status& status) {
    const std::string detail = status.ToString();
    if (status.IsIOError() && detail.find("lock") != std::string::npos)
        return refuse(path, ErrorCode::unavailable,
                      "stop the other process that uses this data directory", detail);
    if (status.IsInvalidArgument() && detail.find("not opened") != std::string::npos)
        return refuse(path, ErrorCode::unsupported,
                      "use the version that wrote it, or another directory", detail);
    // Any other invalid argument says that a family or the whole database is missing that must be
    // there.
    switch (status.IsInvalidArgument() ? ErrorCode::corrupt : code_of(status)) {
        case ErrorCode::corrupt:
            return refuse(path, ErrorCode::corrupt,
                          "keep a copy, then restore a backup or start with an empty directory: "
                          "the centre still has "
                          "every settlement that it applied",
                          detail);
        case ErrorCode::storage_full:
            return refuse(path, ErrorCode::storage_full, "free space on this disk", detail);
        default:
            return refuse(path, ErrorCode::storage_failed, "check the disk and the permissions",
                          detail);
    }
}

Error refuse_lost(const std::string& path, const std::vector<std::string>& lost) {
    return refuse(path, ErrorCode::corrupt,
                  "keep a copy, then restore a backup or start with an empty directory: the centre "
                  "still has every settlement that it applied",
                  "the database has lost " + std::to_string(lost.size()) +
                      " families, among them " + lost.front());
}

std::uint64_t free_bytes_of(const std::string& path) noexcept {
    struct statvfs information {};
    if (::statvfs(path.c_str(), &information) != 0) return 0;
    return std::uint64_t{information.f_bavail} * information.f_frsize;
}

// The directory, for its owner only: bodies are sealed, but claims and ledger rows are not.
Status prepare_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (!error && ::chmod(path.c_str(), 0700) == 0) return {};
    return refuse(path, ErrorCode::bad_configuration,
                  "name a directory that this user may create and own",
                  error ? error.message() : std::string("chmod failed"));
}

// The families the database has now. Nothing: none, or it cannot be read (DB::Open says why).
std::vector<std::string> families_in(const rocksdb::DBOptions& database, const std::string& path) {
    std::vector<std::string> names;
    if (!rocksdb::DB::ListColumnFamilies(database, path, &names).ok()) names.clear();
    return names;
}

std::vector<std::string> all_families() {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < families_count; ++i)
        names.emplace_back(name(static_cast<Family>(i)));
    return names;
}

// A flush or compaction that fails in the background must stop new promises as a failed write does.
class FailureListener final : public rocksdb::EventListener {
  public:
    explicit FailureListener(std::atomic<ErrorCode>& failure) noexcept : failure_(failure) {}
    void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) override {
        const ErrorCode code = code_of(*status) == ErrorCode::storage_full
                                   ? ErrorCode::storage_full
                                   : ErrorCode::storage_failed;
        ErrorCode none = ErrorCode::none;
        if (failure_.compare_exchange_strong(none, code))
            log::error("store_background_error",
                       {{"error", name(code)}, {"detail", status->ToString()}});
    }

  private:
    std::atomic<ErrorCode>& failure_;
};

}  // namespace

struct RocksStore::State {
    [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const noexcept {
        NX_ASSERT(family < Family::count);
        return handles[static_cast<std::size_t>(family)];
    }
    Status fail(ErrorCode code, const std::string& detail);
    Status check_space(std::uint64_t bytes) noexcept;
    void sample_space() noexcept;
    Result<Written> write(const Batch& batch, const rocksdb::WriteOptions& how);
    Status check_schema();
    Status compact(Family family);
    void log_read_failure(Family family, const rocksdb::Status& status);

    RocksOptions options;
    std::unique_ptr<rocksdb::DB> database;
    // Shared by whoever may wait in RocksDB, or keeps its writers waiting; owned alone, and only
    // tried, by try_write().
    std::shared_mutex writers;
    std::array<rocksdb::ColumnFamilyHandle*, families_count>
        handles{};  // owned until destroyed by ~RocksStore
    std::atomic<ErrorCode> failure{ErrorCode::none};
    std::atomic<std::uint64_t> free_bytes{0};
    std::atomic<std::uint64_t> bytes_since_sample{0};
    std::atomic<Nanoseconds> sampled_at_ns{0};
    std::atomic<Nanoseconds> read_failure_logged_at_ns{0};  // 0: never
};

RocksStore::RocksStore() : state_(std::make_unique<State>()) {}

RocksStore::~RocksStore() {
    if (!state_->database) return;
    for (rocksdb::ColumnFamilyHandle* handle : state_->handles)
        if (handle != nullptr) state_->database->DestroyColumnFamilyHandle(handle);
    state_->database->Close();
}

Result<std::unique_ptr<RocksStore>> RocksStore::open(const RocksOptions& options) {
    std::unique_ptr<RocksStore> store(new RocksStore);
    State& state = *store->state_;
    state.options = options;
    if (!state.options.free_bytes) state.options.free_bytes = free_bytes_of;
    if (const Status prepared = prepare_directory(options.path); !prepared) return prepared.error();
    state.sample_space();
    if (state.free_bytes.load() < options.free_bytes_min)
        return refuse(options.path, ErrorCode::storage_full,
                      "free space on this disk or lower the configured floor",
                      std::to_string(state.free_bytes.load()) + " bytes free");

    rocksdb::DBOptions database = database_options(options);
    Result<ReadyMarker> marker = ReadyMarker::read(options.path);
    if (!marker)
        return refuse(options.path, ErrorCode::storage_failed, "check the disk and the permissions",
                      "the marker READY cannot be read");
    if (marker->present()) {
        const auto lost = marker->lost(families_in(database, options.path));
        if (!lost.empty()) return refuse_lost(options.path, lost);
    }
    database.create_if_missing = !marker->present();
    database.create_missing_column_families = true;  // what was there is there: see above
    database.listeners.push_back(std::make_shared<FailureListener>(state.failure));
    const auto cache = rocksdb::NewLRUCache(options.block_cache_bytes, cache_shard_bits);
    std::vector<rocksdb::ColumnFamilyDescriptor> families;
    families.emplace_back(rocksdb::kDefaultColumnFamilyName,
                          rocksdb::ColumnFamilyOptions());  // must exist; unused
    for (std::size_t i = 0; i < families_count; ++i) {
        const auto family = static_cast<Family>(i);
        families.emplace_back(name(family), family_options(family, options, cache));
    }
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* opened = nullptr;
    const rocksdb::Status status =
        rocksdb::DB::Open(database, options.path, families, &handles, &opened);
    if (!status.ok()) return refuse_open(options.path, status);
    state.database.reset(opened);
    opened->DestroyColumnFamilyHandle(handles.front());
    std::copy(handles.begin() + 1, handles.end(), state.handles.begin());
    if (const Status schema = state.check_schema(); !schema) return schema.error();
    if (!marker->write(all_families()))
        return refuse(options.path, ErrorCode::storage_failed, "check the disk and the permissions",
                      "no marker");
    return store;
}

// The layout of keys and records as a whole; single records carry versions of their own.
Status RocksStore::State::check_schema() {
    std::string stored;
    const auto found = database->Get(rocksdb::ReadOptions(), handle(Family::meta),
                                     slice_of(meta_key::schema), &stored);
    if (found.ok()) {
        ByteReader reader(stored);
        const auto version = reader.integer<std::uint32_t>();
        if (reader.finished() && version == schema_version) return {};
        return refuse(options.path, ErrorCode::unsupported,
                      "use the version that wrote it, or another directory",
                      "schema " + std::to_string(version));
    }
    if (!found.IsNotFound()) return refuse_open(options.path, found);
    std::string version;
    ByteWriter(version).integer(schema_version);
    rocksdb::WriteOptions synced;
    synced.sync = true;
    const auto written =
        database->Put(synced, handle(Family::meta), slice_of(meta_key::schema), version);
    if (!written.ok()) return refuse_open(options.path, written);
    return {};
}

// At most once a second: a damaged block is asked for as often as its clients retry.
void RocksStore::State::log_read_failure(Family family, const rocksdb::Status& status) {
    const Nanoseconds now_ns = options.clock->now_ns();
    Nanoseconds logged_ns = read_failure_logged_at_ns.load(std::memory_order_relaxed);
    if (logged_ns != 0 && now_ns - logged_ns < second) return;
    if (!read_failure_logged_at_ns.compare_exchange_strong(logged_ns, now_ns)) return;
    log::error("store_read_failed",
               {{"path", options.path}, {"family", name(family)}, {"detail", status.ToString()}});
}

Result<std::optional<std::string>> RocksStore::get(Family family, Bytes key) noexcept {
    rocksdb::PinnableSlice value;
    const auto status = state_->database->Get(rocksdb::ReadOptions(), state_->handle(family),
                                              slice_of(key), &value);
    if (status.IsNotFound()) return std::optional<std::string>();
    if (!status.ok()) {
        state_->log_read_failure(family, status);
        return storage_error(code_of(status));
    }
    return std::optional<std::string>(std::in_place, value.data(), value.size());
}

// Writers that may wait are shared owners: RocksDB queues them and merges their syncs.
Status RocksStore::write(const Batch& batch, Durability durability) noexcept {
    rocksdb::WriteOptions how;
    how.sync = durability == Durability::power;
    const std::shared_lock lock(state_->writers);
    const Result<Written> written = state_->write(batch, how);
    return written ? Status{} : Status(written.error());
}

// Who may not wait is the only owner, or goes away: nobody is before it in RocksDB's queue.
Result<Written> RocksStore::try_write(const Batch& batch) noexcept {
    rocksdb::WriteOptions how;
    how.no_slowdown = true;
    const std::unique_lock lock(state_->writers, std::try_to_lock);
    if (!lock.owns_lock()) return Written::not_now;
    return state_->write(batch, how);
}

// `not_now` only with no_slowdown: RocksDB would have had the writer wait for its flushes or merges.
Result<Written> RocksStore::State::write(const Batch& batch, const rocksdb::WriteOptions& how) {
    if (const ErrorCode failed = failure.load(std::memory_order_acquire);
        failed != ErrorCode::none)
        return storage_error(failed);
    if (const Status space = check_space(batch.bytes()); !space) return space.error();
    // Keeps its memory from write to write. Per thread, because the centre writes beside the commit
    // thread when both live in one process.
    thread_local rocksdb::WriteBatch changes;
    changes.Clear();
    for (std::size_t i = 0; i < batch.count(); ++i) {
        const Batch::Change change = batch.change(i);
        rocksdb::ColumnFamilyHandle* const family = handle(change.family);
        rocksdb::Status added;
        switch (change.kind) {
            case Batch::Kind::put:
                added = changes.Put(family, slice_of(change.key), slice_of(change.value));
                break;
            case Batch::Kind::erase: added = changes.Delete(family, slice_of(change.key)); break;
            case Batch::Kind::erase_range:
                added = changes.DeleteRange(family, slice_of(change.key), slice_of(change.value));
                break;
        }
        NX_ASSERT(added.ok());
    }
    const auto status = database->Write(how, &changes);
    if (how.no_slowdown && status.IsIncomplete()) return Written::not_now;
    if (!status.ok()) return fail(code_of(status), status.ToString()).error();
    return Written::yes;
}

Status RocksStore::State::fail(ErrorCode code, const std::string& detail) {
    const ErrorCode told = code == ErrorCode::storage_full ? code : ErrorCode::storage_failed;
    ErrorCode none = ErrorCode::none;
    if (failure.compare_exchange_strong(none, told))
        log::error("store_failed",
                   {{"path", options.path}, {"error", name(told)}, {"detail", detail}});
    return storage_error(failure.load());
}

Status RocksStore::State::check_space(std::uint64_t bytes) noexcept {
    const bool much_written =
        bytes_since_sample.fetch_add(bytes, std::memory_order_relaxed) >= space_sample_bytes;
    const Nanoseconds age_ns =
        options.clock->now_ns() - sampled_at_ns.load(std::memory_order_relaxed);
    if (much_written || age_ns >= space_sample_interval) sample_space();
    if (free_bytes.load(std::memory_order_relaxed) >= options.free_bytes_min) return {};
    return fail(ErrorCode::storage_full, "free space is below the configured floor");
}

void RocksStore::State::sample_space() noexcept {
    bytes_since_sample.store(0, std::memory_order_relaxed);
    sampled_at_ns.store(options.clock->now_ns(), std::memory_order_relaxed);
    free_bytes.store(options.free_bytes(options.path), std::memory_order_relaxed);
}

Status RocksStore::scan(Family family, Bytes from, Bytes to,
                        const std::function<bool(Bytes key, Bytes value)>& visit) noexcept {
    rocksdb::ReadOptions how;
    const rocksdb::Slice end = slice_of(to);
    if (!to.empty()) how.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> rows(
        state_->database->NewIterator(how, state_->handle(family)));
    for (rows->Seek(slice_of(from)); rows->Valid(); rows->Next())
        if (!visit(bytes_of(rows->key()), bytes_of(rows->value()))) return {};
    if (rows->status().ok()) return {};
    state_->log_read_failure(family, rows->status());
    return storage_error(code_of(rows->status()));
}

Status RocksStore::scan_backwards(
    Family family, Bytes from, Bytes to,
    const std::function<bool(Bytes key, Bytes value)>& visit) noexcept {
    rocksdb::ReadOptions how;
    const rocksdb::Slice begin = slice_of(from), end = slice_of(to);
    how.iterate_lower_bound = &begin;
    if (!to.empty()) how.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> rows(
        state_->database->NewIterator(how, state_->handle(family)));
    for (rows->SeekToLast(); rows->Valid(); rows->Prev())
        if (!visit(bytes_of(rows->key()), bytes_of(rows->value()))) return {};
    if (rows->status().ok()) return {};
    state_->log_read_failure(family, rows->status());
    return storage_error(code_of(rows->status()));
}

bool RocksStore::failed() const noexcept {
    return state_->failure.load(std::memory_order_acquire) != ErrorCode::none;
}

bool RocksStore::low_on_space() const noexcept {
    // Sampled here as well: when every claim is refused nothing is written, and space must be seen
    // coming back.
    State& state = *state_;
    const Nanoseconds now_ns = state.options.clock->now_ns();
    if (now_ns - state.sampled_at_ns.load(std::memory_order_relaxed) >= space_sample_interval)
        state.sample_space();
    return state.free_bytes.load(std::memory_order_relaxed) / 2 < state.options.free_bytes_min;
}

// All families, because a log goes only when no family needs it any more.
Status RocksStore::purge(Family family) noexcept {
    const std::vector<rocksdb::ColumnFamilyHandle*> all(state_->handles.begin(),
                                                        state_->handles.end());
    const std::shared_lock lock(state_->writers);  // a flush begins in the queue of writers
    const auto flushed = state_->database->Flush(rocksdb::FlushOptions(), all);
    if (!flushed.ok()) return storage_error(code_of(flushed));
    if (const Status merged = state_->compact(family); !merged) return merged;
    // Files that nobody needs any more are deleted here, not some time later.
    const auto held = state_->database->DisableFileDeletions();
    const auto freed = state_->database->EnableFileDeletions(true);
    return held.ok() && freed.ok() ? Status{} : Status(storage_error(ErrorCode::storage_failed));
}

Status RocksStore::compact(Family family) noexcept {
    const std::shared_lock lock(state_->writers);  // it flushes first
    return state_->compact(family);
}

Status RocksStore::State::compact(Family family) {
    rocksdb::CompactRangeOptions how;
    how.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    const auto status = database->CompactRange(how, handle(family), nullptr, nullptr);
    if (!status.ok()) return storage_error(code_of(status));
    return {};
}

}  // namespace nodex::storage
