// ReplicationWorld: keys across POPs: how simulated requests wait for the centre's word, and the
// checkers of what that is worth.
#include <algorithm>

#include "edge/base/limits.h"
#include "tests/sim/replication_world.h"

namespace nodex::replication {

void ReplicationWorld::ask_centre(SimPop& pop, const storage::OpenRequest& open) {
    pop.core->claims().ask(
        {ClaimOp::acquire, open.account, open.idempotency, open.fingerprint, open.request_id, 0},
        [this, &pop, id = open.request_id,
         life = pop.life](const std::optional<ClaimReply::Entry>& word) {
            if (life == pop.life) claim_answered(pop, id, word);
        });
}

void ReplicationWorld::claim_answered(SimPop& pop, const RequestId& id,
                                      const std::optional<ClaimReply::Entry>& word) {
    const auto request =
        std::find_if(pop.running.begin(), pop.running.end(),
                     [&](const SimRequest& each) { return each.open.request_id == id; });
    if (request == pop.running.end()) return;
    const bool other_body = word && word->result == ClaimResult::mismatch;
    const bool lost_key = word && (word->result == ClaimResult::held ||
                                   word->result == ClaimResult::done || other_body);
    if (lost_key) {
        ++seen_[other_body ? "other_body_elsewhere" : "elsewhere"];
        const SimRequest lost = *request;
        pop.running.erase(request);
        return release(pop, lost, false);
    }
    if (!word)
        ++seen_["proceeded"];
    else if (word->result != ClaimResult::granted)
        return violated("C0: a word that no acquire can have");
    // A grant of a ledger that was lost is nobody's promise.
    if (word && pop.core->link().epoch_max() == epoch())
        granted_.emplace(id, request->open.idempotency);
    request->gate_open = true;
    gates_open_.insert(id);
}

// Nothing was delivered: free here, and at the centre when the key was ours there.
void ReplicationWorld::release(SimPop& pop, const SimRequest& request, bool tell_centre) {
    storage::Batch batch;
    NX_ASSERT(pop.journal->release(request.open.request_id, batch).has_value());
    NX_ASSERT(write(pop, batch));
    request.account->release(request.open.reservation.amount);
    request.key->release(request.open.reservation.amount);
    if (tell_centre)
        pop.core->claims().release(request.open.account, request.open.idempotency,
                                   request.open.request_id);
}

// C2: a key is not taken from a request that runs, but when its POP seems dead (C3) or goes on
// with a newer one.
// C3: another POP takes a key over only when its owner's disk was replaced, or when nobody heard
// the owner for the silence that counts as death, of which all was listened to.
void ReplicationWorld::check_claim(const ledger::Claim& before,
                                   const std::optional<ledger::Claim>& after) {
    if (before.state != ledger::ClaimState::held) return;
    if (after && (after->request == before.request || after->owner == before.owner)) return;
    if (after && after->state == ledger::ClaimState::done) return;  // it proceeded and was first
    const unsigned number = raw(before.owner) - 1u;
    const SimPop& owner = *pops_[number];
    if (after && after->attempt == before.attempt + 1) {
        ++seen_["taken_over"];
        presumed_.insert(before.request);
        presumed_.insert(after->request);
        const Nanoseconds quiet_ns =
            clock_.now_ns() - std::max(heard_ns_[number], listening_since_ns_);
        const Nanoseconds drift_ns = limits::pop_silence_max / 500;
        const bool replaced = histories_[owner.history].incarnation != before.incarnation;
        if (quiet_ns < limits::pop_silence_max - drift_ns && !replaced)
            violated("C3: a claim of a living POP was taken over");
        return;
    }
    for (const SimRequest& request : owner.running)
        if (request.open.request_id == before.request && has_key(before.request))
            violated("C2: the key of a running request was freed");
}

// C1: of all executions of a key's use at most one had the centre's plain grant: a second one ran
// without its word, after a presumed death, after the disk with the first one was lost, or at the
// same POP by whose clock, which was set forward, the answer's time was over when it looked. A use
// lasts as long as a claim is kept.
void ReplicationWorld::check_executions() {
    using Begun = std::pair<SimBegin, const SimExecution*>;
    std::map<IdempotencyId, std::map<RequestId, Begun>> plain;
    std::map<IdempotencyId, unsigned> all;
    for (const SimExecution& execution : executions_) {
        const storage::Settlement& settlement = execution.settlement;
        if (++all[settlement.idempotency] > 1) ++seen_["ran_twice"];
        if (!has_key(settlement.request_id) || histories_[execution.history].over) continue;
        plain[settlement.idempotency].emplace(settlement.request_id,
                                              Begun{began_.at(settlement.request_id), &execution});
    }
    for (const auto& [key, ran] : plain) {
        std::vector<Begun> in_order;
        for (const auto& [request, begun] : ran) in_order.push_back(begun);
        std::sort(in_order.begin(), in_order.end(),
                  [](const Begun& a, const Begun& b) { return a.first.at_ns < b.first.at_ns; });
        for (std::size_t i = 1; i < in_order.size(); ++i)
            check_apart(*in_order[i - 1].second, *in_order[i].second,
                        in_order[i].first.at_ns - in_order[i - 1].first.at_ns,
                        in_order[i].first.pop_ms);
    }
}

void ReplicationWorld::check_apart(const SimExecution& first, const SimExecution& second,
                                   Nanoseconds apart_ns, std::int64_t looked_ms) {
    if (apart_ns >= sim_answers_kept_ms * millisecond - uses_slack_ns()) return;
    const std::int64_t by_its_clock_ms = looked_ms - first.settlement.settled_ms;
    if (first.pop == second.pop && by_its_clock_ms >= sim_answers_kept_ms)
        ++seen_["freed_by_a_clock"];
    else
        violated("C1: a key ran twice by the centre's grant");
}

}  // namespace nodex::replication
