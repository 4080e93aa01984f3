// LedgerTransaction: see the header.
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

Result<std::optional<std::string>> LedgerTransaction::get(LedgerTable table,
                                                          const std::string& key) {
    Place place(table, key);
    if (const auto found = cells_.find(place); found != cells_.end())
        return std::optional<std::string>(found->second.value);
    Result<std::optional<std::string>> stored = store_.get(table, key);
    if (!stored) return stored.error();
    cells_.emplace(std::move(place), Cell{*stored, false});
    return stored;
}

void LedgerTransaction::set(LedgerTable table, const std::string& key,
                            std::optional<std::string> value) {
    Place place(table, key);
    const auto found = cells_.find(place);
    undo_.push_back({place, found == cells_.end() ? std::optional<Cell>{}
                                                  : std::optional<Cell>(found->second)});
    cells_.insert_or_assign(std::move(place), Cell{std::move(value), true});
}

void LedgerTransaction::put(LedgerTable table, const std::string& key, std::string value) {
    set(table, key, std::move(value));
}

void LedgerTransaction::erase(LedgerTable table, const std::string& key) {
    set(table, key, std::nullopt);
}

void LedgerTransaction::roll_back(std::size_t savepoint) {
    NX_ASSERT(savepoint <= undo_.size());
    while (undo_.size() > savepoint) {
        Undo& undo = undo_.back();
        if (undo.before)
            cells_.insert_or_assign(undo.place, std::move(*undo.before));
        else
            cells_.erase(undo.place);
        undo_.pop_back();
    }
}

Status LedgerTransaction::commit() {
    LedgerBatch batch;
    batch.reserve(cells_.size());
    for (auto& [place, cell] : cells_)
        if (cell.written) batch.push_back({place.first, place.second, std::move(cell.value)});
    cells_.clear();
    undo_.clear();
    if (batch.empty()) return {};
    return store_.commit(batch);
}

}  // namespace nodex::replication
