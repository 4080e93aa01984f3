// LeaseKeeper: generations, sizes, heartbeats. The asks are in lease_asks.cc.
#include "replication/lease_keeper.h"

#include <algorithm>

#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds ask_patience_max = 2 * second;
constexpr Nanoseconds unserved_pause = 100 * millisecond;
constexpr Nanoseconds idle_before_return = 60 * second;
constexpr Nano reservations_ahead = 4;

}  // namespace

void LeaseKeeper::load(const LeaseKey& scope, const storage::LeaseCounters& counters) {
    Slot& slot = slots_[scope];
    slot.generations.push_back(std::make_unique<LeaseScope>(scope, counters.generation,
                                                            counters.settled, counters.returned));
    slot.current = slot.generations.back().get();
    slot.returned_durable = counters.returned;
    slot.returned_told = 0;
    slot.settled_before = counters.settled;
    slot.grant_noted = counters.granted > 0;
}

void LeaseKeeper::prepare(std::vector<LeaseKey> scopes, std::function<void(const Status&)> done) {
    std::erase_if(scopes, [this](const LeaseKey& scope) { return slots_.contains(scope); });
    struct Loaded {
        std::vector<LeaseKey> scopes;
        std::vector<storage::LeaseCounters> counters;
    };
    const auto loaded = std::make_shared<Loaded>();
    loaded->scopes = std::move(scopes);
    commits_.call(
        [loaded](storage::Journal& journal, storage::Store&, storage::Batch& batch) -> Status {
            loaded->counters.clear();
            for (const LeaseKey& scope : loaded->scopes) {
                std::optional<storage::LeaseCounters> counters = journal.lease(scope);
                if (!counters) {
                    // A generation is durable before anything is spent under it.
                    counters = storage::LeaseCounters{.generation = 1};
                    journal.set_lease(scope, *counters, batch);
                }
                loaded->counters.push_back(*counters);
            }
            return {};
        },
        [this, loaded, done = std::move(done)](const Status& status) {
            for (std::size_t i = 0; status && i < loaded->scopes.size(); ++i)
                if (!slots_.contains(loaded->scopes[i]))
                    load(loaded->scopes[i], loaded->counters[i]);
            done(status);
        });
}

LeaseScope* LeaseKeeper::find(const LeaseKey& scope) noexcept {
    const auto found = slots_.find(scope);
    return found == slots_.end() ? nullptr : found->second.current;
}

void LeaseKeeper::start() {
    started_ = true;
    heartbeat_at_ns_ = clock_.now_ns();
    sampled_at_ns_ = heartbeat_at_ns_;
}

LeaseKeeper::Generations LeaseKeeper::abandon(storage::Journal& journal, storage::Batch& batch) {
    Generations generations;
    for (const LeaseKey& scope : journal.lease_scopes()) {
        const std::uint32_t next = journal.lease(scope)->generation + 1;
        journal.set_lease(scope, {.generation = next}, batch);
        generations.emplace(scope, next);
    }
    return generations;
}

void LeaseKeeper::abandoned(const Generations& generations) {
    for (const auto& [scope, next] : generations) {
        const auto slot = slots_.find(scope);
        if (slot == slots_.end() || slot->second.current->generation() >= next) continue;
        slot->second.current->expire();
        load(scope, {.generation = next});
        slot->second.idle_since_ns = 0;
    }
    generation_changed_();
}

// The cumulative grant that leaves `ahead` free. Read without a lock: a settlement in between is
// counted twice at worst, so it may be a little more than needed and never less.
Nano LeaseKeeper::want_total(const LeaseScope& lease, Nano ahead) noexcept {
    const Nano reserved = lease.reserved();
    const Wide total = Wide{lease.settled()} + lease.returned() + reserved + ahead;
    return static_cast<Nano>(std::min<Wide>(total, INT64_MAX));
}

Nano LeaseKeeper::target(const Slot& slot) const noexcept {
    const Wide reservations = Wide{slot.largest_reservation} * reservations_ahead;
    const Wide needed = std::max<Wide>(slot.per_minute, reservations);
    return static_cast<Nano>(std::min<Wide>(needed, options_.slice));
}

