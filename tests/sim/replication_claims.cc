// ReplicationWorld: keys across POPs: how simulated requests wait for the centre's word, and the
// checkers of what that is worth.
#include <algorithm>

#include "edge/base/limits.h"
#include "tests/sim/replication_world.h"

namespace nodex::replication {

void ReplicationWorld::ask_centre(Pop& pop, const storage::OpenRequest& open) {
    pop.core->claims().ask(
        {ClaimOp::acquire, open.account, open.idempotency, open.fingerprint, open.request_id, 0},
        [this, &pop, id = open.request_id,
         life = pop.life](const std::optional<ClaimReply::Entry>& word) {
            if (life == pop.life) answered(pop, id, word);
        });
}

void ReplicationWorld::answered(Pop& pop, const RequestId& id,
                                const std::optional<ClaimReply::Entry>& word) {
    const auto request =
        std::find_if(pop.running.begin(), pop.running.end(),
                     [&](const SimRequest& each) { return each.open.request_id == id; });
    if (request == pop.running.end()) return;
    if (word && (word->result == ClaimResult::held || word->result == ClaimResult::done)) {
        ++seen_["elsewhere"];
        const SimRequest lost = *request;
        pop.running.erase(request);
        return release(pop, lost, false);
    }
    if (!word)
        ++seen_["proceeded"];
    else if (word->result != ClaimResult::granted)
        return violated("C0: a word that no acquire can have");
    if (word) granted_.insert(id);
    request->gate_open = true;
    gates_open_.insert(id);
}

// Nothing was delivered: free here, and at the centre when the key was ours there.
void ReplicationWorld::release(Pop& pop, const SimRequest& request, bool tell_centre) {
    storage::Batch batch;
    NX_ASSERT(pop.journal->release(request.open.request_id, batch).has_value());
    NX_ASSERT(write(pop, batch));
    request.account->release(request.open.reservation.amount);
    request.key->release(request.open.reservation.amount);
    if (tell_centre)
        pop.core->claims().release(request.open.account, request.open.idempotency,
                                   request.open.request_id);
}

void ReplicationWorld::cut(Pop& pop, bool is_cut) {
    network_.cut(pop.number, is_cut);
    if (is_cut && !pop.cut_since_ns) pop.cut_since_ns = clock_.now_ns();
    if (is_cut || !pop.cut_since_ns) return;
    if (may_seem_dead(pop)) pop.silent_until_ns = clock_.now_ns() + 3 * second;
    pop.cut_since_ns.reset();
}

// Heartbeats may have been lost before and after the cut, so two of them less than the ledger's silence.
bool ReplicationWorld::may_seem_dead(const Pop& pop) const {
    const Nanoseconds now = clock_.now_ns();
    const bool long_cut =
        pop.cut_since_ns && now - *pop.cut_since_ns >= limits::pop_silence_max - 2 * second;
    return long_cut || now <= pop.silent_until_ns;
}

void ReplicationWorld::silence(Pop& pop) {
    ++seen_["silence"];
    cut(pop, true);
    for (int i = 0; i < 50 && violation_.empty(); ++i) {
        for (const auto& each : pops_)
            if (random_.below(2) == 0) client(*each);
        step(200 * millisecond);
    }
    cut(pop, false);
}

// C2: a key is not taken from a request that runs, but when its POP seems dead (C3) or goes on
// with a newer one.
void ReplicationWorld::check_claim(const ledger::Claim& before,
                                   const std::optional<ledger::Claim>& after) {
    if (before.state != ledger::ClaimState::held) return;
    if (after && (after->request == before.request || after->owner == before.owner)) return;
    if (after && after->state == ledger::ClaimState::done) return;  // it proceeded and was first
    const Pop& owner = *pops_[raw(before.owner) - 1u];
    if (after && after->attempt == before.attempt + 1) {
        ++seen_["taken_over"];
        presumed_.insert(before.request);
        presumed_.insert(after->request);
        // A restored ledger remembers when it heard POPs last as of its backup.
        if (!may_seem_dead(owner) && !seen_.contains("restored"))
            violated("C3: a claim of a living POP was taken over");
        return;
    }
    for (const SimRequest& request : owner.running)
        if (request.open.request_id == before.request && has_key(before.request))
            violated("C2: the key of a running request was freed");
}

void ReplicationWorld::check_claims() {
    std::map<std::string, ledger::Claim> now;
    (void)ledger_store_.scan(LedgerTable::claim, {}, {}, [&](Bytes key, Bytes value) {
        ledger::Claim claim;
        if (!ledger::decode(value, claim)) violated("a claim cannot be read");
        now.emplace(std::string(key), claim);
        return true;
    });
    for (const auto& [key, claim] : claims_) {
        const auto found = now.find(key);
        check_claim(claim, found == now.end() ? std::optional<ledger::Claim>{}
                                              : std::optional<ledger::Claim>(found->second));
    }
    claims_ = std::move(now);
}

// C1: of all executions of a key at most one had the centre's plain grant: a second one ran without
// its word or after a presumed death. A ledger that was restored has forgotten grants: it may give
// them again, and still charges once (check_rows).
void ReplicationWorld::check_executions() {
    std::map<IdempotencyId, unsigned> plain;
    std::map<IdempotencyId, unsigned> all;
    for (const SimExecution& execution : executions_) {
        const storage::Settlement& settlement = execution.settlement;
        if (++all[settlement.idempotency] > 1) ++seen_["ran_twice"];
        if (has_key(settlement.request_id) && ++plain[settlement.idempotency] > 1 &&
            !seen_.contains("restored"))
            violated("C1: a key ran twice by the centre's grant");
    }
}

}  // namespace nodex::replication
