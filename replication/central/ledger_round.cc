// look_on(): see the header.
#include "replication/central/ledger_round.h"

#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

Result<std::vector<std::string>> look_on(
    LedgerStore& store, const LedgerRange& range, unsigned rows_max, std::string& next,
    const std::function<bool(Bytes key, Bytes value)>& wanted) {
    NX_ASSERT(rows_max > 0);
    std::vector<std::string> found;
    unsigned seen = 0;
    std::string last;
    const auto look = [&](Bytes key, Bytes value) {
        if (seen == rows_max) return false;
        ++seen;
        last = std::string(key);
        if (wanted(key, value)) found.push_back(last);
        return true;
    };
    const Status scanned =
        run_verb(store, LedgerAccess::read, [&](LedgerTransaction& glance) -> Status {
            found.clear();
            seen = 0;
            return glance.scan(range.table, next.empty() ? range.from : Bytes(next), range.to, look);
        });
    if (!scanned) return scanned.error();
    next = seen == rows_max ? last + '\0' : std::string{};
    return found;
}

}  // namespace nodex::replication
