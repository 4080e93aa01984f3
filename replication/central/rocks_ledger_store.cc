// RocksLedgerStore: names the family of each table; everything else is the store's.
#include "replication/central/rocks_ledger_store.h"

#include "edge/crypto/crypto.h"
#include "storage/purge_thread.h"

namespace nodex::replication {
namespace {

storage::Family family_of(LedgerTable table) noexcept {
    using storage::Family;
    switch (table) {
        case LedgerTable::account: return Family::c_account;
        case LedgerTable::key: return Family::c_key;
        case LedgerTable::key_hash: return Family::c_key_hash;
        case LedgerTable::lease: return Family::c_lease;
        case LedgerTable::charge: return Family::c_charge;
        case LedgerTable::row: return Family::c_row;
        case LedgerTable::usage: return Family::c_usage;
        case LedgerTable::price: return Family::c_price;
        case LedgerTable::mark: return Family::c_mark;
        case LedgerTable::meta: return Family::c_meta;
        case LedgerTable::claim: return Family::c_claim;
        case LedgerTable::kek: return Family::c_kek;
        case LedgerTable::reference: return Family::c_reference;
        case LedgerTable::count: break;
    }
    NX_ASSERT(false && "a table without a family");
    return Family::c_meta;
}

// Never two of one name: a row that has lost something differs from what it has ever been.
std::string purge_name(const LedgerChange& change) {
    const crypto::Sha256 digest = crypto::sha256(change.value ? Bytes(*change.value) : Bytes());
    return std::string(name(change.table)) + '/' + change.key + std::string(crypto::view(digest));
}

}  // namespace

Result<std::optional<std::string>> RocksLedgerStore::get(LedgerTable table, Bytes key) noexcept {
    return store_.get(family_of(table), key);
}

Status RocksLedgerStore::scan(LedgerTable table, Bytes from, Bytes to,
                              const std::function<bool(Bytes key, Bytes value)>& visit) noexcept {
    return store_.scan(family_of(table), from, to, visit);
}

Status RocksLedgerStore::commit(const LedgerBatch& batch) noexcept {
    if (batch.empty()) return {};
    batch_.clear();
    for (const LedgerChange& change : batch) {
        if (change.value)
            batch_.put(family_of(change.table), change.key, *change.value);
        else
            batch_.erase(family_of(change.table), change.key);
        if (change.destroys) storage::mark_for_purge(purge_name(change), batch_);
    }
    return store_.write(batch_, durability_);
}

}  // namespace nodex::replication
