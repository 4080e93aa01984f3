// ReplicationWorld: the life of the simulated centre and POPs. Faults are in replication_faults.cc,
// clients in replication_requests.cc, checkers in replication_checkers.cc.
#include "tests/sim/replication_world.h"

#include <algorithm>

#include "edge/base/limits.h"
#include "storage/kek_rows.h"
#include "storage/reinstall.h"

namespace nodex::replication {
namespace {

constexpr Nano unit = nano_per_unit;
constexpr unsigned faulty_steps = 400;
constexpr unsigned quiet_steps_max = 4'000;
constexpr unsigned pops_count = 3;
constexpr unsigned centres_count = 2;
constexpr int drift_ppm = 1'000;  // at most, either way: what the leases allow for

int ppm_from(Random& random) {
    return static_cast<int>(random.below(2 * drift_ppm + 1)) - drift_ppm;
}

}  // namespace

ReplicationWorld::ReplicationWorld(std::uint64_t seed, PlantedBug bug, EdgeBug edge_bug)
    : seed_(seed),
      bug_(bug),
      edge_bug_(edge_bug),
      random_(seed),
      network_(clock_, seed * 31 + 7),
      centre_clock_(clock_, ppm_from(random_)),
      central_random_(seed + 1'000'003),
      ledger_(ledger_store_, bug),
      root_key_(crypto::SecretKey::generate(central_random_)),
      body_keys_(ledger_, central_random_),
      centres_(network_, random_, centres_count,
               [this](Bytes subject, Bytes request) { answered(subject, request); }) {
    ledger_store_.watch(
        [this](const LedgerChange& change, const std::optional<std::string>& before) {
            committed(change, before);
        });
    set_up();
}

ReplicationWorld::~ReplicationWorld() {
    for (const auto& pop : pops_) end_pop(*pop);
}

void ReplicationWorld::set_up() {
    const std::int64_t now_ms = clock_.wall_ms();
    const AccountId account =
        ledger_.create_account("customer", *ledger::parse_currency("USD"), now_ms)->id;
    NX_ASSERT(
        ledger_.top_up(account, static_cast<Nano>(20 + random_.below(400)) * unit, "start", now_ms)
            .has_value());
    KeySettings settings;
    settings.name = "budgeted";
    settings.budget = static_cast<Nano>(10 + random_.below(300)) * unit;
    NX_ASSERT(ledger_.create_key(account, KeyHash{}, settings, now_ms).has_value());
    NX_ASSERT(body_keys_.start(root_key_, "").has_value());
    SeededRandom keys(seed_ + 99);
    for (unsigned i = 0; i < pops_count; ++i)
        link_keys_.push_back(crypto::SecretKey::generate(keys));
    heard_ns_.assign(pops_count, 0);
    frozen_ns_.assign(centres_count, 0);
    start_centres();
    for (unsigned i = 0; i < pops_count; ++i) {
        pops_.push_back(std::make_unique<SimPop>(i, clock_, ppm_from(random_)));
        SimPop& pop = *pops_.back();
        pop.store = std::make_unique<storage::SimStore>();
        begin_history(pop);
        start_pop(pop);
    }
    SimFaults faults;
    faults.drop_percent = static_cast<unsigned>(random_.below(12));
    faults.duplicate_percent = static_cast<unsigned>(random_.below(20));
    faults.delay_min = millisecond;
    faults.delay_max = static_cast<Nanoseconds>(1 + random_.below(200)) * millisecond;
    network_.set_faults(faults);
}

std::unique_ptr<Central> ReplicationWorld::make_centre(LedgerStore& store, TransportServer& port) {
    CentralOptions options;
    for (std::uint16_t i = 0; i < pops_count; ++i)
        options.link_keys.emplace_back(PopId{static_cast<std::uint16_t>(i + 1)}, link_keys_[i]);
    options.planted_bug = bug_;
    options.root_key = root_key_;
    auto centre = std::make_unique<Central>(store, port, centre_clock_, central_random_, options);
    NX_ASSERT(centre->start(false).has_value());
    return centre;
}

// A process that was frozen for less than a contact's interval does not tell that from waiting, and
// allows for as much before it takes a POP for dead: it has listened all the time. It has no clock
// but its own, in milliseconds: a second of the true time is 999 ms to one that is slow by 0.1 %.
bool ReplicationWorld::shows_as_pause(Nanoseconds by_centre_clock) noexcept {
    return by_centre_clock >= limits::pop_contact_interval + millisecond;
}

bool ReplicationWorld::anybody_listens() const {
    for (unsigned i = 0; i < centres_count; ++i) {
        const bool shortly = !shows_as_pause(centre_clock_.now_ns() - frozen_ns_[i]);
        if (centres_.running(i) || (centres_.frozen(i) && shortly)) return true;
    }
    return false;
}

void ReplicationWorld::start_centre(unsigned number) {
    if (!anybody_listens()) listening_since_ns_ = clock_.now_ns();
    centres_.start(number,
                   [this](TransportServer& port) { return make_centre(ledger_store_, port); });
}

void ReplicationWorld::start_centres() {
    centres_.kill_all();
    for (unsigned i = 0; i < centres_count; ++i) start_centre(i);
}

// A heartbeat, an ask or a claim that was answered in the present epoch is what a ledger notes as a
// word of the POP.
void ReplicationWorld::answered(Bytes subject, Bytes request) {
    if (!subject.ends_with(".lease") && !subject.ends_with(".claim")) return;
    const std::optional<PopId> sender = claimed_sender(request);
    const unsigned number = raw(*sender) - 1u;
    const Result<OpenedMessage> message = open(request, link_keys_[number]);
    NX_ASSERT(message.has_value());
    if (message->envelope.epoch == epoch()) heard_ns_[number] = clock_.now_ns();
}

void ReplicationWorld::start_pop(SimPop& pop) {
    ++pop.life;
    SeededRandom install(seed_ * 1'000 + pop.history);
    auto journal = storage::Journal::open(*pop.store, install);
    NX_ASSERT(journal.has_value());
    pop.journal = std::move(*journal);
    histories_[pop.history].install = pop.journal->install_id();
    recover(pop);
    SeededRandom node_key(pop.number + 1);
    auto vault = storage::Vault::open(sim_folder() + "/node-" + std::to_string(pop.number) + ".key",
                                      true, node_key);
    NX_ASSERT(vault.has_value());
    pop.vault = std::move(*vault);
    pop.commits = std::make_unique<SimCommits>(*pop.journal, *pop.store);
    pop.transport = network_.connect(pop.number);
    AgentCore::Options options;
    options.pop = pop.id();
    options.link_key = link_keys_[pop.number];
    options.heartbeat_ns = 200 * millisecond;
    options.answer_ttl_ms = static_cast<std::uint32_t>(sim_answers_kept_ms);
    options.planted_bug = bug_;
    pop.core = std::make_unique<AgentCore>(
        *pop.transport, *pop.commits, pop.vault.get(), pop.clock, random_, options,
        [&pop](std::shared_ptr<const Directory> next) { pop.directory = std::move(next); });
    pop.core->start();
}

// The process ends; clients see their requests break.
void ReplicationWorld::end_pop(SimPop& pop) {
    pop.running.clear();
    pop.asking = 0;
    pop.directory.reset();
    pop.core.reset();
    pop.transport.reset();
    pop.commits.reset();
    pop.vault.reset();
    pop.journal.reset();
}

// storage/recovery.h in short: half of what ran is settled for a part, half had delivered nothing.
void ReplicationWorld::recover(SimPop& pop) {
    for (const storage::OpenRequest& open : std::vector(pop.journal->recovered())) {
        // Older than what has become of it: its key may be another's by now.
        if (pop.went_back) granted_.erase(open.request_id);
        if (!gates_open_.contains(open.request_id) || random_.below(2) == 0) {
            storage::Batch batch;
            NX_ASSERT(pop.journal->release(open.request_id, batch).has_value());
            NX_ASSERT(write(pop, batch));
            continue;
        }
        SimRequest request;
        request.open = open;
        finish(pop, request, open.reservation.amount / 3);
    }
}

// The operator's answer to `registration_refused`: nodex-edge --reinstall.
void ReplicationWorld::reinstall(SimPop& pop) {
    // A copy may also be refused late, when a record of the disk before it arrives after all.
    const bool is_copy = histories_[pop.history].certain_max != UINT64_MAX;
    if (!is_copy) violated("D1: a POP whose disk is sound was refused");
    ++seen_["reinstalled"];
    end_pop(pop);
    auto journal = storage::Journal::open(*pop.store);
    NX_ASSERT(journal.has_value());
    pop.journal = std::move(*journal);
    recover(pop);
    end_history(pop.history);
    const auto bounds = pop.journal->outbox();
    const Result<storage::SetAside> aside =
        storage::reinstall(*pop.journal, *pop.store, random_, sim_folder());
    NX_ASSERT(aside.has_value());
    if (aside->records != bounds.last + 1 - bounds.kept)
        violated("D3: what was set aside is not the whole outbox");
    (void)std::remove(aside->path.c_str());
    pop.went_back = pop.is_behind = false;
    begin_history(pop);
    start_pop(pop);
}

void ReplicationWorld::step(Nanoseconds by) {
    const Nanoseconds before_ns = centre_clock_.now_ns();
    clock_.advance(by);
    // Nobody ran meanwhile, as if every process had been frozen.
    if (shows_as_pause(centre_clock_.now_ns() - before_ns)) listening_since_ns_ = clock_.now_ns();
    network_.step();
    for (const auto& pop : pops_) {
        pop->commits->run();
        pop->core->tick();
        pop->commits->run();
        end_requests(*pop, false);
        if (pop->registered()) {
            histories_[pop->history].incarnation = pop->core->link().incarnation();
            pop->went_back = false;
        }
        if (pop->core->phase() == AgentCore::Phase::refused) reinstall(*pop);
    }
    if (old_centre_) old_centre_->tick();
    centres_.tick();
    check_step();
}

// What is still to be done; "" when all is level.
const char* ReplicationWorld::unrest() {
    const auto keys = ledger_.body_keys(AccountId{1});
    for (const auto& pop : pops_) {
        if (!pop->registered()) return "a POP is not registered";
        if (pop->directory == nullptr) return "a POP has no directory";
        if (!pop->running.empty() || pop->asking > 0) return "a request runs";
        // A POP that has not heard yet of a restoration believes that all is applied.
        if (pop->core->link().epoch_max() != epoch()) return "a POP is in another epoch";
        if (!pop->core->shipper().idle() ||
            pop->core->shipper().applied() != pop->journal->outbox().last)
            return "something is to be shipped";
        if (keys->versions.empty() ||
            pop->vault->current_version(AccountId{1}) < keys->versions.back().number)
            return "a POP has not the newest body key";
    }
    return "";
}

// What a lost disk held is locked until its term and the longest request are over.
void ReplicationWorld::wait_for_leases_of_lost_disks() {
    const bool any_lost = std::any_of(histories_.begin(), histories_.end(),
                                      [](const SimHistory& each) { return each.over; });
    if (!any_lost) return;
    // And what drift, slack and a clock that was set back add.
    const Nanoseconds end =
        clock_.now_ns() + limits::lease_ttl + limits::request_deadline + 300 * second;
    while (violation_.empty() && clock_.now_ns() < end) step(10 * second);
    check_locks();
}

std::string ReplicationWorld::run() {
    for (unsigned i = 0; i < faulty_steps && violation_.empty(); ++i) {
        inject();
        for (const auto& pop : pops_)
            if (random_.below(3) == 0) client(*pop);
        step(static_cast<Nanoseconds>(1 + random_.below(60)) * millisecond);
        if (i % 40 == 0) check_ledger();
    }
    stop_faults();
    unsigned steps = 0;
    while (violation_.empty() && !(*unrest() == '\0' && steps > 50) && ++steps < quiet_steps_max)
        step(20 * millisecond);
    if (violation_.empty()) check_end();
    return violation_;
}

}  // namespace nodex::replication
