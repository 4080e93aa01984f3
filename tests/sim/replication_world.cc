// ReplicationWorld: the life of the simulated POPs, clients and faults. The checkers are in
// replication_checkers.cc.
#include "tests/sim/replication_world.h"

#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

constexpr Nano unit = nano_per_unit;
constexpr unsigned faulty_steps = 400;
constexpr unsigned quiet_steps_max = 4'000;
constexpr unsigned keys_of_clients = 60;

}  // namespace

void SimCommits::run() {
    for (std::size_t left = calls_.size(); left > 0; --left) {
        const Call call = std::move(calls_.front());
        calls_.pop_front();
        storage::Batch batch;
        Status status = call.work(journal_, store_, batch);
        if (status && !batch.empty()) {
            const bool synced = call.durable == Durable::synced;
            status = store_.write(
                batch, synced ? storage::Durability::power : storage::Durability::process);
        }
        call.done(status);
    }
}

ReplicationWorld::ReplicationWorld(std::uint64_t seed, PlantedBug bug, EdgeBug edge_bug)
    : seed_(seed), bug_(bug), edge_bug_(edge_bug), random_(seed), network_(clock_, seed * 31 + 7) {
    set_up();
}
ReplicationWorld::~ReplicationWorld() = default;

void ReplicationWorld::set_up() {
    const std::int64_t now_ms = clock_.wall_ms();
    const AccountId account =
        ledger_.create_account("customer", *ledger::parse_currency("USD"), now_ms)->id;
    NX_ASSERT(
        ledger_.top_up(account, static_cast<Nano>(20 + random_.below(60)) * unit, "start", now_ms)
            .has_value());
    KeySettings settings;
    settings.name = "budgeted";
    settings.budget = static_cast<Nano>(10 + random_.below(60)) * unit;
    NX_ASSERT(ledger_.create_key(account, KeyHash{}, settings, now_ms).has_value());
    SeededRandom keys(seed_ + 99);
    for (crypto::SecretKey& key : link_keys_) key = crypto::SecretKey::generate(keys);
    start_centre();
    for (unsigned i = 0; i < 2; ++i) {
        pops_.push_back(std::make_unique<Pop>());
        pops_.back()->number = i;
        start_pop(*pops_.back());
    }
    SimFaults faults;
    faults.drop_percent = static_cast<unsigned>(random_.below(12));
    faults.duplicate_percent = static_cast<unsigned>(random_.below(20));
    faults.delay_min = millisecond;
    faults.delay_max = static_cast<Nanoseconds>(1 + random_.below(200)) * millisecond;
    network_.set_faults(faults);
}

void ReplicationWorld::start_centre() {
    CentralOptions options;
    for (std::uint16_t i = 0; i < 2; ++i)
        options.link_keys.emplace_back(PopId{static_cast<std::uint16_t>(i + 1)}, link_keys_[i]);
    options.planted_bug = bug_;
    central_ = std::make_unique<Central>(ledger_store_, network_.centre(), clock_, central_random_,
                                         options);
    NX_ASSERT(central_->start(false).has_value());
}

