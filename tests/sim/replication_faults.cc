// ReplicationWorld: what is done to it. A fault is drawn at every step; `stop_faults()` ends them.
#include <algorithm>

#include "edge/base/limits.h"
#include "tests/sim/replication_world.h"

namespace nodex::replication {
namespace {

constexpr unsigned draws = 1'000;
constexpr std::int64_t pop_clock_set_max_ms = 2 * 3'600'000;
constexpr unsigned silent_steps = 50;
constexpr unsigned idle_steps = 20;
constexpr unsigned returning_steps = 240;  // of a second: needs are forgotten, then a minute passes
// Each is shorter than what a reader takes for a pause, all of them longer than answers are kept.
constexpr Nanoseconds outliving_step = limits::message_lateness_max * 5 / 6;
constexpr auto outliving_steps =
    static_cast<unsigned>(limits::idempotency_ttl_min / outliving_step * 21 / 20);

}  // namespace

const ReplicationWorld::Fault ReplicationWorld::table[] = {
    {"pop_killed", 5, &ReplicationWorld::kill_pop},
    {"pop_power_lost", 5, &ReplicationWorld::lose_power},
    {"pop_disk_lost", 1, &ReplicationWorld::lose_disk},
    {"", 6, &ReplicationWorld::copy_disk},
    {"pop_disk_rolled_back", 4, &ReplicationWorld::roll_disk_back},
    {"pop_forgets_returns", 1, &ReplicationWorld::forget_returns},
    {"pop_clock_set", 3, &ReplicationWorld::set_clock},
    {"centre_clock_set", 2, &ReplicationWorld::set_centre_clock},
    {"link_cut", 12, &ReplicationWorld::cut_link},
    {"link_cut_one_way", 6, &ReplicationWorld::cut_link_one_way},
    {"", 35, &ReplicationWorld::heal_links},
    {"link_cut_until_reclaimed", 2, &ReplicationWorld::cut_until_reclaimed},
    {"link_cut_until_silent", 3, &ReplicationWorld::cut_until_silent},
    {"centre_killed", 6, &ReplicationWorld::kill_centre},
    {"centres_restarted", 5, &ReplicationWorld::restart_centres},
    {"centre_frozen", 6, &ReplicationWorld::freeze_centre},
    {"", 15, &ReplicationWorld::wake_centre},
    {"", 8, &ReplicationWorld::back_up_ledger},
    {"ledger_restored", 2, &ReplicationWorld::restore_ledger},
    {"old_centre_woken", 3, &ReplicationWorld::wake_old_centre},
    {"", 30, &ReplicationWorld::end_old_centre},
    {"", 2, &ReplicationWorld::idle},
    {"", 2, &ReplicationWorld::outlive_answers},
    {"", 4, &ReplicationWorld::rotate_body_key},
    {"", 2, &ReplicationWorld::shred_account},
};

void ReplicationWorld::inject() {
    std::uint64_t draw = random_.below(draws);
    SimPop& pop = *pops_[random_.below(pops_.size())];
    for (const Fault& fault : table) {
        if (draw >= fault.weight) {
            draw -= fault.weight;
            continue;
        }
        if ((this->*fault.inject)(pop) && *fault.name != '\0') ++faults_[fault.name];
        return;
    }
}

void ReplicationWorld::stop_faults() {
    for (unsigned i = 0; i < 2; ++i)
        if (centres_.frozen(i)) centres_.wake(i);
    (void)end_old_centre(*pops_.front());
    for (unsigned i = 0; i < 2; ++i)
        if (!centres_.running(i)) start_centre(i);
    const SimLosses& losses = network_.losses();
    faults_["message_dropped"] = losses.dropped;
    faults_["message_repeated"] = losses.repeated;
    faults_["message_overtaken"] = losses.overtaken;
    faults_["message_cut"] = losses.cut;
    network_.set_faults({});
    for (const auto& pop : pops_) network_.cut(pop->number, false);
}

// --- a POP

bool ReplicationWorld::kill_pop(SimPop& pop) {
    end_pop(pop);
    pop.store->crash_process();
    start_pop(pop);
    return true;
}

bool ReplicationWorld::lose_power(SimPop& pop) {
    end_pop(pop);
    pop.store->lose_power(static_cast<std::size_t>(random_.below(pop.store->unsynced_count() + 1)));
    start_pop(pop);
    return true;
}

void ReplicationWorld::begin_history(SimPop& pop, std::uint64_t certain_max) {
    pop.history = histories_.size();
    SimHistory history;
    history.pop = pop.number;
    history.certain_max = certain_max;
    histories_.push_back(history);
}

// How far the ledger, as it stands, has applied a disk's outbox. Found by its install: the number
// that a lost ledger gave it is another disk's when the restored one, which does not know it any
// more, has given that number again.
std::uint64_t ReplicationWorld::applied_of(const SimHistory& history) {
    const PopId pop = pops_[history.pop]->id();
    const auto row = ledger_store_.get(
        LedgerTable::mark,
        ledger::KeyBuilder().letter('i').number(raw(pop)).raw_bytes(history.install.view()).bytes);
    if (!*row) return 0;
    const auto mark = ledger_.mark(pop, ByteReader(**row).integer<std::uint32_t>());
    return *mark ? (*mark)->applied : 0;
}

// What the ledger has applied of it stays; what was on its way may still arrive.
void ReplicationWorld::end_history(std::size_t history) {
    SimHistory& ended = histories_[history];
    ended.over = true;
    ended.certain = std::min(applied_of(ended), ended.certain_max);
}

bool ReplicationWorld::lose_disk(SimPop& pop) {
    end_history(pop.history);
    end_pop(pop);
    pop.store = std::make_unique<storage::SimStore>();
    pop.went_back = pop.is_behind = false;
    begin_history(pop);
    start_pop(pop);
    return true;
}

bool ReplicationWorld::copy_disk(SimPop& pop) {
    pop.copy = copy_of(*pop.store);
    pop.copy_history = pop.history;
    pop.copy_last = pop.journal->outbox().last;
    return true;
}

// An operator puts the copy in the place of the disk.
bool ReplicationWorld::roll_disk_back(SimPop& pop) {
    if (!pop.copy) return false;
    const std::size_t before = pop.history;
    end_history(before);
    const std::uint32_t incarnation = histories_[before].incarnation;
    end_pop(pop);
    pop.store = copy_of(*pop.copy);
    pop.went_back = true;
    pop.is_behind = applied_of(histories_[pop.copy_history]) > pop.copy_last;
    // A copy of what was itself a copy is certain of no more than that one was.
    begin_history(pop, std::min(pop.copy_last, histories_[pop.copy_history].certain_max));
    if (pop.copy_history == before) {
        histories_[pop.history].incarnation = incarnation;
        for (SimExecution& execution : executions_)
            if (execution.pop == pop.number && execution.history == before &&
                execution.sequence <= pop.copy_last)
                execution.history = pop.history;
        pop.copy_history = pop.history;
    }
    start_pop(pop);
    return true;
}

// The copy lacks nothing but what the POP has given back since: no request ran meanwhile.
bool ReplicationWorld::forget_returns(SimPop& pop) {
    for (const auto& each : pops_) end_requests(*each, true);
    for (unsigned i = 0; i < 5; ++i) step(200 * millisecond);  // what they cost is shipped
    (void)copy_disk(pop);
    for (unsigned i = 0; i < returning_steps && violation_.empty(); ++i) step(second);
    return roll_disk_back(pop);
}

bool ReplicationWorld::set_clock(SimPop& pop) {
    const std::int64_t by_ms = static_cast<std::int64_t>(random_.below(2 * pop_clock_set_max_ms));
    pop.clock.set_by(by_ms - pop_clock_set_max_ms);
    return true;
}

// --- links

bool ReplicationWorld::cut_link(SimPop& pop) {
    network_.cut(pop.number, true);
    return true;
}

bool ReplicationWorld::cut_link_one_way(SimPop& pop) {
    const bool hears = random_.below(2) == 0;
    network_.cut(pop.number,
                 hears ? SimNetwork::Direction::from_pop : SimNetwork::Direction::to_pop, true);
    return true;
}

bool ReplicationWorld::heal_links(SimPop&) {
    for (const auto& each : pops_) network_.cut(each->number, false);
    return true;
}

// What runs there ends within the longest request's time.
bool ReplicationWorld::cut_until_reclaimed(SimPop& pop) {
    network_.cut(pop.number, true);
    step(limits::lease_ttl / 2);
    for (const auto& each : pops_) end_requests(*each, true);
    for (int i = 0; i < 3; ++i) step(limits::lease_ttl);
    network_.cut(pop.number, false);
    return true;
}

bool ReplicationWorld::cut_until_silent(SimPop& pop) {
    network_.cut(pop.number, true);
    for (unsigned i = 0; i < silent_steps && violation_.empty(); ++i) {
        for (const auto& each : pops_)
            if (random_.below(2) == 0) client(*each);
        step(200 * millisecond);
    }
    network_.cut(pop.number, false);
    return true;
}

// No clients for so long that POPs give back what they do not need.
bool ReplicationWorld::idle(SimPop&) {
    for (unsigned i = 0; i < idle_steps && violation_.empty(); ++i) step(5 * second);
    ++seen_["idle"];
    return true;
}

// No clients until every key is free again. Links that are cut stay so.
bool ReplicationWorld::outlive_answers(SimPop&) {
    for (unsigned i = 0; i < outliving_steps && violation_.empty(); ++i) {
        step(outliving_step);
        for (unsigned way = 0; way < 2; ++way) step(250 * millisecond);  // there and back
    }
    ++seen_["answers_outlived"];
    return true;
}

// --- the centre

bool ReplicationWorld::set_centre_clock(SimPop&) {
    const auto span = static_cast<std::uint64_t>(2 * sim_centre_clock_set_max_ms);
    centre_clock_.set_by(static_cast<std::int64_t>(random_.below(span)) -
                         sim_centre_clock_set_max_ms);
    return true;
}

// One process dies and is started again, on the same store.
bool ReplicationWorld::kill_centre(SimPop&) {
    const auto number = static_cast<unsigned>(random_.below(2));
    if (old_centre_ || !centres_.running(number)) return false;
    centres_.kill(number);
    start_centre(number);
    return true;
}

bool ReplicationWorld::restart_centres(SimPop&) {
    if (old_centre_) network_.stop_centre();
    old_centre_.reset();
    start_centres();
    return true;
}

bool ReplicationWorld::freeze_centre(SimPop&) {
    const auto number = static_cast<unsigned>(random_.below(2));
    if (!centres_.running(number)) return false;
    centres_.freeze(number);
    frozen_ns_[number] = centre_clock_.now_ns();
    return true;
}

bool ReplicationWorld::wake_centre(SimPop&) {
    for (unsigned i = 0; i < 2; ++i) {
        if (!centres_.frozen(i)) continue;
        if (!anybody_listens()) listening_since_ns_ = clock_.now_ns();
        centres_.wake(i);
    }
    return true;
}

bool ReplicationWorld::back_up_ledger(SimPop&) {
    backup_ = ledger_store_.tables();
    has_backup_ = true;
    return true;
}

// The disk of the centre is lost; what is left is a backup of some time ago. Its operator knows the
// epoch that he raised last.
bool ReplicationWorld::restore_ledger(SimPop& pop) {
    if (!has_backup_) return false;
    (void)end_old_centre(pop);
    centres_.kill_all();
    lost_store_ = ledger_store_.tables();
    has_lost_ = true;
    ledger_store_.replace(backup_);
    const Result<std::uint64_t> epoch = ledger_.raise_epoch(centre_clock_.wall_ms(), epoch_raised_);
    NX_ASSERT(epoch.has_value());
    epoch_raised_ = *epoch;
    forget_lost_grants();
    for (SimHistory& history : histories_) {
        if (history.over) history.certain = std::min(history.certain, applied_of(history));
    }
    for (const auto& each : pops_) each->is_behind = false;  // the backup may be as old as the copy
    shred_again();
    start_centres();
    return true;
}

// A grant that the restored ledger does not know may be given again.
void ReplicationWorld::forget_lost_grants() {
    std::erase_if(granted_, [this](const auto& grant) {
        const auto claim = ledger_.claim_of(AccountId{1}, grant.second);
        return !*claim || (*claim)->request != grant.first;
    });
}

// A process of before the restore was frozen and goes on: POPs reach it instead of the right ones.
bool ReplicationWorld::wake_old_centre(SimPop&) {
    if (!has_lost_ || old_centre_) return false;
    centres_.kill_all();
    old_centre_ = make_centre(lost_store_, network_.centre());
    return true;
}

bool ReplicationWorld::end_old_centre(SimPop&) {
    if (!old_centre_) return false;
    network_.stop_centre();
    old_centre_.reset();
    start_centres();
    return true;
}

}  // namespace nodex::replication
