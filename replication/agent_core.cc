// AgentCore: registration, and the clockwork of its parts.
#include "replication/agent_core.h"

#include <memory>

#include "edge/base/log.h"
#include "storage/kek_rows.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds register_timeout = second;
constexpr Nanoseconds register_pause = 200 * millisecond;
// How long a start waits for the centre before it serves from what it knows.
constexpr Nanoseconds stored_feed_grace = second;
constexpr Nanoseconds count_interval = second;

}  // namespace

AgentCore::AgentCore(Transport& transport, CommitPort& commits, storage::Vault* vault, Clock& clock,
                     Random& random, const Options& options, FeedFollower::Published published)
    : link_(transport, clock, options.pop, options.link_key, random.next_u64(),
            options.planted_bug),
      commits_(commits),
      vault_(vault),
      clock_(clock),
      leases_(
          link_, commits, clock, {options.heartbeat_ns, options.lease_slice, options.planted_bug},
          [this] { feed_.rebuild(); }, [this](std::uint64_t version) { feed_.seen(version); }),
      claims_(link_, commits, clock,
              {options.heartbeat_ns, options.answer_ttl_ms, options.planted_bug}),
      feed_(link_, commits, clock, leases_, vault, random, std::move(published)),
      shipper_(link_, commits, clock, {options.ship_delay_ns, options.planted_bug, options.batches_packed}),
      peers_(transport, link_, options.link_key, commits, clock, random.next_u64(), options.copies,
             options.copies_awaited),
      bodies_(link_, peers_.link(), peers_.roster(), commits, clock, vault),
      eraser_(commits),
      outbox_(commits, clock),
      reporter_(link_, clock, eraser_, options.name, options.version,
                [this](PopReport& report) { fill(report); }) {
    link_.on_new_epoch([this] { epoch_changed(); });
    link_.on_hints([this](const FeedHint& hint) { feed_.seen(hint.version); },
                   [this](const ClaimHint& hint) { claims_.hinted(hint); });
    shipper_.on_other_history([this] { register_again(); });
    peers_.copies_give_way_while([this] { return shipper_.lags(); });
    claims_.on_dead_owner([this](const ClaimRequest::Entry& entry, const ClaimReply::Entry& word,
                                 std::function<void(bool kept)> told) {
        peers_.remote().is_kept(entry, word, std::move(told));
    });
}

void AgentCore::enter(Phase phase) {
    const bool legal =
        (phase_ == Phase::loading && phase == Phase::unregistered) ||
        (phase_ == Phase::registered && phase == Phase::unregistered) ||
        (phase_ == Phase::unregistered && (phase == Phase::registered || phase == Phase::refused));
    NX_ASSERT(legal);
    phase_ = phase;
}

void AgentCore::start() {
    load();
}

void AgentCore::load() {
    in_flight_ = true;
    const auto feed = std::make_shared<StoredFeed>();
    commits_.call(
        [this, feed](storage::Journal&, storage::Store& store, storage::Batch&) -> Status {
            Result<StoredFeed> loaded = load_feed(store);
            if (!loaded) return loaded.error();
            *feed = std::move(*loaded);
            const Result<Registration> registration = load_registration(store);
            if (!registration) return registration.error();
            stored_ = *registration;
            return vault_ == nullptr ? Status{} : storage::load_keks(store, *vault_);
        },
        [this, feed](const Status& status) {
            in_flight_ = false;
            if (!status) return log::error("agent_cannot_load", {{"error", status.error()}});
            link_.set_epoch(stored_.epoch);
            link_.set_incarnation(stored_.incarnation);
            feed_.restore(std::move(*feed));
            serve_stored_at_ns_ = clock_.now_ns() + stored_feed_grace;
            enter(Phase::unregistered);
            register_now();
        });
}

// With the outbox as it is now: it may have grown since the last attempt.
void AgentCore::register_now() {
    in_flight_ = true;
    register_at_ns_ = clock_.now_ns() + register_pause;
    commits_.call(
        [this](storage::Journal& journal, storage::Store&, storage::Batch&) -> Status {
            const storage::Journal::OutboxBounds bounds = journal.outbox();
            registration_.install = journal.install_id();
            registration_.outbox_kept = bounds.kept;
            registration_.outbox_applied = bounds.applied;
            registration_.outbox_last = bounds.last;
            registration_.chain_at_applied = bounds.chain_at_applied;
            registration_.chain_at_last = bounds.chain_at_last;
            return {};
        },
        [this](const Status& status) {
            if (status) return send_registration();
            in_flight_ = false;
        });
}

void AgentCore::send_registration() {
    registration_.epoch_max = link_.epoch_max();
    link_.request("reg", MessageType::register_request, encode(registration_), register_timeout,
                  [this](const Result<std::string>& payload) { register_done(payload); });
}

