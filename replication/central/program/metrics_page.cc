// Writes a centre's counters.
#include "replication/central/program/metrics_page.h"

#include <algorithm>

#include "edge/base/log.h"
#include "edge/metrics/link_page.h"

namespace nodex::central {
namespace {

using metrics::Labels;
using metrics::Page;
using replication::CentralStats;
using replication::ClaimResult;
using replication::Ledger;

double read(const CentralStats::Counter& counter) noexcept {
    return static_cast<double>(counter.load(std::memory_order_relaxed));
}

const char* name(ClaimResult result) noexcept {
    switch (result) {
        case ClaimResult::granted: return "granted";
        case ClaimResult::held: return "held";
        case ClaimResult::done: return "done";
        case ClaimResult::mismatch: return "mismatch";
        case ClaimResult::free: return "free";
        case ClaimResult::refused: return "refused";
    }
    return "";
}

void add_settlements(Page& page, const CentralStats& stats) {
    page.counter("nodex_central_batches_total", "Batches of settlements answered.",
                 read(stats.batches));
    page.counter("nodex_central_settlements_total", "Settlements charged to customers.",
                 read(stats.charges));
    auto absorbed = page.family("nodex_central_duplicates_absorbed_total",
                                "What was told or run twice and not charged again: records that "
                                "POPs sent again, executions that were in the ledger already, and "
                                "second executions of a key, which the house pays.",
                                Page::Kind::counter);
    absorbed.add(read(stats.repeated_records), {{"what", "record"}});
    absorbed.add(read(stats.repeated_executions), {{"what", "execution"}});
    absorbed.add(read(stats.duplicates), {{"what", "second_run"}});
    auto house = page.family("nodex_central_house_rows_total",
                             "Costs that the house bears, by why; the ledger has the amounts.",
                             Page::Kind::counter);
    house.add(read(stats.duplicates), {{"why", "second_run"}});
    house.add(read(stats.late_losses), {{"why", "late_loss"}});
    house.add(read(stats.overruns), {{"why", "overrun"}});
    page.counter("nodex_central_settlements_rejected_total",
                 "Records that could not be applied: a POP's outbox stands there.",
                 read(stats.rejected));
}

void add_service(Page& page, const CentralStats& stats) {
    auto seconds = page.family("nodex_central_verb_seconds",
                               "Time of a request at the centre, the store's commit included.",
                               Page::Kind::histogram);
    for (std::size_t verb = 0; verb < CentralStats::verbs_count; ++verb)
        seconds.add(stats.verb_ns[verb],
                    {{"verb", CentralStats::name(static_cast<CentralStats::Verb>(verb))}});
    auto refused = page.family("nodex_central_refused_total", "Messages that were not answered.",
                               Page::Kind::counter);
    for (std::size_t reason = 0; reason < CentralStats::refusals_count; ++reason)
        refused.add(read(stats.refused[reason]),
                    {{"reason", CentralStats::name(static_cast<CentralStats::Refusal>(reason))}});
    page.counter("nodex_central_unanswered_total",
                 "Requests while the store could not be reached; POPs ask again.",
                 read(stats.unanswered));
    auto claims = page.family("nodex_central_claims_total", "Words on idempotency keys.",
                              Page::Kind::counter);
    for (std::size_t result = 0; result < stats.claims.size(); ++result)
        claims.add(read(stats.claims[result]), {{"word", name(static_cast<ClaimResult>(result))}});
    page.counter("nodex_central_leases_reclaimed_total",
                 "Leases of POPs that were away for their term and the longest request.",
                 read(stats.leases_reclaimed));
    page.gauge("nodex_central_epoch", "Of the ledger.", read(stats.epoch));
    page.counter("nodex_central_epoch_changes_total",
                 "Times that the ledger's epoch was raised while this process ran.",
                 read(stats.epoch_changes));
    page.gauge("nodex_central_feed_version", "Of accounts, keys and models.",
               read(stats.feed_version));
}

// As the ledger knows them, so that every process of a centre tells the same.
void add_pops(Page& page, const CentralStats& stats, std::int64_t now_ms) {
    std::int64_t at_ms = 0;
    const std::vector<Ledger::PopView> pops = stats.pops(at_ms);
    auto heard = page.family("nodex_central_pop_heard_seconds", "Since the POP was heard of.",
                             Page::Kind::gauge);
    auto lag = page.family("nodex_central_pop_lag_seconds",
                           "Age of its oldest settlement that is not applied, as it told last; "
                           "while it is not heard of that grows.",
                           Page::Kind::gauge);
    auto depth = page.family("nodex_central_pop_outbox_depth",
                             "Its settlements that are not applied, as far as it has told.",
                             Page::Kind::gauge);
    auto outstanding = page.family("nodex_central_pop_lease_outstanding_nano",
                                   "Granted to it and neither spent nor given back, as it told.",
                                   Page::Kind::gauge);
    auto incarnation = page.family("nodex_central_pop_incarnation",
                                   "Its newest: one more for each disk.", Page::Kind::gauge);
    const auto seconds = [now_ms](std::int64_t then_ms) {
        return static_cast<double>(std::max<std::int64_t>(now_ms - then_ms, 0)) / 1e3;
    };
    for (const Ledger::PopView& pop : pops) {
        const Labels labels = {{"pop", std::to_string(raw(pop.pop))}};
        heard.add(seconds(pop.mark.contact_ms), labels);
        incarnation.add(pop.incarnation, labels);
        if (!pop.report) continue;
        const replication::PopReport& report = *pop.report;
        const std::uint64_t applied = std::max(pop.mark.applied, report.outbox_applied);
        const std::uint64_t waiting = report.outbox_last - std::min(report.outbox_last, applied);
        depth.add(static_cast<double>(waiting), labels);
        lag.add(
            waiting == 0 ? 0 : static_cast<double>(report.lag_ms) / 1e3 + seconds(pop.reported_ms),
            labels);
        outstanding.add(static_cast<double>(report.granted - report.settled), labels);
    }
}

}  // namespace

std::string metrics_text(const CentralStats& stats, const replication::LinkCounters& link,
                         Clock& clock) {
    Page page;
    add_settlements(page, stats);
    add_service(page, stats);
    add_pops(page, stats, clock.wall_ms());
    metrics::add_link(page, link);
    page.counter("nodex_log_dropped_total", "Log lines lost because the queue was full.",
                 static_cast<double>(log::dropped_count()));
    return page.text();
}

}  // namespace nodex::central
