// Queries: the POPs as the ledger knows them.
#include "edge/base/limits.h"
#include "replication/central/queries.h"

namespace nodex::replication {
namespace {

std::int64_t since_s(std::int64_t then_ms, std::int64_t now_ms) noexcept {
    return std::max<std::int64_t>(now_ms - then_ms, 0) / 1'000;
}

// What the POP itself told last; the outbox's depth is counted from the ledger's own mark, which is
// newer.
void write_report(const Ledger::PopView& view, std::int64_t now_ms, JsonWriter& result) {
    const PopReport& report = *view.report;
    const std::uint64_t applied = std::max(view.mark.applied, report.outbox_applied);
    const std::uint64_t depth = report.outbox_last - std::min(report.outbox_last, applied);
    result.string("name", report.name);
    result.string("version", report.version);
    result.integer("epoch", static_cast<std::int64_t>(view.epoch));
    result.integer("reported_s", since_s(view.reported_ms, now_ms));
    result.integer("uptime_s", report.uptime_s);
    result.integer("lag_ms", depth == 0 ? 0 : static_cast<std::int64_t>(report.lag_ms));
    result.integer("outbox_depth", static_cast<std::int64_t>(depth));
    result.integer("leases", report.leases_count);
    result.amount("granted", report.granted);
    result.amount("settled", report.settled);
    result.amount("headroom", report.headroom);
    result.integer("claims_asked", static_cast<std::int64_t>(report.claims_asked));
    result.integer("copies_kept_bytes", static_cast<std::int64_t>(report.copies_kept_bytes));
    result.integer("copies_lag_bytes", static_cast<std::int64_t>(report.copies_lag_bytes));
}

}  // namespace

CommandResult Queries::pop_list(const JsonObject& args, std::int64_t now_ms, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"after"})) return unknown;
    std::int64_t after = 0;
    if (args.kind("after") != JsonObject::Kind::absent) {
        const std::optional<std::int64_t> given = args.integer("after");
        if (!given || *given < 0 || *given > UINT16_MAX)
            return bad_argument("after", "a POP's number");
        after = *given;
    }
    Result<std::vector<Ledger::PopView>> pops =
        ledger_.pops(static_cast<PopId>(after), limits::pops_shown_max + 1);
    if (!pops) return refusal(pops.error());
    const Result<ledger::Head> head = ledger_.head();
    if (!head) return refusal(head.error());
    const bool more = pops->size() > limits::pops_shown_max;
    if (more) pops->pop_back();
    result.open_array("pops");
    for (const Ledger::PopView& view : *pops) {
        result.open_object();
        result.integer("pop", raw(view.pop));
        result.integer("incarnation", view.incarnation);
        result.integer("heard_s", since_s(view.mark.contact_ms, now_ms));
        result.integer("applied", static_cast<std::int64_t>(view.mark.applied));
        if (view.report) write_report(view, now_ms, result);
        result.close_object();
    }
    result.close_array();
    result.integer("epoch", static_cast<std::int64_t>(head->epoch));
    result.integer("feed_version", static_cast<std::int64_t>(head->feed_version));
    result.boolean("has_more", more);
    return std::nullopt;
}

}  // namespace nodex::replication
