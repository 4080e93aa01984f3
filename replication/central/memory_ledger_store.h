// MemoryLedgerStore: the ledger's tables as sorted maps, for tests and the simulator.
#pragma once
#include <array>
#include <map>

#include "replication/central/ledger_store.h"

namespace nodex::replication {

class MemoryLedgerStore final : public LedgerStore {
  public:
    Status begin(LedgerAccess access) noexcept override;
    void abort() noexcept override;
    Result<std::optional<std::string>> get(LedgerTable table, Bytes key) noexcept override;
    Status scan(LedgerTable table, Bytes from, Bytes to,
                const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override;
    Status commit(const LedgerBatch& batch) noexcept override;

    // The next commit answers storage_failed and so does every later one: what a failed disk does.
    void fail_next_commit() noexcept { failing_ = true; }
    [[nodiscard]] bool operator==(const MemoryLedgerStore& other) const noexcept {
        return tables_ == other.tables_;
    }

  private:
    std::array<std::map<std::string, std::string, std::less<>>, ledger_tables_count> tables_;
    bool failing_ = false;
    bool begun_ = false;
};

}  // namespace nodex::replication
