// RocksStore: Store on one RocksDB for the whole process. Opens the data directory for itself
// alone, keeps a column family per Family (rocks_options.h), watches free space, and fails for good
// at the first write error.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "edge/base/clock.h"
#include "storage/store.h"

namespace nodex::storage {

struct RocksOptions {
    std::string path;  // made with mode 0700 when it does not exist
    std::uint64_t block_cache_bytes =
        64 * 1024 * 1024;  // shared by all families, index and filter blocks included
    std::uint64_t memtable_bytes =
        128 * 1024 * 1024;  // all families together; above it the largest is flushed
    // How long sealed bodies and their keys are kept: at least the idempotency lifetime and the
    // longest request.
    std::uint64_t body_retention_s = 26 * 3600;
    // Below this much free space every write fails; below twice as much new claims are refused
    // (low_on_space). It is there for compactions and the log of RocksDB, which must never be the
    // ones to meet the full disk.
    std::uint64_t free_bytes_min = 256 * 1024 * 1024;
    Clock* clock = &system_clock();  // expiry of rows, sampling of free space
    std::function<std::uint64_t(const std::string& path)>
        free_bytes{};  // of the file system; empty: statvfs
};

class RocksStore final : public Store {
  public:
    // Errors, each with a log line that names the directory and what to do: bad_configuration (not
    // a directory of ours), unavailable (another process holds it), corrupt, unsupported (made by
    // another version), storage_full, storage_failed.
    static Result<std::unique_ptr<RocksStore>> open(const RocksOptions& options);
    ~RocksStore() override;

    Result<std::optional<std::string>> get(Family family, Bytes key) noexcept override;
    Status write(const Batch& batch,
                 Durability durability) noexcept override;  // any number of threads
    Result<Written> try_write(const Batch& batch) noexcept override;
    Status scan(Family family, Bytes from, Bytes to,
                const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override;
    Status scan_backwards(
        Family family, Bytes from, Bytes to,
        const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override;
    [[nodiscard]] bool failed() const noexcept override;
    [[nodiscard]] bool low_on_space() const noexcept override;

    // Merges a family's files now: drops what has expired and what was erased. Blocks; not on the
    // commit thread.
    Status compact(Family family) noexcept;
    // Erased and replaced values of the family leave the disk: its files and the log are rewritten.
    // Blocks; not on the commit thread.
    Status purge(Family family) noexcept;

  private:
    RocksStore();
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::storage
