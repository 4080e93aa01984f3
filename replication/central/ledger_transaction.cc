// LedgerTransaction: see the header.
#include "replication/central/ledger_transaction.h"

#include <algorithm>

namespace nodex::replication {

Status LedgerTransaction::ensure_begun() {
    if (begun_) return {};
    if (const Status begun = store_.begin(access_); !begun) return begun;
    begun_ = true;
    return {};
}

void LedgerTransaction::abort() noexcept {
    if (begun_) store_.abort();
    begun_ = false;
}

Result<LedgerTransaction::Cell*> LedgerTransaction::load(LedgerTable table,
                                                         const std::string& key) {
    Cells& rows = cells(table);
    if (const auto found = rows.find(key); found != rows.end()) return &found->second;
    if (const Status begun = ensure_begun(); !begun) return begun.error();
    Result<std::optional<std::string>> stored = store_.get(table, key);
    if (!stored) return stored.error();
    return &rows.emplace(key, Cell{std::move(*stored)}).first->second;
}

Result<std::optional<std::string>> LedgerTransaction::get(LedgerTable table,
                                                          const std::string& key) {
    const Result<Cell*> cell = load(table, key);
    if (!cell) return cell.error();
    if (!(*cell)->value) return std::optional<std::string>{};
    return std::optional<std::string>((*cell)->octets());
}

Status LedgerTransaction::prefetch(std::vector<LedgerPlace> places) {
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    std::erase_if(places, [this](const LedgerPlace& place) {
        return cells(place.table).contains(place.key);
    });
    if (places.empty()) return {};
    if (const Status begun = ensure_begun(); !begun) return begun;
    return store_.get_many(places, [&](std::size_t index, std::optional<Bytes> value) {
        Cell cell;
        if (value) cell.value = std::string(*value);
        cells(places[index].table).emplace(places[index].key, std::move(cell));
    });
}

Status LedgerTransaction::scan(LedgerTable table, Bytes from, Bytes to,
                               const std::function<bool(Bytes key, Bytes value)>& visit) {
    if (const Status begun = ensure_begun(); !begun) return begun;
    return store_.scan(table, from, to, visit);
}

LedgerTransaction::Cell& LedgerTransaction::set(LedgerTable table, const std::string& key,
                                                std::optional<std::string> value) {
    NX_ASSERT(access_ == LedgerAccess::write);
    const auto [place, fresh] = cells(table).try_emplace(key);
    const bool destroys = place->second.destroys;
    undo_.push_back({table, key, fresh ? std::optional<Cell>{} : std::move(place->second)});
    place->second = Cell{std::move(value), true, destroys};
    return place->second;
}

void LedgerTransaction::put(LedgerTable table, const std::string& key, std::string value) {
    set(table, key, std::move(value));
}

void LedgerTransaction::erase(LedgerTable table, const std::string& key) {
    set(table, key, std::nullopt);
}

void LedgerTransaction::destroy(LedgerTable table, const std::string& key, std::string value) {
    set(table, key, std::move(value)).destroys = true;
}

void LedgerTransaction::roll_back(std::size_t savepoint) {
    NX_ASSERT(savepoint <= undo_.size());
    while (undo_.size() > savepoint) {
        Undo& undo = undo_.back();
        if (undo.before)
            cells(undo.table).insert_or_assign(std::move(undo.key), std::move(*undo.before));
        else
            cells(undo.table).erase(undo.key);
        undo_.pop_back();
    }
}

Status LedgerTransaction::commit() {
    LedgerBatch batch;
    for (std::size_t table = 0; table < ledger_tables_count; ++table) {
        const std::size_t first = batch.size();
        for (auto& [key, cell] : cells_[table]) {
            if (!cell.written) continue;
            if (cell.unencoded) (void)cell.octets();
            batch.push_back(
                {static_cast<LedgerTable>(table), key, std::move(cell.value), cell.destroys});
        }
        std::sort(batch.begin() + static_cast<std::ptrdiff_t>(first), batch.end(),
                  [](const LedgerChange& left, const LedgerChange& right) {
                      return left.key < right.key;
                  });
        cells_[table].clear();
    }
    undo_.clear();
    if (access_ == LedgerAccess::read) {
        NX_ASSERT(batch.empty());
        abort();
        return {};
    }
    if (batch.empty() && !begun_) return {};
    begun_ = false;
    return store_.commit(batch);
}

}  // namespace nodex::replication