// The disk of the centre is lost; what is left is a backup of some time ago.
void ReplicationWorld::restore_ledger() {
    // An epoch is a time in seconds: nobody restores twice within one.
    if (ledger_.head()->epoch >= static_cast<std::uint64_t>(clock_.wall_ms() / 1'000)) return;
    ++seen_["restored"];
    end_old_centre();
    lost_store_ = ledger_store_;
    has_lost_ = true;
    ledger_store_ = backup_;
    claims_.clear();  // what the backup does not know was not freed by anybody
    network_.stop_centre();
    NX_ASSERT(ledger_.raise_epoch(clock_.wall_ms()).has_value());
    start_centre();
}

// A process of before the restore was frozen and goes on: POPs reach it instead of the right one.
void ReplicationWorld::wake_old_centre() {
    ++seen_["old_centre"];
    network_.stop_centre();
    central_.reset();
    CentralOptions options;
    for (std::uint16_t i = 0; i < 2; ++i)
        options.link_keys.emplace_back(PopId{static_cast<std::uint16_t>(i + 1)}, link_keys_[i]);
    options.planted_bug = bug_;
    old_centre_ =
        std::make_unique<Central>(lost_store_, network_.centre(), clock_, central_random_, options);
    NX_ASSERT(old_centre_->start(false).has_value());
}

void ReplicationWorld::end_old_centre() {
    if (!old_centre_) return;
    network_.stop_centre();
    old_centre_.reset();
    start_centre();
}

void ReplicationWorld::start_pop(Pop& pop) {
    ++pop.life;
    SeededRandom install(seed_ * 1'000 + pop.number);
    auto journal = storage::Journal::open(pop.store, install);
    NX_ASSERT(journal.has_value());
    pop.journal = std::move(*journal);
    recover(pop);
    pop.commits = std::make_unique<SimCommits>(*pop.journal, pop.store);
    pop.transport = network_.connect(pop.number);
    AgentCore::Options options;
    options.pop = PopId{static_cast<std::uint16_t>(pop.number + 1)};
    options.link_key = link_keys_[pop.number];
    options.heartbeat_ns = 200 * millisecond;
    options.planted_bug = bug_;
    pop.core = std::make_unique<AgentCore>(
        *pop.transport, *pop.commits, nullptr, clock_, random_, options,
        [&pop](std::shared_ptr<const Directory> next) { pop.directory = std::move(next); });
    pop.core->start();
}

// The process dies, with or without the machine's power; clients see their requests break.
void ReplicationWorld::crash(Pop& pop) {
    ++seen_["crash"];
    pop.running.clear();
    pop.asking = 0;
    pop.directory.reset();
    pop.core.reset();
    pop.transport.reset();
    pop.commits.reset();
    pop.journal.reset();
    if (random_.below(2) == 0) {
        pop.store.crash_process();
    } else {
        ++seen_["power_loss"];
        pop.store.lose_power(
            static_cast<std::size_t>(random_.below(pop.store.unsynced_count() + 1)));
    }
    start_pop(pop);
}

// storage/recovery.h in short: half of what ran is settled for a part, half had delivered nothing.
void ReplicationWorld::recover(Pop& pop) {
    for (const storage::OpenRequest& open : std::vector(pop.journal->recovered())) {
        if (!gates_open_.contains(open.request_id) || random_.below(2) == 0) {
            storage::Batch batch;
            NX_ASSERT(pop.journal->release(open.request_id, batch).has_value());
            NX_ASSERT(write(pop, batch));
            continue;
        }
        finish(pop, {open}, open.reservation.amount / 3);
    }
}

bool ReplicationWorld::write(Pop& pop, const storage::Batch& batch) {
    const bool synced = edge_bug_ != EdgeBug::unsynced_settlements;
    return pop.store
        .write(batch, synced ? storage::Durability::power : storage::Durability::process)
        .has_value();
}

void ReplicationWorld::client(Pop& pop) {
    if (pop.directory == nullptr || pop.running.size() + pop.asking > 20) return;
    storage::OpenRequest request;
    ++next_request_;
    std::memcpy(request.request_id.octets.data(), &next_request_, sizeof next_request_);
    request.fingerprint.octets.fill(1);
    const std::uint64_t key_number = 1 + random_.below(keys_of_clients);
    std::memcpy(request.idempotency.octets.data(), &key_number, sizeof key_number);
    request.account = AccountId{1};
    request.key = KeyId{1};
    request.reservation.amount = static_cast<Nano>(1 + random_.below(3'000)) * unit / 1'000;
    request.created_ms = clock_.wall_ms();
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

void ReplicationWorld::reserved(Pop& pop, const storage::OpenRequest& asked, LeaseScope* account,
                                LeaseScope* key) {
    SimRequest request{asked, account, key};
    const Nano amount = asked.reservation.amount;
    request.open.reservation = {amount, account->generation(), key->generation(), 1};
    storage::Batch batch;
    const Result<storage::ClaimOutcome> claim =
        pop.journal->claim(request.open, {}, clock_.wall_ms(), batch);
    NX_ASSERT(claim.has_value());
    if (claim->verdict != storage::ClaimVerdict::granted) {
        ++seen_["replayed"];
        account->release(amount);
        key->release(amount);
        return;
    }
    NX_ASSERT(pop.store.write(batch, storage::Durability::power).has_value());
    request.ends_at_ns =
        clock_.now_ns() + static_cast<Nanoseconds>(random_.below(400)) * millisecond;
    request.fails = random_.below(6) == 0;
    pop.running.push_back(request);
    ask_centre(pop, request.open);
}

void ReplicationWorld::end_requests(Pop& pop, bool all) {
    std::vector<SimRequest> still;
    std::vector<SimRequest> ending;
    for (const SimRequest& request : pop.running) {
        const bool ends = request.gate_open && (all || request.ends_at_ns <= clock_.now_ns());
        (ends ? ending : still).push_back(request);
    }
    pop.running = std::move(still);
    for (const SimRequest& request : ending) end_request(pop, request);
}

void ReplicationWorld::end_request(Pop& pop, const SimRequest& request) {
    if (request.fails) return release(pop, request, true);
    const Nano reserved_amount = request.open.reservation.amount;
    const Nano amount =
        static_cast<Nano>(random_.below(static_cast<std::uint64_t>(reserved_amount) + 1));
    finish(pop, request, amount);
    request.account->settle(reserved_amount, amount);
    request.key->settle(reserved_amount, amount);
    pop.core->outbox_grew();
}

void ReplicationWorld::finish(Pop& pop, const SimRequest& request, Nano amount) {
    storage::Settlement settlement;
    settlement.request_id = request.open.request_id;
    settlement.account = request.open.account;
    settlement.key = request.open.key;
    settlement.idempotency = request.open.idempotency;
    settlement.reservation = request.open.reservation;
    settlement.amount = amount;
    settlement.settled_ms = clock_.wall_ms();
    storage::Finish finished;
    finished.request_id = request.open.request_id;
    finished.answer.request_id = request.open.request_id;
    finished.answer.fingerprint = request.open.fingerprint;
    finished.answer.status = 200;
    finished.answer.created_ms = clock_.wall_ms();
    finished.answer.expires_ms = clock_.wall_ms() + 86'400'000;
    finished.answer.charged = amount;
    finished.settlement = settlement;
    storage::Batch batch;
    NX_ASSERT(pop.journal->finish(finished, batch).has_value());
    NX_ASSERT(write(pop, batch));
    executions_.push_back({settlement});
}

void ReplicationWorld::inject() {
    const std::uint64_t draw = random_.below(1'000);
    Pop& pop = *pops_[random_.below(2)];
    if (draw < 8) crash(pop);
    if (draw >= 8 && draw < 20) cut(pop, true);
    if (draw >= 20 && draw < 50)
        for (const auto& each : pops_) cut(*each, false);
    if (draw >= 50 && draw < 55) {
        ++seen_["centre_restart"];
        old_centre_.reset();
        network_.stop_centre();
        start_centre();
    }
    if (draw >= 57 && draw < 65) {
        backup_ = ledger_store_;
        has_backup_ = true;
    }
    if (draw >= 65 && draw < 67 && has_backup_) restore_ledger();
    if (draw >= 67 && draw < 70 && has_lost_ && !old_centre_) wake_old_centre();
    if (draw >= 70 && draw < 100) end_old_centre();
    // A POP cut off until its leases are reclaimed; what runs there ends within the longest
    // request's time.
    if (draw >= 55 && draw < 57) {
        ++seen_["long_cut"];
        cut(pop, true);
        step(limits::lease_ttl / 2);
        for (const auto& each : pops_) end_requests(*each, true);
        for (int i = 0; i < 3; ++i) step(limits::lease_ttl);
        cut(pop, false);
    }
    if (draw >= 57 && draw < 60) silence(pop);
}

void ReplicationWorld::step(Nanoseconds by) {
    clock_.advance(by);
    // Whoever speaks next was silent for the whole of a long step.
    for (const auto& pop : pops_)
        if (by > second) pop->silent_until_ns = clock_.now_ns() + 3 * second;
    network_.step();
    for (const auto& pop : pops_) {
        pop->commits->run();
        pop->core->tick();
        pop->commits->run();
        end_requests(*pop, false);
    }
    (old_centre_ ? old_centre_ : central_)->tick();
    check_step();
}

bool ReplicationWorld::quiet() {
    for (const auto& pop : pops_) {
        const bool registered = pop->core->phase() == AgentCore::Phase::registered;
        if (!registered || pop->directory == nullptr || !pop->running.empty() || pop->asking > 0 ||
            !pop->core->shipper().idle())
            return false;
        if (pop->core->shipper().applied() != pop->journal->outbox().last) return false;
        // A POP that has not heard yet of a restoration believes that all is applied.
        if (pop->core->link().epoch_max() != ledger_.head()->epoch) return false;
    }
    return true;
}

std::string ReplicationWorld::run() {
    for (unsigned i = 0; i < faulty_steps && violation_.empty(); ++i) {
        inject();
        for (const auto& pop : pops_)
            if (random_.below(3) == 0) client(*pop);
        step(static_cast<Nanoseconds>(1 + random_.below(60)) * millisecond);
        if (i % 40 == 0) check_ledger();
    }
    end_old_centre();
    network_.set_faults({});
    for (const auto& pop : pops_) cut(*pop, false);
    unsigned steps = 0;
    while (violation_.empty() && !(quiet() && steps > 50) && ++steps < quiet_steps_max)
        step(20 * millisecond);
    if (violation_.empty()) check_end();
    return violation_;
}

}  // namespace nodex::replication