void AgentCore::register_done(const Result<std::string>& payload) {
    in_flight_ = false;
    const Result<RegisterReply> reply =
        payload ? decode_register_reply(*payload) : Result<RegisterReply>(payload.error());
    if (!reply) return;  // tick() tries again
    if (reply->verdict == RegisterVerdict::must_reinstall) {
        log::error(
            "registration_refused",
            {{"reason", "this disk and the ledger have different histories"},
             {"outbox_kept", registration_.outbox_kept},
             {"outbox_last", registration_.outbox_last},
             {"outbox_applied", registration_.outbox_applied},
             {"applied", reply->applied},
             {"advice", "runbook: a POP's disk that went back, a ledger that was restored"}});
        return enter(Phase::refused);
    }
    if (link_.centre_protocol() != protocol_version)
        log::warning("centre_of_another_version",
                     {{"centre_protocol", link_.centre_protocol()},
                      {"protocol", protocol_version},
                      {"advice", "runbook: upgrade the centre first, then its POPs"}});
    accept(*reply);
}

// Durable, in one write, before anything is done under it: the epoch, below which nothing will be
// acted on, and, when the ledger was restored, the end of all grants, of what was known from it,
// and of what it is believed to have applied.
void AgentCore::accept(const RegisterReply& reply) {
    in_flight_ = true;
    const Registration next{link_.register_epoch(), reply.incarnation};
    const auto generations = std::make_shared<LeaseKeeper::Generations>();
    commits_.call(
        [next, same = next == stored_, reply, generations](
            storage::Journal& journal, storage::Store&, storage::Batch& batch) -> Status {
            if (reply.restored) {
                *generations = LeaseKeeper::abandon(journal, batch);
                if (reply.applied < journal.outbox().applied)
                    if (Status rewound = journal.rewind_outbox(reply.applied, batch); !rewound)
                        return rewound;
                erase_feed(batch);
            }
            if (!same) put_registration(next, batch);
            return {};
        },
        [this, next, reply, generations](const Status& status) {
            if (!status) return entered(reply, status);
            stored_ = next;
            link_.set_epoch(next.epoch);
            link_.set_incarnation(next.incarnation);
            if (reply.restored) {
                ++epochs_entered_;
                log::warning("ledger_was_restored",
                             {{"epoch", next.epoch},
                              {"applied_before", registration_.outbox_applied},
                              {"applied", reply.applied}});
                leases_.abandoned(*generations);
                feed_.start_over();
            }
            shipper_.start(reply.applied, reply.chain,
                           [this, reply](const Status& agreed) { entered(reply, agreed); });
        });
}

void AgentCore::entered(const RegisterReply& reply, const Status& status) {
    in_flight_ = false;
    if (!status && status.error().source == ErrorSource::storage) return;  // tick() tries again
    if (!status) {
        log::error("registration_refused",
                   {{"reason", "outbox and ledger differ"}, {"error", status.error()}});
        return enter(Phase::refused);
    }
    enter(Phase::registered);
    leases_.start();
    claims_.start();
    feed_.start(reply.feed_version);
    peers_.start();
}

// What is granted may be spent until the new registration says otherwise: the restored ledger takes
// settlements of requests of before from what is free.
void AgentCore::epoch_changed() {
    if (phase_ != Phase::registered) return;
    log::warning("epoch_changed", {{"epoch", link_.epoch_max()}});
    register_again();
}

// Also when the outbox is not what the ledger has applied, because a disk went back and a record of
// before was still on its way: registration says so, and an operator must look.
void AgentCore::register_again() {
    if (phase_ != Phase::registered) return;
    shipper_.stop();
    leases_.pause();
    enter(Phase::unregistered);
    register_at_ns_ = clock_.now_ns();
}

// What operators are shown, also while the centre cannot be reached.
void AgentCore::count() {
    outbox_.tick(phase_ == Phase::registered ? shipper_.applied() : 0);
    if (clock_.now_ns() < count_at_ns_) return;
    count_at_ns_ = clock_.now_ns() + count_interval;
    lease_totals_ = leases_.totals();
}

void AgentCore::fill(PopReport& report) const {
    report.outbox_applied = outbox_.applied();
    report.outbox_last = outbox_.last();
    report.lag_ms = static_cast<std::uint64_t>(outbox_.lag_ms());
    report.leases_count = lease_totals_.leases_count;
    report.granted = lease_totals_.granted;
    report.settled = lease_totals_.settled;
    report.headroom = lease_totals_.headroom;
    report.claims_asked = claims_.requests_sent();
    report.copies_kept_bytes = peers_.taker().kept_bytes();
    report.copies_lag_bytes = peers_.sender().lag_bytes();
}

void AgentCore::tick() {
    if (phase_ != Phase::loading) count();
    bodies_.tick();
    switch (phase_) {
        case Phase::loading:
        case Phase::refused: return leases_.tick();  // ends asks whose time is over
        case Phase::unregistered:
            if (!in_flight_ && clock_.now_ns() >= register_at_ns_) register_now();
            if (clock_.now_ns() >= serve_stored_at_ns_) feed_.serve_stored();
            feed_.tick();
            return leases_.tick();
        case Phase::registered:
            leases_.tick();
            claims_.tick();
            feed_.tick();
            peers_.tick();
            reporter_.tick();
            return shipper_.tick();
    }
}

}  // namespace nodex::replication
