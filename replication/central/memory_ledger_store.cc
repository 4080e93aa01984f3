// MemoryLedgerStore: see the header.
#include "replication/central/memory_ledger_store.h"

namespace nodex::replication {

Status MemoryLedgerStore::begin(LedgerAccess) noexcept {
    NX_ASSERT(!begun_);
    begun_ = true;
    return {};
}

void MemoryLedgerStore::abort() noexcept {
    NX_ASSERT(begun_);
    begun_ = false;
}

Result<std::optional<std::string>> MemoryLedgerStore::get(LedgerTable table, Bytes key) noexcept {
    const auto& rows = tables_[static_cast<std::size_t>(table)];
    const auto found = rows.find(key);
    if (found == rows.end()) return std::optional<std::string>{};
    return std::optional<std::string>(found->second);
}

Status MemoryLedgerStore::scan(LedgerTable table, Bytes from, Bytes to,
                               const std::function<bool(Bytes key, Bytes value)>& visit) noexcept {
    const auto& rows = tables_[static_cast<std::size_t>(table)];
    for (auto row = rows.lower_bound(from); row != rows.end(); ++row) {
        if (!to.empty() && Bytes(row->first) >= to) break;
        if (!visit(row->first, row->second)) break;
    }
    return {};
}

Status MemoryLedgerStore::commit(const LedgerBatch& batch) noexcept {
    begun_ = false;
    if (batch.empty()) return {};
    if (failing_) return Error{ErrorCode::storage_failed, ErrorSource::storage};
    for (const LedgerChange& change : batch) {
        auto& rows = tables_[static_cast<std::size_t>(change.table)];
        if (change.value)
            rows.insert_or_assign(change.key, *change.value);
        else if (const auto found = rows.find(change.key); found != rows.end())
            rows.erase(found);
    }
    return {};
}

}  // namespace nodex::replication
