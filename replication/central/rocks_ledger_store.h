// RocksLedgerStore: the ledger's tables in the c_* families of a storage::Store (RocksStore in
// production).
#pragma once
#include "replication/central/ledger_store.h"
#include "storage/store.h"

namespace nodex::replication {

class RocksLedgerStore final : public LedgerStore {
  public:
    // `store` outlives this. A centre on its own writes with Durability::power: its reply lets a
    // POP forget. A standalone node shares the store with its POP, so what the POP is promised is
    // enough.
    explicit RocksLedgerStore(storage::Store& store,
                              storage::Durability durability = storage::Durability::power) noexcept
        : store_(store), durability_(durability) {}

    Result<std::optional<std::string>> get(LedgerTable table, Bytes key) noexcept override;
    Status scan(LedgerTable table, Bytes from, Bytes to,
                const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override;
    Status commit(const LedgerBatch& batch) noexcept override;

  private:
    storage::Store& store_;
    const storage::Durability durability_;
    storage::Batch batch_;  // its memory is reused
};

}  // namespace nodex::replication
