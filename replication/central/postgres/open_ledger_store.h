// open_ledger_store(): the store that a configuration names, ready for a Ledger.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "replication/central/postgres/postgres_ledger_store.h"
#include "storage/rocks_store.h"

namespace nodex::replication {

enum class LedgerStoreKind : std::uint8_t { rocksdb, postgres };

struct LedgerStoreOptions {
    LedgerStoreKind kind = LedgerStoreKind::rocksdb;
    // rocksdb
    storage::RocksOptions rocks;
    storage::Durability durability = storage::Durability::power;
    // postgres
    std::string url;
    SchemaPolicy schema = SchemaPolicy::create;
};

struct OpenedLedgerStore {
    std::unique_ptr<storage::RocksStore> disk;  // under `ledger`; null with PostgreSQL
    std::unique_ptr<LedgerStore> ledger;
    // What the ledger destroyed (LedgerChange::destroys) leaves this store's files: the pass of a
    // storage::PurgeThread, which ends before close().
    std::function<Result<unsigned>()> purge;
    void close() noexcept {
        ledger.reset();
        disk.reset();
    }
};

// `clock` outlives the store. RocksStore::open's errors, or bad_configuration(storage) with a
// sentence for the operator in `problem`.
Result<OpenedLedgerStore> open_ledger_store(const LedgerStoreOptions& options, Clock& clock,
                                            std::string& problem);

}  // namespace nodex::replication
