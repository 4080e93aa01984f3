// AgentCore: registration, and the clockwork of its parts.
#include "replication/agent_core.h"

#include "edge/base/log.h"
#include "storage/kek_rows.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds register_timeout = second;
constexpr Nanoseconds register_pause = 200 * millisecond;

}  // namespace

AgentCore::AgentCore(Transport& transport, CommitPort& commits, storage::Vault* vault, Clock& clock,
                     Random& random, const Options& options, FeedFollower::Published published)
    : link_(transport, clock, options.pop, options.link_key),
      commits_(commits),
      vault_(vault),
      clock_(clock),
      leases_(
          link_, commits, clock, {options.heartbeat_ns, options.lease_slice, options.planted_bug},
          [this] { feed_.rebuild(); }, [this](std::uint64_t version) { feed_.seen(version); }),
      feed_(link_, commits, clock, leases_, vault, random, std::move(published)),
      shipper_(link_, commits, clock, {options.ship_delay_ns, options.planted_bug}),
      peers_(transport, link_, options.link_key, commits, clock, random.next_u64(), options.copies) {
    link_.on_hint([this](const FeedHint& hint) { feed_.seen(hint.version); });
}

void AgentCore::enter(Phase phase) {
    const bool legal =
        (phase_ == Phase::loading && phase == Phase::unregistered) ||
        (phase_ == Phase::unregistered && (phase == Phase::registered || phase == Phase::refused));
    NX_ASSERT(legal);
    phase_ = phase;
}

void AgentCore::start() {
    load();
}

void AgentCore::load() {
    in_flight_ = true;
    commits_.call(
        [this](storage::Journal& journal, storage::Store& store, storage::Batch&) -> Status {
            const storage::Journal::OutboxBounds bounds = journal.outbox();
            registration_.install = journal.install_id();
            registration_.outbox_applied = bounds.applied;
            registration_.outbox_last = bounds.last;
            registration_.chain_at_applied = bounds.chain_at_applied;
            registration_.chain_at_last = bounds.chain_at_last;
            return vault_ == nullptr ? Status{} : storage::load_keks(store, *vault_);
        },
        [this](const Status& status) {
            in_flight_ = false;
            if (!status) return log::error("agent_cannot_load", {{"error", status.error()}});
            enter(Phase::unregistered);
            register_now();
        });
}

void AgentCore::register_now() {
    in_flight_ = true;
    register_at_ns_ = clock_.now_ns() + register_pause;
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
        log::error("registration_refused",
                   {{"reason", "this disk is older than what the ledger has applied"},
                    {"outbox_last", registration_.outbox_last},
                    {"applied", reply->applied}});
        return enter(Phase::refused);
    }
    link_.set_incarnation(reply->incarnation);
    in_flight_ = true;
    shipper_.start(
        reply->applied, reply->chain, [this, version = reply->feed_version](const Status& status) {
            in_flight_ = false;
            if (!status) {
                log::error("registration_refused",
                           {{"reason", "outbox and ledger differ"}, {"error", status.error()}});
                return enter(Phase::refused);
            }
            enter(Phase::registered);
            leases_.start();
            feed_.start(version);
            peers_.start();
        });
}

void AgentCore::tick() {
    switch (phase_) {
        case Phase::loading:
        case Phase::refused: return leases_.tick();  // ends asks whose time is over
        case Phase::unregistered:
            if (!in_flight_ && clock_.now_ns() >= register_at_ns_) register_now();
            return leases_.tick();
        case Phase::registered:
            leases_.tick();
            feed_.tick();
            peers_.tick();
            return shipper_.tick();
    }
}

}  // namespace nodex::replication
