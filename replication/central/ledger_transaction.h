// LedgerTransaction: reads through to the store, keeps what is written, commits it all or nothing.
// A savepoint undoes one settlement of a batch without losing those before it. Dropping the
// transaction changes nothing. run_verb() runs a verb in one, again where another process was in
// the way.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include "edge/base/limits.h"
#include "replication/central/ledger_records.h"
#include "replication/central/ledger_store.h"

namespace nodex::replication {

class LedgerTransaction {
  public:
    // Nothing happens at the store before the first read. `store` outlives this.
    explicit LedgerTransaction(LedgerStore& store,
                               LedgerAccess access = LedgerAccess::write) noexcept
        : store_(store), access_(access) {}
    ~LedgerTransaction() { abort(); }
    LedgerTransaction(const LedgerTransaction&) = delete;
    LedgerTransaction& operator=(const LedgerTransaction&) = delete;

    Result<std::optional<std::string>> get(LedgerTable table, const std::string& key);
    // Reads what get() will be asked for, in one go. Places may be named twice.
    Status prefetch(std::vector<LedgerPlace> places);
    // What is committed, without what this transaction has written so far.
    Status scan(LedgerTable table, Bytes from, Bytes to,
                const std::function<bool(Bytes key, Bytes value)>& visit);
    void put(LedgerTable table, const std::string& key, std::string value);
    void erase(LedgerTable table, const std::string& key);
    // put(), and what stood there before is to leave the disk (LedgerChange::destroys).
    void destroy(LedgerTable table, const std::string& key, std::string value);

    // Nothing when absent.
    template <class Record>
    Result<std::optional<Record>> find(LedgerTable table, const std::string& key) {
        Result<const Cell*> cell = load(table, key);
        if (!cell) return cell.error();
        if (!(*cell)->value) return std::optional<Record>{};
        Record record;
        if (const Status decoded = ledger::decode(*(*cell)->value, record); !decoded)
            return decoded.error();
        return std::optional<Record>(std::move(record));
    }

    [[nodiscard]] std::size_t savepoint() const noexcept { return undo_.size(); }
    void roll_back(std::size_t savepoint);
    [[nodiscard]] bool changed() const noexcept { return !undo_.empty(); }
    // Writes in key order, so that equal entries make equal batches. The transaction is spent. One
    // that wrote nothing commits too: what it read, and what is answered from it, is then durable.
    Status commit();

  private:
    struct Cell {
        std::optional<std::string> value;
        bool written = false;
        bool destroys = false;
    };
    struct Undo {
        LedgerTable table;
        std::string key;
        std::optional<Cell> before;
    };
    struct KeyHasher {
        using is_transparent = void;
        std::size_t operator()(Bytes key) const noexcept { return std::hash<Bytes>{}(key); }
    };
    using Cells = std::unordered_map<std::string, Cell, KeyHasher, std::equal_to<>>;

    Cells& cells(LedgerTable table) noexcept { return cells_[static_cast<std::size_t>(table)]; }
    Status ensure_begun();
    Result<const Cell*> load(LedgerTable table, const std::string& key);
    Cell& set(LedgerTable table, const std::string& key, std::optional<std::string> value);
    void abort() noexcept;

    LedgerStore& store_;
    const LedgerAccess access_;
    bool begun_ = false;
    std::array<Cells, ledger_tables_count> cells_;  // read or written
    std::vector<Undo> undo_;                        // newest last
};

// Runs `verb(transaction)`, which answers a Result, and commits what it wrote; its error changes
// nothing and is the answer. Where another process was in the way the verb runs again, so it must
// not consume its arguments: limits::ledger_attempts_max times, then unavailable(storage).
template <class Verb>
auto run_verb(LedgerStore& store, LedgerAccess access, const Verb& verb)
    -> std::invoke_result_t<const Verb&, LedgerTransaction&> {
    for (unsigned attempt = 0; attempt < limits::ledger_attempts_max; ++attempt) {
        LedgerTransaction transaction(store, access);
        auto answer = verb(transaction);
        const Status ended = answer ? transaction.commit() : Status(answer.error());
        if (ended) return answer;
        if (!is_conflict(ended.error())) return ended.error();
    }
    return ledger_unavailable();
}
template <class Verb>
auto run_verb(LedgerStore& store, const Verb& verb) {
    return run_verb(store, LedgerAccess::write, verb);
}

}  // namespace nodex::replication
