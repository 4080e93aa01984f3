// Ledger: what is known of each POP, for operators: when it was heard of, how far its outbox is
// applied, and what it told of itself last.
#include "edge/base/limits.h"
#include "replication/central/ledger.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {
namespace {

// 'n' pop u16, of ledger_records.h.
std::optional<PopId> pop_of(Bytes key) noexcept {
    if (key.size() != 1 + sizeof(PopId)) return std::nullopt;
    const auto octet = [&](std::size_t at) { return static_cast<unsigned char>(key[at]); };
    return static_cast<PopId>(octet(1) << 8 | octet(2));
}

}  // namespace

Result<ReportReply> Ledger::report(PopId pop, std::uint32_t incarnation, std::uint64_t epoch,
                                   const PopReport& report, std::int64_t now_ms) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<ReportReply> {
        if (const Status heard = heard_of(transaction, pop, incarnation, now_ms); !heard)
            return heard.error();
        const ledger::PopState state{now_ms, epoch, encode(report)};
        transaction.put(LedgerTable::mark, ledger::pop_state_key(pop), ledger::encode(state));
        if (const Status noted = note_erased(transaction, pop, report.erased); !noted)
            return noted.error();
        Result<std::vector<ReportReply::Erasure>> orders = orders_for(transaction, pop, now_ms);
        if (!orders) return orders.error();
        return ReportReply{std::move(*orders)};
    });
}

Result<std::vector<Ledger::PopView>> Ledger::pops(PopId after, unsigned count_max) {
    std::vector<PopView> views;
    bool sound = true;
    LedgerTransaction glance(store_, LedgerAccess::read);
    const std::string from = ledger::newest_incarnation_key(after) + '\0';
    const Status scanned = glance.scan(LedgerTable::mark, from, "o", [&](Bytes key, Bytes value) {
        const std::optional<PopId> pop = pop_of(key);
        ByteReader reader(value);
        PopView view;
        view.incarnation = reader.integer<std::uint32_t>();
        sound = pop.has_value() && reader.finished();
        if (!sound || views.size() == count_max) return false;
        view.pop = *pop;
        views.push_back(std::move(view));
        return true;
    });
    if (!scanned) return scanned.error();
    if (!sound) return corrupt();
    for (PopView& view : views) {
        const auto mark = glance.find<ledger::Mark>(LedgerTable::mark,
                                                    ledger::mark_key(view.pop, view.incarnation));
        if (!mark) return mark.error();
        if (*mark) view.mark = **mark;
        const auto state =
            glance.find<ledger::PopState>(LedgerTable::mark, ledger::pop_state_key(view.pop));
        if (!state) return state.error();
        if (!*state) continue;  // it has never reported
        const Result<PopReport> report = decode_pop_report((*state)->report);
        if (!report) return corrupt();
        view.reported_ms = (*state)->reported_ms;
        view.epoch = (*state)->epoch;
        view.report = *report;
    }
    if (const Status ended = glance.commit(); !ended) return ended.error();
    return views;
}

}  // namespace nodex::replication