void LeaseKeeper::sample(Slot& slot, Nanoseconds elapsed_ns) {
    const Nano settled = slot.current->settled();
    const Wide spent =
        Wide{settled - slot.settled_before} * (60 * second) / std::max<Nanoseconds>(elapsed_ns, 1);
    slot.settled_before = settled;
    const auto now = static_cast<Nano>(std::min<Wide>(spent, INT64_MAX));
    slot.per_minute = std::max(now, slot.per_minute - slot.per_minute / 5);
    if (slot.per_minute < 5 && now == 0) slot.per_minute = 0;
    // About a sixtieth is forgotten a second, so that one large request does not hold money for
    // hours.
    slot.largest_reservation -=
        slot.largest_reservation / 64 + (slot.largest_reservation > 0 ? 1 : 0);
}

LeaseKeeper::Totals LeaseKeeper::totals() const noexcept {
    const Nanoseconds now = clock_.now_ns();
    Totals totals;
    Wide granted = 0, settled = 0, headroom = 0;
    for (const auto& [scope, slot] : slots_) {
        const LeaseScope& lease = *slot.current;
        if (scope.kind != LeaseKey::Kind::account) continue;
        if (lease.granted() > 0 || lease.settled() > 0) ++totals.leases_count;
        granted += lease.granted();
        settled += lease.settled();
        if (now < lease.expires_ns()) headroom += std::max<Nano>(lease.available(), 0);
    }
    const auto bounded = [](Wide sum) { return static_cast<Nano>(std::min<Wide>(sum, INT64_MAX)); };
    totals.granted = bounded(granted);
    totals.settled = bounded(settled);
    totals.headroom = bounded(headroom);
    return totals;
}

// More than four times what is needed lay free for a minute: the rest goes back. Durable before it
// is told: a POP that forgot what it had returned would spend it a second time. A centre that is
// not heard could lend it to nobody, and here it is all that there is until the link returns.
void LeaseKeeper::give_back_idle(const LeaseKey& scope, Slot& slot, Nanoseconds now_ns) {
    const Nano needed = target(slot);
    const Nano available = slot.current->available();
    if (available <= 0 || available / 4 < needed || !link_.linked(options_.heartbeat_ns)) {
        slot.idle_since_ns = 0;
        return;
    }
    if (slot.idle_since_ns == 0) slot.idle_since_ns = now_ns;
    if (slot.giving_back || now_ns - slot.idle_since_ns < idle_before_return) return;
    LeaseScope* lease = slot.current;
    if (!lease->take_back(available - needed)) return;  // taken by a request just now
    slot.giving_back = true;
    slot.idle_since_ns = 0;
    const Nano returned = lease->returned();
    commits_.call(
        [scope, generation = lease->generation(), granted = lease->granted(), returned](
            storage::Journal& journal, storage::Store&, storage::Batch& batch) -> Status {
            journal.set_lease(
                scope, {.generation = generation, .granted = granted, .returned = returned}, batch);
            return {};
        },
        [this, scope, lease, returned](const Status& status) {
            Slot& changed = slots_[scope];
            changed.giving_back = false;
            if (status && changed.current == lease) changed.returned_durable = returned;
        });
}

void LeaseKeeper::tick() {
    const Nanoseconds now = clock_.now_ns();
    while (!asks_.empty() && asks_.front().deadline <= now) {
        Waiting waiting = std::move(asks_.front());
        asks_.pop_front();
        finish(std::move(waiting), AskVerdict::unavailable);
    }
    if (!asks_in_flight_) send_asks();
    if (!started_ || now < heartbeat_at_ns_ || heartbeat_in_flight_) return;
    heartbeat_at_ns_ = now + options_.heartbeat_ns;
    for (auto& [scope, slot] : slots_) {
        sample(slot, now - sampled_at_ns_);
        give_back_idle(scope, slot, now);
    }
    sampled_at_ns_ = now;
    heartbeat(now);
}

// Every scope that holds something, has spent recently, or has given back what the centre may not
// have heard of; an empty heartbeat still tells that we live.
void LeaseKeeper::heartbeat(Nanoseconds now_ns) {
    LeaseRequest request;
    request.sent_ns = now_ns;
    auto place = slots_.lower_bound(heartbeat_from_);
    for (; place != slots_.end() && request.entries.size() < limits::lease_entries_max; ++place) {
        const auto& [scope, slot] = *place;
        const LeaseScope& lease = *slot.current;
        const Nano ahead = target(slot);
        // Before the first answer of this process the grant is unknown: the counters say whether
        // there was one.
        const bool held_before =
            lease.granted() == 0 &&
            (lease.settled() > 0 || slot.returned_durable > 0 || slot.grant_noted);
        const bool holds = lease.granted() - lease.settled() - slot.returned_durable > 0;
        const bool gave_back = slot.returned_durable > slot.returned_told;
        if (!held_before && !holds && !gave_back && ahead == 0) continue;
        const bool low = lease.available() < ahead / 2;
        const Nano want = low ? want_total(lease, ahead) : lease.granted();
        request.entries.push_back({scope, lease.generation(), want, lease.settled(),
                                   std::max<Nano>(lease.reserved(), 0), slot.returned_durable});
    }
    heartbeat_from_ = place == slots_.end() ? LeaseKey{} : place->first;
    heartbeat_in_flight_ = true;
    send(std::move(request), ++requests_sent_);
}

