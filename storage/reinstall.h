// Reinstall: a POP whose disk and ledger have different histories (registration refused) begins a
// new one: its outbox is set aside in a file for an operator to reconcile, and it gets a new
// install id, hence a new incarnation, so that no sequence number is ever used for two records.
// Stored answers, bodies and their keys stay. Offline: the store is open, nothing serves.
#pragma once
#include <cstdint>
#include <string>

#include "edge/base/random.h"
#include "storage/journal.h"
#include "storage/store.h"

namespace nodex::storage {

struct SetAside {
    std::string path;             // a line of JSON a record, oldest first; 0600
    std::uint64_t records = 0;    // in it
    std::uint64_t unapplied = 0;  // of them: as far as this disk knew, never applied
    InstallId install;            // the new one
};

// The file is whole and durable before the one write that begins the new history: a crash in
// between leaves the old one, and a second call writes the same file again. forbidden(self):
// requests are still open (recover() first). io_failure(kernel): the file cannot be written;
// corrupt(storage), storage_failed(storage). `journal` is spent: open it anew.
Result<SetAside> reinstall(Journal& journal, Store& store, Random& random,
                           const std::string& folder);

}  // namespace nodex::storage
