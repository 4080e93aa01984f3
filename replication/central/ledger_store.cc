// LedgerStore: names of the tables, and reads one after the other.
#include "replication/central/ledger_store.h"

namespace nodex::replication {

const char* name(LedgerTable table) noexcept {
    switch (table) {
        case LedgerTable::account: return "account";
        case LedgerTable::key: return "key";
        case LedgerTable::key_hash: return "key_hash";
        case LedgerTable::lease: return "lease";
        case LedgerTable::charge: return "charge";
        case LedgerTable::row: return "row";
        case LedgerTable::usage: return "usage";
        case LedgerTable::price: return "price";
        case LedgerTable::mark: return "mark";
        case LedgerTable::meta: return "meta";
        case LedgerTable::claim: return "claim";
        case LedgerTable::kek: return "kek";
        case LedgerTable::reference: return "reference";
        case LedgerTable::count: break;
    }
    NX_ASSERT(false && "a table without a name");
    return "";
}

Status LedgerStore::get_many(
    std::span<const LedgerPlace> places,
    const std::function<void(std::size_t index, std::optional<Bytes> value)>& visit) noexcept {
    for (std::size_t index = 0; index < places.size(); ++index) {
        const Result<std::optional<std::string>> value =
            get(places[index].table, places[index].key);
        if (!value) return value.error();
        visit(index, *value ? std::optional<Bytes>(**value) : std::nullopt);
    }
    return {};
}

}  // namespace nodex::replication
