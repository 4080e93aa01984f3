// The choice between the two durable stores.
#include "replication/central/postgres/open_ledger_store.h"

#include "replication/central/postgres/purge.h"
#include "replication/central/rocks_ledger_store.h"
#include "storage/purge_thread.h"

namespace nodex::replication {

Result<OpenedLedgerStore> open_ledger_store(const LedgerStoreOptions& options, Clock& clock,
                                            std::string& problem) {
    OpenedLedgerStore opened;
    if (options.kind == LedgerStoreKind::postgres) {
        opened.ledger = PostgresLedgerStore::open(options.url, options.schema, clock, problem);
        if (opened.ledger == nullptr)
            return Error{ErrorCode::bad_configuration, ErrorSource::storage};
        opened.purge = [url = options.url, &clock] { return purge_database(url, clock); };
        return opened;
    }
    auto disk = storage::RocksStore::open(options.rocks);
    if (!disk) {
        problem = "the store in " + options.rocks.path + " cannot be opened";
        return disk.error();
    }
    opened.disk = std::move(*disk);
    opened.purge = storage::purge_pass(*opened.disk);
    opened.ledger = std::make_unique<RocksLedgerStore>(*opened.disk, options.durability);
    return opened;
}

}  // namespace nodex::replication