void LeaseKeeper::send(LeaseRequest request, std::uint64_t number) {
    const bool ask = request.ask;
    const Nanoseconds sent_ns = request.sent_ns;
    link_.request("lease", MessageType::lease_request, encode(request),
                  link_.patience(ask_patience_max),
                  [this, number, ask, sent_ns](const Result<std::string>& payload) {
                      replied(number, ask, sent_ns, payload);
                  });
}

void LeaseKeeper::replied(std::uint64_t number, bool ask, Nanoseconds sent_ns,
                          const Result<std::string>& payload) {
    (ask ? asks_in_flight_ : heartbeat_in_flight_) = false;
    const Result<LeaseReply> reply =
        payload ? decode_lease_reply(*payload) : Result<LeaseReply>(payload.error());
    if (reply) {
        for (const LeaseReply::Entry& entry : reply->entries) take_entry(entry, sent_ns);
        feed_seen_(reply->feed_version);
    }
    if (ask && !reply && reply.error().code == ErrorCode::unavailable)
        ask_again_at_ns_ = clock_.now_ns() + unserved_pause;
    const std::size_t waiting = asks_.size();
    settle_asks(ask ? number : 0, reply ? &*reply : nullptr);
    // An answer that helped nobody is not asked for again at once: the next tick does.
    const bool any_new = !asks_.empty() && asks_.back().covered_by == 0;
    if (!asks_in_flight_ && (asks_.size() < waiting || any_new)) send_asks();
}

void LeaseKeeper::take_entry(const LeaseReply::Entry& entry, Nanoseconds sent_ns) {
    const auto found = slots_.find(entry.scope);
    if (found == slots_.end()) return;
    LeaseScope& lease = *found->second.current;
    if (entry.generation < lease.generation()) return;  // late: a newer one is open
    if (entry.generation > lease.generation())
        return open_generation(entry.scope, entry.generation);
    // Before the grant, out of which it was given back.
    if (options_.planted_bug != PlantedBug::forgotten_returns) {
        lease.learn_returned(entry.returned_total);
        Nano& durable = found->second.returned_durable;  // at the centre, if not here
        durable = std::max(durable, entry.returned_total);
    }
    Nano& told = found->second.returned_told;
    told = std::max(told, entry.returned_total);
    // Counted from our own sending: the centre's term began later.
    const bool adds = options_.planted_bug == PlantedBug::delta_grants;
    lease.grant(entry.granted_total + (adds ? lease.granted() : 0),
                sent_ns + Nanoseconds{entry.ttl_ms} * millisecond);
    if (lease.granted() > 0 && !found->second.grant_noted) note_grant(entry.scope, found->second);
}

// The process that follows this one must ask what it was granted, also when nothing of it was
// spent: else the centre holds it for nobody until its term and the longest request are over.
void LeaseKeeper::note_grant(const LeaseKey& scope, Slot& slot) {
    slot.grant_noted = true;
    commits_.call(
        [scope, generation = slot.current->generation(), granted = slot.current->granted()](
            storage::Journal& journal, storage::Store&, storage::Batch& batch) -> Status {
            std::optional<storage::LeaseCounters> counters = journal.lease(scope);
            if (!counters || counters->generation != generation) return {};
            counters->granted = std::max(counters->granted, granted);
            journal.set_lease(scope, *counters, batch);
            return {};
        },
        [](const Status&) {}, CommitPort::Durable::later);
}

// The centre has closed ours. Durable first; the next request asks under the new one.
void LeaseKeeper::open_generation(const LeaseKey& scope, std::uint32_t generation) {
    commits_.call(
        [scope, generation](storage::Journal& journal, storage::Store&,
                            storage::Batch& batch) -> Status {
            journal.set_lease(scope, {.generation = generation}, batch);
            return {};
        },
        [this, scope, generation](const Status& status) {
            if (!status || slots_[scope].current->generation() >= generation) return;
            load(scope, {.generation = generation});
            slots_[scope].idle_since_ns = 0;
            generation_changed_();
            if (!asks_in_flight_) send_asks();
        });
}

}  // namespace nodex::replication
