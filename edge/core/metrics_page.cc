// Merges the cores' counters.
#include "edge/core/metrics_page.h"

#include <memory>

#include "edge/base/log.h"
#include "edge/metrics/link_page.h"

namespace nodex::core {
namespace {

using metrics::Labels;
using metrics::Page;

using Gateways = std::vector<gateway::Metrics*>;

double sum(const Gateways& gateways, gateway::Counter gateway::Metrics::*counter) {
    std::uint64_t total = 0;
    for (const gateway::Metrics* metrics : gateways) total += (metrics->*counter).get();
    return static_cast<double>(total);
}

// Idempotency keys across POPs.
void add_claims(Page& page, const Gateways& gateways) {
    using gateway::Metrics;
    static constexpr std::pair<const char*, gateway::Counter Metrics::*> words[] = {
        {"granted", &Metrics::claims_granted},
        {"held", &Metrics::claims_held},
        {"done", &Metrics::claims_done},
        {"mismatch", &Metrics::claims_mismatch},
        {"unanswered", &Metrics::claims_unanswered}};
    page.counter("nodex_claims_asked_total", "Keys that the centre was asked for.",
                 sum(gateways, &Metrics::claims_asked));
    auto family =
        page.family("nodex_claims_total", "The centre's words on keys.", Page::Kind::counter);
    for (const auto& [word, counter] : words) family.add(sum(gateways, counter), {{"word", word}});
    page.counter("nodex_claims_proceeded_total", "Runs that went on without the centre's word.",
                 sum(gateways, &Metrics::claims_proceeded));
    page.counter("nodex_claims_lost_total", "Runs given up because their key runs at another POP.",
                 sum(gateways, &Metrics::claims_lost));
}

void add_requests(Page& page, const Gateways& gateways) {
    using gateway::Metrics;
    page.counter("nodex_requests_total", "Requests, free and paid.",
                 sum(gateways, &Metrics::requests));
    page.counter("nodex_runs_total", "Claims that ran a model.",
                 sum(gateways, &Metrics::paid_granted));
    page.counter("nodex_replays_total", "Requests answered from a stored answer.",
                 sum(gateways, &Metrics::replays));
    page.counter("nodex_joins_total", "Requests that followed a running one.",
                 sum(gateways, &Metrics::joins));
    page.counter("nodex_joins_elsewhere_total", "Requests that followed another POP's answer.",
                 sum(gateways, &Metrics::joins_elsewhere));
    page.counter("nodex_cuts_elsewhere_total",
                 "Of these, ended where the copy of a dead owner's answer ended.",
                 sum(gateways, &Metrics::cuts_elsewhere));
    page.counter("nodex_positions_lost_total",
                 "Of these, the events after the client's position could not be reached.",
                 sum(gateways, &Metrics::positions_lost));
    page.counter("nodex_resumes_total", "Streams resumed with Last-Event-ID.",
                 sum(gateways, &Metrics::resumes));
    page.counter("nodex_provider_attempts_total", "Calls to providers.",
                 sum(gateways, &Metrics::provider_attempts));
    page.counter("nodex_provider_retries_total",
                 "Calls at a further endpoint before the first byte.",
                 sum(gateways, &Metrics::provider_retries));
    page.counter("nodex_stream_events_total", "Events logged for clients.",
                 sum(gateways, &Metrics::events));
    page.counter("nodex_client_gone_total", "Clients that left before their answer was whole.",
                 sum(gateways, &Metrics::client_gone));
    page.counter("nodex_drained_runs_total", "Runs finished with nobody listening.",
                 sum(gateways, &Metrics::drained));
    page.counter("nodex_settlements_total", "Requests charged.",
                 sum(gateways, &Metrics::settled_requests));
    page.counter("nodex_settled_nano_total", "Charged, in nano-units of the accounts' currencies.",
                 sum(gateways, &Metrics::settled_nano));
    page.counter("nodex_overrun_nano_total",
                 "Provider cost above reservations, borne by the house.",
                 sum(gateways, &Metrics::overrun_nano));
    page.counter("nodex_input_tokens_total", "Billed input tokens.",
                 sum(gateways, &Metrics::input_tokens));
    page.counter("nodex_output_tokens_total", "Billed output tokens.",
                 sum(gateways, &Metrics::output_tokens));
    page.gauge("nodex_runs", "Model runs under way.", sum(gateways, &Metrics::running));
    page.gauge("nodex_requests_in_flight", "Requests under way.",
               sum(gateways, &Metrics::exchanges));

    add_claims(page, gateways);
    auto errors =
        page.family("nodex_errors_total", "Errors told to clients, by code.", Page::Kind::counter);
    for (std::size_t code = 0; code < static_cast<std::size_t>(api::Code::count); ++code) {
        std::uint64_t total = 0;
        for (const auto* metrics : gateways) total += metrics->errors[code].get();
        errors.add(static_cast<double>(total), {{"code", api::name(static_cast<api::Code>(code))}});
    }
    auto statuses =
        page.family("nodex_responses_total", "Responses by class of status.", Page::Kind::counter);
    for (std::size_t hundreds = 1; hundreds <= 5; ++hundreds) {
        std::uint64_t total = 0;
        for (const auto* metrics : gateways) total += metrics->status_class[hundreds].get();
        statuses.add(static_cast<double>(total), {{"class", std::to_string(hundreds) + "xx"}});
    }
}

void add_stages(Page& page, const Gateways& gateways) {
    using gateway::Metrics;
    static constexpr std::pair<const char*, Histogram Metrics::*> stages[] = {
        {"admit", &Metrics::admit_ns},
        {"reserve", &Metrics::reserve_ns},
        {"claim", &Metrics::claim_ns},
        {"claim_word", &Metrics::claim_word_ns},
        {"claim_wait", &Metrics::claim_wait_ns},
        {"provider_head", &Metrics::provider_head_ns},
        {"first_event", &Metrics::first_event_ns},
        {"append", &Metrics::append_ns},
        {"finish", &Metrics::finish_ns},
        {"total", &Metrics::total_ns}};
    auto family = page.family("nodex_stage_seconds", "Time of a request in each stage.",
                              Page::Kind::histogram);
    for (const auto& [name, stage] : stages) {
        const auto merged = std::make_unique<Histogram>();
        for (const auto* metrics : gateways) merged->merge(metrics->*stage);
        family.add(*merged, {{"stage", name}});
    }
}

void add_loops(Page& page, const MetricsSources& sources) {
    static constexpr std::pair<const char*, std::atomic<std::uint64_t> LoopStats::*> counters[] = {
        {"nodex_loop_turns_total", &LoopStats::turns},
        {"nodex_loop_completions_total", &LoopStats::completions},
        {"nodex_loop_enters_total", &LoopStats::enters},
        {"nodex_loop_mail_total", &LoopStats::mail_delivered},
        {"nodex_loop_timers_total", &LoopStats::timers_fired},
        {"nodex_loop_buffers_exhausted_total", &LoopStats::buffers_exhausted},
        {"nodex_loop_stalls_total", &LoopStats::stalls}};
    for (const auto& [name, counter] : counters) {
        auto family = page.family(name, "See edge/io/loop.h, LoopStats.", Page::Kind::counter);
        for (std::size_t core = 0; core < sources.loops.size(); ++core)
            family.add(static_cast<double>(
                           (sources.loops[core]->*counter).load(std::memory_order_relaxed)),
                       {{"core", std::to_string(core)}});
    }
    auto connections =
        page.family("nodex_connections", "Client connections open.", Page::Kind::gauge);
    const auto counts = sources.connections();
    for (std::size_t core = 0; core < counts.size(); ++core)
        connections.add(counts[core], {{"core", std::to_string(core)}});
}

void add_endpoints(Page& page, const MetricsSources& sources) {
    auto healthy = page.family("nodex_provider_healthy",
                               "1 when the endpoint is in use by this core.", Page::Kind::gauge);
    auto open = page.family("nodex_provider_connections", "Provider connections by state.",
                            Page::Kind::gauge);
    auto requests =
        page.family("nodex_provider_requests_total", "Calls by endpoint.", Page::Kind::counter);
    auto failures = page.family("nodex_provider_failures_total", "Failed calls by endpoint.",
                                Page::Kind::counter);
    const auto cores = sources.endpoints();
    for (std::size_t core = 0; core < cores.size(); ++core) {
        for (const upstream::EndpointStatus& endpoint : cores[core]) {
            const Labels labels = {{"provider", endpoint.name}, {"core", std::to_string(core)}};
            healthy.add(endpoint.ejected ? 0 : 1, labels);
            requests.add(static_cast<double>(endpoint.requests), labels);
            failures.add(static_cast<double>(endpoint.failures), labels);
            auto with_state = labels;
            with_state.push_back({"state", "open"});
            open.add(endpoint.connections_open, with_state);
            with_state.back().second = "idle";
            open.add(endpoint.connections_idle, with_state);
        }
    }
}

double read(const std::atomic<std::uint64_t>& value) noexcept {
    return static_cast<double>(value.load(std::memory_order_relaxed));
}
double read(const std::atomic<std::int64_t>& value) noexcept {
    return static_cast<double>(value.load(std::memory_order_relaxed));
}

void add_commits(Page& page, const storage::CommitStats& commits) {
    page.counter("nodex_commit_batches_total", "Group commits.", read(commits.batches));
    page.counter("nodex_commit_inline_batches_total",
                 "Of them, written by a loop at the end of its turn.", read(commits.inline_batches));
    auto handed_over =
        page.family("nodex_commit_handed_over_total",
                    "Turns whose writes a loop left to the commit thread, by reason.",
                    Page::Kind::counter);
    for (std::size_t i = 0; i < commits.handed_over.size(); ++i)
        handed_over.add(read(commits.handed_over[i]),
                        {{"reason", storage::name(static_cast<storage::HandOver>(i))}});
    page.counter("nodex_commit_operations_total", "Operations in group commits.",
                 read(commits.operations));
    page.counter("nodex_commit_bytes_total", "Bytes in group commits.", read(commits.bytes));
    page.counter("nodex_commit_failures_total",
                 "Failed writes: the node refuses paid requests after the first.",
                 read(commits.failures));
    page.family("nodex_commit_seconds", "One group commit, fsync included.", Page::Kind::histogram)
        .add(commits.batch_ns, {});
}

// Settlements on their way to the ledger.
void add_outbox(Page& page, const replication::AgentStats& agent) {
    page.counter("nodex_outbox_shipped_total", "Settlements sent to the centre.",
                 read(agent.shipped_records));
    page.counter("nodex_outbox_applied_total", "Settlements the ledger has applied.",
                 read(agent.applied_records));
    page.counter("nodex_outbox_failures_total", "Batches that were not acknowledged in time.",
                 read(agent.ship_failures));
    page.gauge("nodex_outbox_depth", "Settlements not yet applied by the ledger.",
               read(agent.outbox_depth));
    page.gauge("nodex_replication_lag_seconds",
               "Age of the oldest settlement that the ledger has not applied; 0: there is none.",
               read(agent.lag_ms) / 1e3);
}

// Amounts are sums over accounts, whatever their currencies.
void add_leases(Page& page, const replication::AgentStats& agent) {
    page.counter("nodex_lease_requests_total", "Lease refills and heartbeats.",
                 read(agent.lease_requests));
    page.counter("nodex_lease_asks_total", "Requests that had to wait for the centre's money.",
                 read(agent.lease_asks));
    page.gauge("nodex_leases", "Accounts' leases that were granted something or spent it.",
               read(agent.leases));
    page.gauge("nodex_lease_granted_nano", "Granted to the leases that are open here.",
               read(agent.lease_granted));
    page.gauge("nodex_lease_settled_nano", "Spent of them.", read(agent.lease_settled));
    page.gauge("nodex_lease_headroom_nano",
               "Money of customers that may still be spent here without asking the centre.",
               read(agent.lease_headroom));
}

void add_centre(Page& page, const MetricsSources& sources) {
    const replication::AgentStats& agent = *sources.agent;
    page.counter("nodex_claim_requests_total", "Messages to the centre about keys.",
                 read(agent.claim_requests));
    page.gauge("nodex_central_round_trip_seconds", "To the centre and back, smoothed.",
               read(agent.round_trip_ns) / 1e9);
    const Nanoseconds contact = agent.last_contact_ns.load(std::memory_order_relaxed);
    page.gauge("nodex_central_contact_age_seconds", "Since the centre last answered; -1: never.",
               contact == 0 ? -1 : static_cast<double>(sources.clock->now_ns() - contact) / 1e9);
    page.gauge("nodex_epoch", "Of the ledger that this POP is registered with; 0: not yet.",
               read(agent.epoch));
    page.counter("nodex_epoch_changes_total",
                 "Restored ledgers that this POP went over to while it ran.",
                 read(agent.epoch_changes));
}

void add_bodies(Page& page, const replication::AgentStats& agent) {
    page.counter("nodex_bodies_destroyed_total",
                 "Requests whose bodies' keys were destroyed by order of an operator.",
                 read(agent.bodies_erased));
}

void add_peers(Page& page, const replication::AgentStats& agent) {
    page.gauge("nodex_peers", "Other POPs that the centre told of.", read(agent.peers));
    page.counter("nodex_remote_reads_total", "Reads of other POPs' answers.",
                 read(agent.remote_reads));
    page.counter("nodex_remote_reads_of_copies_total",
                 "Of these, asked of copies because the owner could not be reached.",
                 read(agent.remote_reads_of_copies));
    page.counter("nodex_remote_reads_failed_total", "Of these, answered by nobody.",
                 read(agent.remote_reads_failed));
    page.counter("nodex_peer_reads_served_total", "Reads of this POP's answers and copies.",
                 read(agent.reads_served));
    page.counter("nodex_copies_finished_total", "Answers that are whole at this POP's buddy.",
                 read(agent.copies_finished));
    page.counter("nodex_copies_dropped_total",
                 "Answers that are not copied: too many at once, or refused by the buddy.",
                 read(agent.copies_dropped));
    page.gauge("nodex_copies_lag_bytes", "Logged here and not yet at the buddy.",
               read(agent.copies_lag_bytes));
    page.gauge("nodex_copies_kept_bytes", "Sealed chunks kept here for other POPs.",
               read(agent.copies_kept_bytes));
    page.counter("nodex_stream_waits_copied_total",
                 "Waits of streams for the buddy (durability.stream) that ended with its word.",
                 read(agent.copy_waits_copied));
    page.counter("nodex_stream_waits_alone_total",
                 "Those that ended without: events went to clients before they were at the buddy.",
                 read(agent.copy_waits_alone));
    page.gauge("nodex_stream_waits_behind",
               "1: the buddy was late, or there is none, and no stream waits for it.",
               read(agent.copy_waits_behind));
    page.counter("nodex_copy_messages_dropped_total",
                 "Copies that came faster than they were written; their senders go back.",
                 read(agent.copy_messages_dropped));
    page.counter("nodex_peer_messages_refused_total",
                 "Messages of other POPs with a wrong MAC, sender or type.",
                 read(agent.peer_messages_refused));
}

// Repeats of clients that ran no second model. Summed by what became of them, because one alert and
// one panel look at all of them; each has its own counter too.
void add_duplicates(Page& page, const Gateways& gateways) {
    using gateway::Metrics;
    static constexpr std::pair<const char*, gateway::Counter Metrics::*> ways[] = {
        {"replayed", &Metrics::replays},
        {"joined", &Metrics::joins},
        {"joined_elsewhere", &Metrics::joins_elsewhere},
        {"given_up", &Metrics::claims_lost}};
    auto family = page.family("nodex_duplicates_absorbed_total",
                              "Repeats of a request that were not charged again, by how.",
                              Page::Kind::counter);
    for (const auto& [way, counter] : ways) family.add(sum(gateways, counter), {{"how", way}});
}

}  // namespace

std::string metrics_text(const MetricsSources& sources) {
    Page page;
    add_requests(page, sources.gateways);
    add_stages(page, sources.gateways);
    add_loops(page, sources);
    add_endpoints(page, sources);
    add_duplicates(page, sources.gateways);
    add_commits(page, *sources.commits);
    add_outbox(page, *sources.agent);
    add_leases(page, *sources.agent);
    add_centre(page, sources);
    if (sources.link) metrics::add_link(page, sources.link());
    add_peers(page, *sources.agent);
    add_bodies(page, *sources.agent);
    page.counter("nodex_log_dropped_total", "Log lines lost because the queue was full.",
                 static_cast<double>(log::dropped_count()));
    return page.text();
}

}  // namespace nodex::core
