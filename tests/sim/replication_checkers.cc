// ReplicationWorld's checkers, a property each; numbers are those of replication/README.md.
#include "edge/base/limits.h"
#include "replication/central/ledger_records.h"
#include "tests/sim/replication_world.h"

namespace nodex::replication {

void ReplicationWorld::violated(const std::string& what) {
    if (violation_.empty()) violation_ = what;
}

// Also in the middle of a commit.
std::uint64_t ReplicationWorld::epoch() {
    const auto row = ledger_store_.get(LedgerTable::meta, ledger::head_key());
    ledger::Head head;
    NX_ASSERT(*row && ledger::decode(**row, head));
    return head.epoch;
}

void ReplicationWorld::committed(const LedgerChange& change,
                                 const std::optional<std::string>& before) {
    if (!before) return;
    if (change.table == LedgerTable::lease && change.value) check_closing(change, *before);
    if (change.table != LedgerTable::claim) return;
    ledger::Claim was, is;
    if (!ledger::decode(*before, was)) return violated("a claim cannot be read");
    if (!change.value) return check_claim(was, std::nullopt);
    if (!ledger::decode(*change.value, is)) return violated("a claim cannot be read");
    check_claim(was, is);
}

// L1: a lease is closed by time only when the POP's own clock has ended it too. One that goes on to
// the next generation by itself (after a restore) has given it up.
void ReplicationWorld::check_closing(const LedgerChange& change, const std::string& before) {
    ledger::Lease was, is;
    if (!ledger::decode(before, was) || !ledger::decode(*change.value, is))
        return violated("a lease cannot be read");
    if (was.generations.empty() || !was.generations.back().open || is.generations.back().open)
        return;
    ++seen_["reclaimed"];
    for (const auto& pop : pops_) {
        const PopLink& link = pop->core->link();
        if (link.epoch_max() != epoch()) continue;  // under the ledger that was lost
        for (const LeaseKey::Kind kind : {LeaseKey::Kind::account, LeaseKey::Kind::key}) {
            const LeaseKey scope{kind, 1};
            if (change.key != ledger::lease_key(scope, pop->id(), link.incarnation())) continue;
            const LeaseScope* lease = pop->core->leases().find(scope);
            if (lease != nullptr && lease->generation() == is.generations.back().number &&
                pop->clock.now_ns() < lease->expires_ns())
                violated("L1: a lease is closed while its POP may spend it");
        }
    }
}

void ReplicationWorld::check_step() {
    for (const auto& pop : pops_) {
        check_leases(*pop);
        check_disk(*pop);
    }
}

// I4: a POP never has in use more than the centre has granted it, per generation.
void ReplicationWorld::check_leases(SimPop& pop) {
    for (const LeaseKey::Kind kind : {LeaseKey::Kind::account, LeaseKey::Kind::key}) {
        const LeaseKey scope{kind, 1};
        const LeaseScope* lease = pop.core->leases().find(scope);
        if (lease == nullptr || lease->granted() == 0) continue;
        // Of a ledger that was lost: nobody here knows it, and the POP gives it up when it hears.
        if (pop.core->link().epoch_max() != epoch()) continue;
        const Nano used = lease->settled() + lease->reserved() + lease->returned();
        if (used > lease->granted()) violated("I4: more in use than granted");
        const auto stored = ledger_.lease_of(scope, pop.id(), pop.core->link().incarnation());
        Nano granted = 0, returned = 0;
        if (stored && *stored)
            for (const ledger::Lease::Generation& generation : (*stored)->generations)
                if (generation.number == lease->generation()) {
                    granted = generation.granted;
                    returned = generation.returned;
                }
        if (lease->returned() < returned) violated("I4: what was given back counts as free");
        if (lease->granted() > granted) violated("I4: a grant the centre does not know");
    }
}

// D2: a POP whose disk went back behind what the ledger has applied of it does not go on: it would
// use sequence numbers twice.
void ReplicationWorld::check_disk(const SimPop& pop) {
    if (pop.is_behind && pop.registered() && pop.core->link().epoch_max() == epoch())
        violated("D2: a POP goes on behind the ledger");
}

void ReplicationWorld::check_ledger() {
    const Result<LedgerAudit> audit = ledger_.check_invariants();
    if (!audit)
        violated("the ledger cannot be read");
    else if (!audit->sound())
        violated(audit->first_problem);
}

// Of a disk that is gone only what the ledger had applied.
bool ReplicationWorld::must_be_booked(const SimExecution& execution) const {
    const SimHistory& history = histories_[execution.history];
    return !history.over || execution.sequence <= history.certain;
}

// I2: one row a request (one more for each disk that it is on); charges: check_uses(). I5: every
// charge is of an execution a POP logged, and within its reservation. I6 and I11: every execution a
// client was told of is in the ledger, charged or the house's.
void ReplicationWorld::check_rows() {
    std::vector<RequestId> charged;  // in the order of their rows
    std::map<RequestId, unsigned> booked;
    std::map<RequestId, std::vector<const SimExecution*>> executed;
    for (const SimExecution& execution : executions_)
        executed[execution.settlement.request_id].push_back(&execution);
    Nano late_loss = 0, excused = 0;
    (void)ledger_store_.scan(LedgerTable::row, {}, {}, [&](Bytes, Bytes value) {
        ledger::Row row;
        if (!ledger::decode(value, row)) violated("a row cannot be read");
        const auto found = executed.find(row.request);
        const SimExecution* execution = found == executed.end() ? nullptr : found->second.front();
        if (row.kind == ledger::RowKind::late_loss) {
            ++seen_["late_loss"];
            late_loss += row.amount;
            // A restored ledger does not know what covered it.
            if (execution != nullptr && execution->epoch != epoch()) excused += row.amount;
        }
        if (row.kind != ledger::RowKind::charge && row.kind != ledger::RowKind::duplicate)
            return true;
        ++booked[row.request];
        if (row.kind == ledger::RowKind::duplicate) ++seen_["duplicate"];
        if (row.kind == ledger::RowKind::charge) charged.push_back(row.request);
        if (execution == nullptr)
            violated("I5: a charge without an execution");
        else if (row.amount > execution->settlement.reservation.amount)
            violated("I5: charged above the reservation");
        return true;
    });
    for (const auto& [request, executions] : executed) {
        bool expected = false;
        for (const SimExecution* each : executions) expected = expected || must_be_booked(*each);
        if (expected && booked[request] == 0)
            violated("I11: a finished request is not in the ledger");
        if (!expected && booked[request] == 0) ++seen_["lost_with_a_disk"];
        if (booked[request] > executions.size()) violated("I2: a request is booked twice");
    }
    check_uses(charged);
    check_losses(late_loss, excused);
}

Nanoseconds ReplicationWorld::uses_slack_ns() const {
    const auto set = faults_.find("centre_clock_set");
    const std::uint64_t times = set == faults_.end() ? 0 : set->second;
    return limits::message_lateness_max + limits::idempotency_ttl_min / 250 +
           static_cast<Nanoseconds>(times) * sim_centre_clock_set_max_ms * millisecond;
}

// I2: at most one charge a key and use. Of two that follow each other the second execution began
// after the time of the first one's answer, by the true time, but for what messages may be late,
// clocks drift and the centre's was set.
void ReplicationWorld::check_uses(const std::vector<RequestId>& charged) {
    const Nanoseconds kept_ns = sim_answers_kept_ms * millisecond;
    const Nanoseconds slack_ns = uses_slack_ns();
    std::map<RequestId, const SimExecution*> first;  // on the disk that it was on first
    for (const SimExecution& execution : executions_)
        first.emplace(execution.settlement.request_id, &execution);
    std::map<IdempotencyId, RequestId> last;
    for (const RequestId& request : charged) {
        const auto found = first.find(request);
        if (found == first.end()) continue;  // I5
        const IdempotencyId& key = found->second->settlement.idempotency;
        const auto [before, is_first] = last.emplace(key, request);
        if (is_first) continue;
        ++seen_["charged_anew"];
        const Nanoseconds ended_ns = first.at(before->second)->ended_ns;
        if (request == before->second || began_.at(request).at_ns < ended_ns + kept_ns - slack_ns)
            violated("I2: a use of a key is charged twice");
        before->second = request;
    }
}

// I7: the house loses no more than what was held when leases were closed.
void ReplicationWorld::check_losses(Nano late_loss, Nano excused) {
    Nano closed = 0;
    (void)ledger_store_.scan(LedgerTable::lease, {}, {}, [&](Bytes, Bytes value) {
        ledger::Lease lease;
        if (!ledger::decode(value, lease)) violated("a lease cannot be read");
        for (const ledger::Lease::Generation& each : lease.generations)
            if (!each.open) closed += each.granted - each.settled - each.returned;
        return true;
    });
    if (late_loss - excused > closed) violated("I7: a loss without a closed lease");
}

// I6: the mark is the outbox's end, and both sides count the same spending.
void ReplicationWorld::check_marks(SimPop& pop) {
    const auto mark = ledger_.mark(pop.id(), pop.core->link().incarnation());
    if (!mark || !*mark) return violated("I6: a POP without a mark");
    // The disk went back, and what was on its way from the one before arrived after all: the POP
    // learns it with the next record that it ships.
    const bool is_copy = histories_[pop.history].certain_max != UINT64_MAX;
    if (is_copy && (*mark)->applied > pop.journal->outbox().last) {
        ++seen_["ledger_ahead_of_a_copy"];
        return;
    }
    if ((*mark)->applied != pop.journal->outbox().last)
        violated("I6: the mark is not the outbox's end");
    if ((*mark)->chain != pop.journal->outbox().chain_at_last) violated("I10: the chains differ");
    for (const LeaseKey::Kind kind : {LeaseKey::Kind::account, LeaseKey::Kind::key}) {
        const LeaseScope* lease = pop.core->leases().find({kind, 1});
        if (lease == nullptr) return violated("I6: a POP without its leases");
        if (lease->reserved() != 0) return violated("I6: a reservation is left");
        const auto stored = ledger_.lease_of({kind, 1}, pop.id(), pop.core->link().incarnation());
        if (!stored || !*stored) continue;  // never leased
        for (const ledger::Lease::Generation& each : (*stored)->generations)
            if (each.open && each.number == lease->generation() && each.settled != lease->settled())
                violated("I6: the two sides count different spending");
    }
}

// L2: what lost disks held is free again, and nothing else was taken from those that live.
void ReplicationWorld::check_locks() {
    (void)ledger_store_.scan(LedgerTable::lease, {}, {}, [&](Bytes key, Bytes value) {
        ledger::Lease lease;
        if (!ledger::decode(value, lease)) violated("a lease cannot be read");
        bool living = false;
        for (const auto& pop : pops_)
            for (const LeaseKey::Kind kind : {LeaseKey::Kind::account, LeaseKey::Kind::key})
                living = living || key == ledger::lease_key({kind, 1}, pop->id(),
                                                            pop->core->link().incarnation());
        const Nano held = lease.generations.empty() ? 0 : lease.generations.back().held();
        if (!living && held != 0) violated("L2: a lost disk's lease is still held");
        return true;
    });
    check_ledger();
}

void ReplicationWorld::check_end() {
    if (const std::string unrest_left = unrest(); !unrest_left.empty())
        violated("I6: does not converge: " + unrest_left);
    check_ledger();
    check_rows();
    check_executions();
    check_bodies();
    for (const auto& pop : pops_) check_marks(*pop);
    if (violation_.empty()) wait_for_leases_of_lost_disks();
}

}  // namespace nodex::replication
