// ReplicationWorld: clients, and what becomes of their requests.
#include <cstring>

#include "tests/sim/replication_world.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication {
namespace {

constexpr unsigned keys_of_clients = 60;
constexpr unsigned requests_of_fresh_key = 8;
constexpr unsigned fresh_keys = 3;
constexpr std::size_t running_max = 20;  // of one POP

}  // namespace

void ReplicationWorld::client(SimPop& pop) {
    if (pop.directory == nullptr || pop.running.size() + pop.asking > running_max) return;
    storage::OpenRequest request;
    ++next_request_;
    request.request_id = request_of(pop.id(), next_request_);
    request.fingerprint.octets.fill(random_.below(20) == 0 ? 2 : 1);  // some have another body
    // Half of the clients repeat any key, half fight for the few that are new just now.
    const bool fresh = random_.below(2) == 0;
    const std::uint64_t key_number =
        1 +
        (fresh ? keys_of_clients + next_request_ / requests_of_fresh_key + random_.below(fresh_keys)
               : random_.below(keys_of_clients));
    std::memcpy(request.idempotency.octets.data(), &key_number, sizeof key_number);
    request.account = AccountId{1};
    request.key = KeyId{1};
    request.reservation.amount =
        static_cast<Nano>(1 + random_.below(3'000)) * nano_per_unit / 1'000;
    request.created_ms = pop.clock.wall_ms();
    ++pop.asking;
    const LeaseKey account{LeaseKey::Kind::account, 1};
    const LeaseKey key{LeaseKey::Kind::key, 1};
    pop.core->leases().ask(
        account, key, request.reservation.amount,
        [this, &pop, request, life = pop.life](AskVerdict verdict, LeaseScope* from,
                                               LeaseScope* budget) {
            if (life != pop.life) return;
            --pop.asking;
            if (verdict == AskVerdict::reserved) return reserved(pop, request, from, budget);
            ++seen_[verdict == AskVerdict::unavailable ? "unavailable" : "refused"];
        });
}

void ReplicationWorld::reserved(SimPop& pop, const storage::OpenRequest& asked, LeaseScope* account,
                                LeaseScope* key) {
    SimRequest request;
    request.open = asked;
    request.account = account;
    request.key = key;
    request.epoch = pop.core->link().epoch_max();
    const Nano amount = asked.reservation.amount;
    request.open.reservation = {amount, account->generation(), key->generation(), 1};
    storage::Batch batch;
    const Result<storage::ClaimOutcome> claim =
        pop.journal->claim(request.open, {}, pop.clock.wall_ms(), batch);
    NX_ASSERT(claim.has_value());
    if (claim->verdict != storage::ClaimVerdict::granted) {
        ++seen_[claim->verdict == storage::ClaimVerdict::mismatch ? "other_body" : "replayed"];
        account->release(amount);
        key->release(amount);
        return;
    }
    NX_ASSERT(pop.store->write(batch, storage::Durability::power).has_value());
    request.ends_at_ns =
        clock_.now_ns() + static_cast<Nanoseconds>(random_.below(400)) * millisecond;
    request.fails = random_.below(3) == 0;
    began_.emplace(request.open.request_id, SimBegin{clock_.now_ns(), pop.clock.wall_ms()});
    pop.running.push_back(request);
    ask_centre(pop, request.open);
}

void ReplicationWorld::end_requests(SimPop& pop, bool all) {
    std::vector<SimRequest> still;
    std::vector<SimRequest> ending;
    for (const SimRequest& request : pop.running) {
        const bool ends = request.gate_open && (all || request.ends_at_ns <= clock_.now_ns());
        (ends ? ending : still).push_back(request);
    }
    pop.running = std::move(still);
    for (const SimRequest& request : ending) end_request(pop, request);
}

void ReplicationWorld::end_request(SimPop& pop, const SimRequest& request) {
    if (request.fails) return release(pop, request, true);
    const Nano reserved_amount = request.open.reservation.amount;
    const Nano amount =
        static_cast<Nano>(random_.below(static_cast<std::uint64_t>(reserved_amount) + 1));
    finish(pop, request, amount);
    request.account->settle(reserved_amount, amount);
    request.key->settle(reserved_amount, amount);
    pop.core->outbox_grew();
    if (random_.below(4) == 0) seal_body(pop);
}

void ReplicationWorld::finish(SimPop& pop, const SimRequest& request, Nano amount) {
    storage::Settlement settlement;
    settlement.request_id = request.open.request_id;
    settlement.account = request.open.account;
    settlement.key = request.open.key;
    settlement.idempotency = request.open.idempotency;
    settlement.reservation = request.open.reservation;
    settlement.amount = amount;
    settlement.created_ms = request.open.created_ms;
    settlement.settled_ms = pop.clock.wall_ms();
    settlement.sealed_answer.id = BodyId::from(settlement.request_id.view());
    settlement.sealed_answer.expires_ms = settlement.settled_ms + sim_answers_kept_ms;
    storage::Finish finished;
    finished.request_id = request.open.request_id;
    finished.answer.request_id = request.open.request_id;
    finished.answer.fingerprint = request.open.fingerprint;
    finished.answer.status = 200;
    finished.answer.created_ms = pop.clock.wall_ms();
    finished.answer.expires_ms = settlement.sealed_answer.expires_ms;
    finished.answer.charged = amount;
    finished.settlement = settlement;
    storage::Batch batch;
    NX_ASSERT(pop.journal->finish(finished, batch).has_value());
    NX_ASSERT(write(pop, batch));
    executions_.push_back({settlement, pop.number, pop.history, pop.journal->outbox().last,
                           request.epoch, clock_.now_ns()});
}

bool ReplicationWorld::write(SimPop& pop, const storage::Batch& batch) {
    const bool synced = edge_bug_ != EdgeBug::unsynced_settlements;
    return pop.store
        ->write(batch, synced ? storage::Durability::power : storage::Durability::process)
        .has_value();
}

}  // namespace nodex::replication
