// ReplicationWorld's checkers, a property each; numbers are those of replication.md section 8.
#include <map>

#include "tests/sim/replication_world.h"

namespace nodex::replication {

void ReplicationWorld::violated(const std::string& what) {
    if (violation_.empty()) violation_ = what;
}

void ReplicationWorld::check_step() {
    for (const auto& pop : pops_) check_leases(*pop);
    check_claims();
}

// I4: a POP never has in use more than the centre has granted it, per generation.
void ReplicationWorld::check_leases(Pop& pop) {
    for (const LeaseKey::Kind kind : {LeaseKey::Kind::account, LeaseKey::Kind::key}) {
        const LeaseKey scope{kind, 1};
        const LeaseScope* lease = pop.core->leases().find(scope);
        if (lease == nullptr || lease->granted() == 0) continue;
        // Of a ledger that was lost: nobody here knows it, and the POP gives it up when it hears.
        if (pop.core->link().epoch_max() != ledger_.head()->epoch) continue;
        const Nano used = lease->settled() + lease->reserved() + lease->returned();
        if (used > lease->granted()) violated("I4: more in use than granted");
        const auto stored =
            ledger_.lease_of(scope, pop.core->link().pop(), pop.core->link().incarnation());
        Nano granted = 0;
        if (stored && *stored)
            for (const ledger::Lease::Generation& generation : (*stored)->generations)
                if (generation.number == lease->generation()) granted = generation.granted;
        if (lease->granted() > granted) violated("I4: a grant the centre does not know");
    }
}

void ReplicationWorld::check_ledger() {
    const Result<LedgerAudit> audit = ledger_.check_invariants();
    if (!audit)
        violated("the ledger cannot be read");
    else if (!audit->sound())
        violated(audit->first_problem);
}

// I2: at most one charge a key. I5: every charge is of an execution a POP logged, and within its
// reservation. I6 and I11: every execution a client was told of is in the ledger, charged or the
// house's.
void ReplicationWorld::check_rows() {
    std::map<RequestId, Nano> charged;
    std::map<RequestId, unsigned> booked;
    std::map<RequestId, const storage::Settlement*> executed;
    for (const SimExecution& execution : executions_)
        executed[execution.settlement.request_id] = &execution.settlement;
    Nano late_loss = 0;
    (void)ledger_store_.scan(LedgerTable::row, {}, {}, [&](Bytes, Bytes value) {
        ledger::Row row;
        if (!ledger::decode(value, row)) violated("a row cannot be read");
        if (row.kind == ledger::RowKind::late_loss) late_loss += row.amount;
        if (row.kind != ledger::RowKind::charge && row.kind != ledger::RowKind::duplicate)
            return true;
        ++booked[row.request];
        if (row.kind == ledger::RowKind::duplicate) ++seen_["duplicate"];
        if (row.kind == ledger::RowKind::charge) charged[row.request] += row.amount;
        const auto execution = executed.find(row.request);
        if (execution == executed.end())
            violated("I5: a charge without an execution");
        else if (row.amount > execution->second->reservation.amount)
            violated("I5: charged above the reservation");
        return true;
    });
    std::map<IdempotencyId, unsigned> charges_of_key;
    for (const auto& [request, settlement] : executed) {
        if (booked[request] == 0) violated("I11: a finished request is not in the ledger");
        if (booked[request] > 1) violated("I2: a request is booked twice");
        if (charged.contains(request) && ++charges_of_key[settlement->idempotency] > 1)
            violated("I2: a key is charged twice");
    }
    Nano reclaimed = 0;
    (void)ledger_store_.scan(LedgerTable::lease, {}, {}, [&](Bytes key, Bytes value) {
        ledger::Lease lease;
        if (!ledger::decode(value, lease)) violated("a lease cannot be read");
        for (const ledger::Lease::Generation& each : lease.generations) {
            if (!each.open) ++seen_["reclaimed"];
            if (!each.open && key[0] == static_cast<char>(LeaseKey::Kind::account))
                reclaimed += each.granted - each.settled - each.returned;
        }
        return true;
    });
    if (reclaimed == 0 && late_loss > 0 && !seen_.contains("restored"))
        violated("I7: a loss without a reclaimed lease");
}

// I6: the mark is the outbox's end, and both sides count the same spending.
void ReplicationWorld::check_marks(Pop& pop) {
    const auto mark = ledger_.mark(pop.core->link().pop(), pop.core->link().incarnation());
    if (!mark || !*mark) return violated("I6: a POP without a mark");
    if ((*mark)->applied != pop.journal->outbox().last)
        violated("I6: the mark is not the outbox's end");
    if ((*mark)->chain != pop.journal->outbox().chain_at_last) violated("I10: the chains differ");
    for (const LeaseKey::Kind kind : {LeaseKey::Kind::account, LeaseKey::Kind::key}) {
        const LeaseScope* lease = pop.core->leases().find({kind, 1});
        if (lease == nullptr) return violated("I6: a POP without its leases");
        if (lease->reserved() != 0) return violated("I6: a reservation is left");
        const auto stored =
            ledger_.lease_of({kind, 1}, pop.core->link().pop(), pop.core->link().incarnation());
        if (!stored || !*stored) continue;  // never leased
        for (const ledger::Lease::Generation& each : (*stored)->generations)
            if (each.open && each.number == lease->generation() && each.settled != lease->settled())
                violated("I6: the two sides count different spending");
    }
}

void ReplicationWorld::check_end() {
    if (!quiet()) violated("I6: does not converge");
    check_ledger();
    check_rows();
    check_executions();
    for (const auto& pop : pops_) check_marks(*pop);
}

}  // namespace nodex::replication
