// Merges the cores' counters and writes them through prometheus-cpp's serializer.
#include "edge/core/metrics_page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>
#include <memory>

#include "edge/base/log.h"

namespace nodex::core {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

class Page {
  public:
    void counter(const char* name, const char* help, double value) {
        add(family(name, help, MetricType::Counter), value, {});
    }
    void gauge(const char* name, const char* help, double value) {
        add(family(name, help, MetricType::Gauge), value, {});
    }

    MetricFamily& family(const char* name, const char* help, MetricType type) {
        families_.push_back({name, help, type, {}});
        return families_.back();
    }
    static void add(MetricFamily& family, double value, std::vector<ClientMetric::Label> labels) {
        ClientMetric metric;
        metric.label = std::move(labels);
        if (family.type == MetricType::Counter)
            metric.counter.value = value;
        else
            metric.gauge.value = value;
        family.metric.push_back(std::move(metric));
    }
    // Seconds, with the usual latency buckets from 10 µs to 60 s.
    static void add_histogram(MetricFamily& family, const Histogram& histogram,
                              std::vector<ClientMetric::Label> labels) {
        static constexpr std::int64_t bounds_us[] = {
            10,      25,        50,        100,       250,        500,       1'000,
            2'500,   5'000,     10'000,    25'000,    50'000,     100'000,   250'000,
            500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 60'000'000};
        ClientMetric metric;
        metric.label = std::move(labels);
        metric.histogram.sample_count = histogram.count();
        metric.histogram.sample_sum = static_cast<double>(histogram.sum()) / 1e9;
        for (const std::int64_t bound : bounds_us)
            metric.histogram.bucket.push_back(
                {histogram.count_at_most(static_cast<std::uint64_t>(bound) * 1'000),
                 static_cast<double>(bound) / 1e6});
        metric.histogram.bucket.push_back(
            {histogram.count(), std::numeric_limits<double>::infinity()});
        family.metric.push_back(std::move(metric));
    }
    [[nodiscard]] std::string text() const {
        return prometheus::TextSerializer().Serialize(families_);
    }

  private:
    std::vector<MetricFamily> families_;
};

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
    auto& family =
        page.family("nodex_claims_total", "The centre's words on keys.", MetricType::Counter);
    for (const auto& [word, counter] : words)
        Page::add(family, sum(gateways, counter), {{"word", word}});
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
    auto& errors =
        page.family("nodex_errors_total", "Errors told to clients, by code.", MetricType::Counter);
    for (std::size_t code = 0; code < static_cast<std::size_t>(api::Code::count); ++code) {
        std::uint64_t total = 0;
        for (const auto* metrics : gateways) total += metrics->errors[code].get();
        if (total > 0)
            Page::add(errors, static_cast<double>(total),
                      {{"code", api::name(static_cast<api::Code>(code))}});
    }
    auto& statuses =
        page.family("nodex_responses_total", "Responses by class of status.", MetricType::Counter);
    for (std::size_t hundreds = 1; hundreds <= 5; ++hundreds) {
        std::uint64_t total = 0;
        for (const auto* metrics : gateways) total += metrics->status_class[hundreds].get();
        Page::add(statuses, static_cast<double>(total),
                  {{"class", std::to_string(hundreds) + "xx"}});
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
    auto& family = page.family("nodex_stage_seconds", "Time of a request in each stage.",
                               MetricType::Histogram);
    for (const auto& [name, stage] : stages) {
        const auto merged = std::make_unique<Histogram>();
        for (const auto* metrics : gateways) merged->merge(metrics->*stage);
        Page::add_histogram(family, *merged, {{"stage", name}});
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
        auto& family = page.family(name, "See edge/io/loop.h, LoopStats.", MetricType::Counter);
        for (std::size_t core = 0; core < sources.loops.size(); ++core)
            Page::add(family,
                      static_cast<double>(
                          (sources.loops[core]->*counter).load(std::memory_order_relaxed)),
                      {{"core", std::to_string(core)}});
    }
    auto& connections =
        page.family("nodex_connections", "Client connections open.", MetricType::Gauge);
    const auto counts = sources.connections();
    for (std::size_t core = 0; core < counts.size(); ++core)
        Page::add(connections, counts[core], {{"core", std::to_string(core)}});
}

void add_endpoints(Page& page, const MetricsSources& sources) {
    auto& healthy = page.family("nodex_provider_healthy",
                                "1 when the endpoint is in use by this core.", MetricType::Gauge);
    auto& open = page.family("nodex_provider_connections", "Provider connections by state.",
                             MetricType::Gauge);
    auto& requests =
        page.family("nodex_provider_requests_total", "Calls by endpoint.", MetricType::Counter);
    auto& failures = page.family("nodex_provider_failures_total", "Failed calls by endpoint.",
                                 MetricType::Counter);
    const auto cores = sources.endpoints();
    for (std::size_t core = 0; core < cores.size(); ++core) {
        for (const upstream::EndpointStatus& endpoint : cores[core]) {
            const std::vector<ClientMetric::Label> labels = {{"provider", endpoint.name},
                                                             {"core", std::to_string(core)}};
            Page::add(healthy, endpoint.ejected ? 0 : 1, labels);
            Page::add(requests, static_cast<double>(endpoint.requests), labels);
            Page::add(failures, static_cast<double>(endpoint.failures), labels);
            auto with_state = labels;
            with_state.push_back({"state", "open"});
            Page::add(open, endpoint.connections_open, with_state);
            with_state.back().value = "idle";
            Page::add(open, endpoint.connections_idle, with_state);
        }
    }
}

void add_storage(Page& page, const MetricsSources& sources) {
    const auto read = [](const std::atomic<std::uint64_t>& value) {
        return static_cast<double>(value.load(std::memory_order_relaxed));
    };
    page.counter("nodex_commit_batches_total", "Group commits.", read(sources.commits->batches));
    page.counter("nodex_commit_operations_total", "Operations in group commits.",
                 read(sources.commits->operations));
    page.counter("nodex_commit_bytes_total", "Bytes in group commits.",
                 read(sources.commits->bytes));
    page.counter("nodex_commit_failures_total",
                 "Failed writes: the node refuses paid requests after the first.",
                 read(sources.commits->failures));
    auto& commit = page.family("nodex_commit_seconds", "One group commit, fsync included.",
                               MetricType::Histogram);
    Page::add_histogram(commit, sources.commits->batch_ns, {});
    page.counter("nodex_outbox_shipped_total", "Settlements sent to the centre.",
                 read(sources.agent->shipped_records));
    page.counter("nodex_outbox_applied_total", "Settlements the ledger has applied.",
                 read(sources.agent->applied_records));
    page.counter("nodex_outbox_failures_total", "Batches that were not acknowledged in time.",
                 read(sources.agent->ship_failures));
    page.gauge("nodex_outbox_depth", "Settlements not yet applied by the ledger.",
               read(sources.agent->outbox_depth));
    page.counter("nodex_lease_requests_total", "Lease refills and heartbeats.",
                 read(sources.agent->lease_requests));
    page.counter("nodex_lease_asks_total", "Requests that had to wait for the centre's money.",
                 read(sources.agent->lease_asks));
    page.gauge("nodex_lease_headroom_nano",
               "Money of customers that may still be spent here without asking the centre.",
               static_cast<double>(
                   sources.agent->lease_headroom.load(std::memory_order_relaxed)));
    page.counter("nodex_claim_requests_total", "Messages to the centre about keys.",
                 read(sources.agent->claim_requests));
    page.gauge(
        "nodex_central_round_trip_seconds", "To the centre and back, smoothed.",
        static_cast<double>(sources.agent->round_trip_ns.load(std::memory_order_relaxed)) / 1e9);
    page.gauge("nodex_peers", "Other POPs that the centre told of.", read(sources.agent->peers));
    page.counter("nodex_remote_reads_total", "Reads of other POPs' answers.",
                 read(sources.agent->remote_reads));
    page.counter("nodex_remote_reads_of_copies_total",
                 "Of these, asked of copies because the owner could not be reached.",
                 read(sources.agent->remote_reads_of_copies));
    page.counter("nodex_remote_reads_failed_total", "Of these, answered by nobody.",
                 read(sources.agent->remote_reads_failed));
    page.counter("nodex_peer_reads_served_total", "Reads of this POP's answers and copies.",
                 read(sources.agent->reads_served));
    page.counter("nodex_copies_finished_total", "Answers that are whole at this POP's buddy.",
                 read(sources.agent->copies_finished));
    page.counter("nodex_copies_dropped_total",
                 "Answers that are not copied: too many at once, or refused by the buddy.",
                 read(sources.agent->copies_dropped));
    page.gauge("nodex_copies_lag_bytes", "Logged here and not yet at the buddy.",
               read(sources.agent->copies_lag_bytes));
    page.gauge("nodex_copies_kept_bytes", "Sealed chunks kept here for other POPs.",
               read(sources.agent->copies_kept_bytes));
    page.counter("nodex_copy_messages_dropped_total",
                 "Copies that came faster than they were written; their senders go back.",
                 read(sources.agent->copy_messages_dropped));
    page.counter("nodex_peer_messages_refused_total",
                 "Messages of other POPs with a wrong MAC, sender or type.",
                 read(sources.agent->peer_messages_refused));
    const Nanoseconds contact = sources.agent->last_contact_ns.load(std::memory_order_relaxed);
    page.gauge("nodex_central_contact_age_seconds", "Since the centre last answered; -1: never.",
               contact == 0 ? -1 : static_cast<double>(sources.clock->now_ns() - contact) / 1e9);
    page.counter("nodex_log_dropped_total", "Log lines lost because the queue was full.",
                 static_cast<double>(log::dropped_count()));
}

}  // namespace

std::string metrics_text(const MetricsSources& sources) {
    Page page;
    add_requests(page, sources.gateways);
    add_stages(page, sources.gateways);
    add_loops(page, sources);
    add_endpoints(page, sources);
    add_storage(page, sources);
    return page.text();
}

MetricsHandler::MetricsHandler(MetricsSources sources, std::function<bool()> ready)
    : sources_(std::move(sources)), ready_(std::move(ready)) {}

std::uint64_t MetricsHandler::request_head(ServerConnection& connection,
                                           const http::RequestHead& head) noexcept {
    if (head.path == "/metrics")
        connection.respond(200, "content-type: text/plain; version=0.0.4; charset=utf-8\r\n",
                           metrics_text(sources_));
    else if (head.path == "/healthz")
        connection.respond(200, "content-type: application/json\r\n", "{\"status\":\"ok\"}");
    else if (head.path == "/readyz")
        connection.respond(ready_() ? 200 : 503, "content-type: application/json\r\n",
                           ready_() ? "{\"status\":\"ready\"}" : "{\"status\":\"not ready\"}");
    else
        connection.respond(404, "content-type: text/plain\r\n",
                           "GET /metrics, /healthz or /readyz\n");
    return 0;
}

void MetricsHandler::request_refused(ServerConnection& connection, http::Refusal refusal) noexcept {
    connection.respond(http::status_of(refusal), "content-type: text/plain\r\n",
                       "not a valid HTTP/1.1 request\n");
}

}  // namespace nodex::core
