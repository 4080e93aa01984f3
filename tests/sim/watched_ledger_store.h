// WatchedLedgerStore: the ledger's tables in memory, with an eye on every commit: a checker sees
// each change with what was there before it, however many there are in a step.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "replication/central/memory_ledger_store.h"

namespace nodex::replication {

class WatchedLedgerStore final : public LedgerStore {
  public:
    // Runs before the change is made.
    using Watcher =
        std::function<void(const LedgerChange& change, const std::optional<std::string>& before)>;
    void watch(Watcher watcher) { watcher_ = std::move(watcher); }

    Status begin(LedgerAccess access) noexcept override { return tables_.begin(access); }
    void abort() noexcept override { tables_.abort(); }
    Result<std::optional<std::string>> get(LedgerTable table, Bytes key) noexcept override {
        return tables_.get(table, key);
    }
    Status scan(LedgerTable table, Bytes from, Bytes to,
                const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override {
        return tables_.scan(table, from, to, visit);
    }
    Status commit(const LedgerBatch& batch) noexcept override {
        for (const LedgerChange& change : batch)
            if (watcher_) watcher_(change, *tables_.get(change.table, change.key));
        return tables_.commit(batch);
    }

    [[nodiscard]] const MemoryLedgerStore& tables() const noexcept { return tables_; }
    // The disk is replaced: nobody's commit.
    void replace(const MemoryLedgerStore& tables) { tables_ = tables; }

  private:
    MemoryLedgerStore tables_;
    Watcher watcher_;
};

}  // namespace nodex::replication
