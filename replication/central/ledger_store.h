// LedgerStore: where the ledger keeps its rows: ordered tables and atomic, durable batches.
// Implementations: MemoryLedgerStore (tests, simulator), RocksLedgerStore and
// postgres/PostgresLedgerStore, held to one contract test. One thread uses one object. The first
// two have no other writer; on PostgreSQL other processes work on the same tables, so what a verb
// reads and what it writes is one transaction (LedgerTransaction, run_verb()).
#pragma once
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/result.h"

namespace nodex::replication {

// Keys of each table: central/ledger_records.h. A new one also has a name (ledger_store.cc), a
// family (rocks_ledger_store.cc) and a numbered migration (postgres/migrations); contract tests
// miss none.
enum class LedgerTable : std::uint8_t {
    account,
    key,
    key_hash,
    lease,
    charge,
    row,
    usage,
    price,
    mark,
    meta,
    claim,
    kek,
    reference,
    count
};
inline constexpr std::size_t ledger_tables_count = static_cast<std::size_t>(LedgerTable::count);
const char* name(LedgerTable table) noexcept;

struct LedgerPlace {
    LedgerTable table{};
    std::string key;
    auto operator<=>(const LedgerPlace&) const noexcept = default;
};

struct LedgerChange {
    LedgerTable table{};
    std::string key;
    std::optional<std::string> value;  // nothing: erased
    // What stood there is to leave the disk, not only the table: a durable store notes that in the
    // same write, and its purge carries it out (open_ledger_store.h).
    bool destroys = false;
};
using LedgerBatch = std::vector<LedgerChange>;

// What a transaction is for.
//   read   one moment's state; waits for nobody
//   write  alone: from its first read to its end no other writer, of any process, is between its
//   own
enum class LedgerAccess : std::uint8_t { read, write };

// Errors of every call, all with source `storage`:
//   stale, retryable   another process was in the way; nothing was written; run the verb again
//   unavailable        the store cannot be reached now, or is busy, or the outcome of a commit is
//   not
//                      known: answer nothing. A later call may succeed, and then finds what was
//                      committed
//   anything else      (storage_failed, storage_full, corrupt) the store is not to be used any more
class LedgerStore {
  public:
    virtual ~LedgerStore() = default;

    // Opens a transaction, ended by commit() or abort(); there is never a second one at a time.
    virtual Status begin(LedgerAccess) noexcept { return {}; }
    virtual void abort() noexcept {}
    // All or nothing, safe against loss of power when it returns, and so is everything that the
    // transaction had read. Later changes of a batch win over earlier ones of the same key. Without
    // begin(): a transaction of its own.
    virtual Status commit(const LedgerBatch& batch) noexcept = 0;

    // Nothing when absent.
    virtual Result<std::optional<std::string>> get(LedgerTable table, Bytes key) noexcept = 0;
    // Many at once, for a store where each question costs a round trip. Visits every place once, in
    // any order, with its index; nothing when absent. Visitors do not call the store.
    virtual Status get_many(
        std::span<const LedgerPlace> places,
        const std::function<void(std::size_t index, std::optional<Bytes> value)>& visit) noexcept;
    // Visits [from, to) in key order until the visitor answers false. Empty `to`: to the end of the
    // table.
    virtual Status scan(LedgerTable table, Bytes from, Bytes to,
                        const std::function<bool(Bytes key, Bytes value)>& visit) noexcept = 0;
};

// The verb may simply run again.
constexpr bool is_conflict(Error error) noexcept {
    return error.source == ErrorSource::storage && error.code == ErrorCode::stale &&
           error.retryable;
}
// Not now; the store is not lost.
constexpr bool is_unavailable(Error error) noexcept {
    return error.source == ErrorSource::storage && error.code == ErrorCode::unavailable;
}
constexpr Error ledger_conflict() noexcept {
    return {ErrorCode::stale, ErrorSource::storage, true};
}
constexpr Error ledger_unavailable() noexcept {
    return {ErrorCode::unavailable, ErrorSource::storage, true};
}

}  // namespace nodex::replication
