// LedgerTransaction: reads through to the store, keeps what is written, commits it all or nothing.
// A savepoint undoes one settlement of a batch without losing those before it. Dropping the
// transaction changes nothing.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "replication/central/ledger_records.h"
#include "replication/central/ledger_store.h"

namespace nodex::replication {

class LedgerTransaction {
  public:
    explicit LedgerTransaction(LedgerStore& store) noexcept : store_(store) {}
    LedgerTransaction(const LedgerTransaction&) = delete;
    LedgerTransaction& operator=(const LedgerTransaction&) = delete;

    Result<std::optional<std::string>> get(LedgerTable table, const std::string& key);
    void put(LedgerTable table, const std::string& key, std::string value);
    void erase(LedgerTable table, const std::string& key);

    // Nothing when absent.
    template <class Record>
    Result<std::optional<Record>> find(LedgerTable table, const std::string& key) {
        Result<std::optional<std::string>> bytes = get(table, key);
        if (!bytes) return bytes.error();
        if (!*bytes) return std::optional<Record>{};
        Record record;
        if (const Status decoded = ledger::decode(**bytes, record); !decoded)
            return decoded.error();
        return std::optional<Record>(std::move(record));
    }

    [[nodiscard]] std::size_t savepoint() const noexcept { return undo_.size(); }
    void roll_back(std::size_t savepoint);
    [[nodiscard]] bool changed() const noexcept { return !undo_.empty(); }
    // Writes in key order, so that equal entries make equal batches. The transaction is spent.
    Status commit();

  private:
    using Place = std::pair<LedgerTable, std::string>;
    struct Cell {
        std::optional<std::string> value;
        bool written = false;
    };
    struct Undo {
        Place place;
        std::optional<Cell> before;
    };
    void set(LedgerTable table, const std::string& key, std::optional<std::string> value);

    LedgerStore& store_;
    std::map<Place, Cell> cells_;  // read or written
    std::vector<Undo> undo_;       // newest last
};

}  // namespace nodex::replication
