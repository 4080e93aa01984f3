// Ledger: orders to destroy bodies. An order is a row a POP, written with the mark on the
// reference: every POP that was ever registered may have a copy, and is told with each report until
// it says that the keys are gone from its disk. A POP that is away finds the order when it comes
// back.
#include <algorithm>

#include "edge/base/limits.h"
#include "replication/central/ledger.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Erasure;
using ledger::Reference;

namespace {

// Every POP that was ever registered.
Result<std::vector<PopId>> all_pops(LedgerTransaction& transaction) {
    std::vector<PopId> pops;
    const Status scanned = transaction.scan(LedgerTable::mark, "n", "o", [&](Bytes key, Bytes) {
        if (key.size() == 1 + sizeof(PopId))
            pops.push_back(static_cast<PopId>(static_cast<unsigned char>(key[1]) << 8 |
                                              static_cast<unsigned char>(key[2])));
        return true;
    });
    if (!scanned) return scanned.error();
    return pops;
}

}  // namespace

Result<Ledger::Erasing> Ledger::erase_bodies(const RequestId& request, std::int64_t now_ms) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Erasing> {
        const Result<std::vector<PopId>> pops = all_pops(transaction);
        if (!pops) return pops.error();
        std::string key;
        Result<std::optional<Reference>> reference = find_reference(transaction, request, key);
        if (!reference) return reference.error();
        if (!*reference) return refused(ErrorCode::not_found);
        Erasing erasing{(*reference)->pop, true, {}};
        if ((*reference)->deleted) {
            Result<std::vector<PopId>> waiting = waiting_for(transaction, request, *pops);
            if (!waiting) return waiting.error();
            erasing.waiting = std::move(*waiting);
            return erasing;
        }
        (*reference)->deleted = true;
        transaction.put(LedgerTable::reference, key, ledger::encode(**reference));
        const Erasure order{(*reference)->pop, (*reference)->answer.id, (*reference)->sent.id,
                            now_ms, (*reference)->expires_ms()};
        for (const PopId pop : *pops)
            transaction.put(LedgerTable::reference, ledger::erasure_key(pop, request),
                            ledger::encode(order));
        erasing.waiting = *pops;
        return erasing;
    });
}

Result<Ledger::Erasing> Ledger::erasing(const RequestId& request) {
    return run_verb(
        store_, LedgerAccess::read, [&](LedgerTransaction& transaction) -> Result<Erasing> {
            const Result<std::vector<PopId>> pops = all_pops(transaction);
            if (!pops) return pops.error();
            std::string key;
            const auto reference = find_reference(transaction, request, key);
            if (!reference) return reference.error();
            if (!*reference) return refused(ErrorCode::not_found);
            Erasing erasing{(*reference)->pop, (*reference)->deleted, {}};
            Result<std::vector<PopId>> waiting = waiting_for(transaction, request, *pops);
            if (!waiting) return waiting.error();
            erasing.waiting = std::move(*waiting);
            return erasing;
        });
}

Result<std::vector<PopId>> Ledger::waiting_for(LedgerTransaction& transaction,
                                               const RequestId& request,
                                               const std::vector<PopId>& pops) {
    std::vector<PopId> waiting;
    for (const PopId pop : pops) {
        const auto order =
            transaction.get(LedgerTable::reference, ledger::erasure_key(pop, request));
        if (!order) return order.error();
        if (*order) waiting.push_back(pop);
    }
    return waiting;
}

// As long as the owner has not destroyed its own, it may send a copy again: another POP's word
// counts only after the owner's.
Status Ledger::note_erased(LedgerTransaction& transaction, PopId pop,
                           const std::vector<RequestId>& erased) {
    for (const RequestId& request : erased) {
        const std::string place = ledger::erasure_key(pop, request);
        const auto order = transaction.find<Erasure>(LedgerTable::reference, place);
        if (!order) return order.error();
        if (!*order) continue;
        const PopId owner = (*order)->owner;
        if (owner != pop) {
            const auto owners =
                transaction.get(LedgerTable::reference, ledger::erasure_key(owner, request));
            if (!owners) return owners.error();
            if (*owners) continue;
        }
        transaction.erase(LedgerTable::reference, place);
    }
    return {};
}

// What has expired is gone from every disk without an order.
Result<std::vector<ReportReply::Erasure>> Ledger::orders_for(LedgerTransaction& transaction,
                                                             PopId pop, std::int64_t now_ms) {
    std::vector<std::pair<RequestId, std::string>> found;
    const std::string from = ledger::erasure_key(pop, RequestId{});
    const std::string to = ledger::erasures_end(pop);
    const Status scanned =
        transaction.scan(LedgerTable::reference, from, to, [&](Bytes key, Bytes) {
            if (found.size() == limits::erasures_max) return false;
            if (key.size() == from.size())
                found.emplace_back(RequestId::from(key.substr(key.size() - RequestId::size)),
                                   std::string(key));
            return true;
        });
    if (!scanned) return scanned.error();
    std::vector<ReportReply::Erasure> orders;
    for (const auto& [request, place] : found) {
        const auto order = transaction.find<Erasure>(LedgerTable::reference, place);
        if (!order) return order.error();
        if (!*order) continue;  // done by what this report told
        if ((*order)->expires_ms <= now_ms)
            transaction.erase(LedgerTable::reference, place);
        else
            orders.push_back({request, (*order)->answer, (*order)->sent});
    }
    return orders;
}

}  // namespace nodex::replication
