// LedgerStore: where the ledger keeps its rows: ordered tables and atomic, durable batches.
// Implementations: MemoryLedgerStore (tests, simulator) and RocksLedgerStore, held to one contract
// test. One writer thread.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/result.h"

namespace nodex::replication {

// Keys of each table: central/ledger_records.h.
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

struct LedgerChange {
    LedgerTable table{};
    std::string key;
    std::optional<std::string> value;  // nothing: erased
};
using LedgerBatch = std::vector<LedgerChange>;

class LedgerStore {
  public:
    virtual ~LedgerStore() = default;
    // Nothing when absent; corrupt(storage), storage_failed(storage).
    virtual Result<std::optional<std::string>> get(LedgerTable table, Bytes key) noexcept = 0;
    // Visits [from, to) in key order until the visitor answers false. Empty `to`: to the end of the
    // table.
    virtual Status scan(LedgerTable table, Bytes from, Bytes to,
                        const std::function<bool(Bytes key, Bytes value)>& visit) noexcept = 0;
    // All or nothing, safe against loss of power when it returns. After an error nothing more is
    // accepted.
    virtual Status commit(const LedgerBatch& batch) noexcept = 0;
};

}  // namespace nodex::replication
