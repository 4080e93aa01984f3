// SimStore: the in-memory twin of RocksStore, with the ways a disk betrays us made into verbs. A
// crash of the process keeps everything written; a loss of power keeps what a `power` write covered
// (it syncs one log, so it covers all writes before it too) and any number of the writes after it,
// in order.
#pragma once
#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "storage/store.h"

namespace nodex::storage {

class SimStore final : public Store {
  public:
    Result<std::optional<std::string>> get(Family family, Bytes key) noexcept override;
    Status write(const Batch& batch, Durability durability) noexcept override;
    Result<Written> try_write(const Batch& batch) noexcept override;
    Status scan(Family family, Bytes from, Bytes to,
                const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override;
    Status scan_backwards(
        Family family, Bytes from, Bytes to,
        const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override;
    [[nodiscard]] bool failed() const noexcept override;
    [[nodiscard]] bool low_on_space() const noexcept override;

    // --- faults ---
    // The write after `writes` further ones answers `error` and fails the store. `reaches_disk`:
    // the change is made all the same (only the answer was lost): both are what an error from a
    // disk can mean.
    void fail_write_after(std::uint64_t writes, ErrorCode error, bool reaches_disk) noexcept;
    void fail_reads(bool fail) noexcept;
    void set_low_on_space(bool low) noexcept;
    // Runs inside each write and each try, before it has an effect: what takes time there.
    void on_write(std::function<void()> during);
    // While true it is as if another writer were inside: try_write() answers `not_now`.
    void set_busy(bool busy) noexcept;
    // Flips one octet of a stored value; false when there is no such key or the value is empty.
    bool corrupt_value(Family family, Bytes key, std::size_t octet = 0) noexcept;

    // --- restarts: faults end, failed() is false again ---
    void crash_process() noexcept;
    void lose_power(
        std::size_t unsynced_kept) noexcept;  // of unsynced_count() writes, the oldest ones

    [[nodiscard]] std::size_t unsynced_count() const noexcept;
    [[nodiscard]] std::uint64_t writes_count() const noexcept;
    [[nodiscard]] std::uint64_t synced_writes_count() const noexcept;
    [[nodiscard]] std::size_t keys_count(Family family) const noexcept;

  private:
    using Table = std::map<std::string, std::string, std::less<>>;
    using Tables = std::array<Table, static_cast<std::size_t>(Family::count)>;
    using Rows = std::vector<std::pair<std::string, std::string>>;
    Status write_now(const Batch& batch, Durability durability) noexcept;
    static void apply(Tables& tables, const Batch& batch);
    Result<Rows> rows(Family family, Bytes from, Bytes to) const noexcept;
    void restart() noexcept;

    mutable std::mutex mutex_;     // guards everything below: reads come from any thread
    Tables tables_;                // what a reader sees
    Tables synced_;                // what survives a loss of power for certain
    std::vector<Batch> unsynced_;  // writes between the two, oldest first
    std::uint64_t writes_count_ = 0;
    std::uint64_t synced_writes_count_ = 0;
    std::uint64_t writes_until_failure_ = 0;   // valid while armed_
    ErrorCode write_error_ = ErrorCode::none;  // valid while armed_ or failed_
    bool armed_ = false;
    bool failing_write_reaches_disk_ = false;
    bool failed_ = false;
    bool reads_fail_ = false;
    bool low_on_space_ = false;
    bool busy_ = false;
    std::function<void()> during_write_;  // set before threads write
};

}  // namespace nodex::storage
