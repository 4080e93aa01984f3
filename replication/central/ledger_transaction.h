// LedgerTransaction: reads through to the store, keeps what is written, commits it all or nothing.
// A savepoint undoes one settlement of a batch without losing those before it. Dropping the
// transaction changes nothing. run_verb() runs a verb in one, again where another process was in
// the way.
//
// The settlements of a shipped batch are mostly of one account and key. What each of them reads and
// writes anew is kept as a record, read from its octets once and made into octets once, at the
// commit; a savepoint takes the record back together with its octets.
#pragma once
#include <memory>
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

// A record of the ledger, of any type, immutable. Copies share it.
class KeptRecord {
  public:
    KeptRecord() = default;
    template <class Record>
    explicit KeptRecord(Record record)
        : record_(std::make_shared<const Record>(std::move(record))), encode_(&encode_as<Record>) {}
    // Null: it is of another type, or none.
    template <class Record>
    [[nodiscard]] const Record* as() const noexcept {
        const bool same = encode_ == &encode_as<Record>;
        return same ? static_cast<const Record*>(record_.get()) : nullptr;
    }
    [[nodiscard]] std::string encode() const { return encode_(record_.get()); }

  private:
    template <class Record>
    static std::string encode_as(const void* record) {
        return ledger::encode(*static_cast<const Record*>(record));
    }
    std::shared_ptr<const void> record_;
    std::string (*encode_)(const void* record) = nullptr;
};

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
    // put() of a record for which find() will be asked again in this transaction.
    template <class Record>
    void keep(LedgerTable table, const std::string& key, const Record& record) {
        Cell& cell = set(table, key, std::string());
        cell.record = KeptRecord(record);
        cell.unencoded = true;
    }
    void erase(LedgerTable table, const std::string& key);
    // put(), and what stood there before is to leave the disk (LedgerChange::destroys).
    void destroy(LedgerTable table, const std::string& key, std::string value);

    // Nothing when absent.
    template <class Record>
    Result<std::optional<Record>> find(LedgerTable table, const std::string& key) {
        Result<Cell*> cell = load(table, key);
        if (!cell) return cell.error();
        if (!(*cell)->value) return std::optional<Record>{};
        if (const Record* kept = (*cell)->record.as<Record>()) return std::optional<Record>(*kept);
        Record record;
        if (const Status decoded = ledger::decode((*cell)->octets(), record); !decoded)
            return decoded.error();
        if constexpr (ledger::is_shared_by_settlements<Record>)
            (*cell)->record = KeptRecord(record);
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
        bool unencoded = false;  // `record` is the value, `value` not yet
        KeptRecord record{};     // or empty
        const std::string& octets() {
            if (std::exchange(unencoded, false)) value = record.encode();
            return *value;
        }
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
    Result<Cell*> load(LedgerTable table, const std::string& key);
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
