// A look at some rows of a table at a time, round and round: where one ends, the next goes on. For
// what has no hurry and must not read a whole table in one verb.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "replication/central/ledger_store.h"

namespace nodex::replication {

// The rows of `table` from `from` to before `to`; "": from the first, to the last.
struct LedgerRange {
    LedgerTable table;
    Bytes from;
    Bytes to;
};

// The keys of those of the next `rows_max` rows (above 0, asserted) that are `wanted`, in their
// order. `next` is where to go on, true or not: "" for the beginning, and again after the end. It is
// a read of its own, so who acts on a row reads it again: another process of the centre may have
// changed it. `wanted` may be asked twice of a row. Errors are the store's, and leave `next` alone.
Result<std::vector<std::string>> look_on(
    LedgerStore& store, const LedgerRange& range, unsigned rows_max, std::string& next,
    const std::function<bool(Bytes key, Bytes value)>& wanted);

}  // namespace nodex::replication
