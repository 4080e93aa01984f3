// Ledger: the uses of an idempotency key (replication/README.md, "Uses of a key"). Every use is
// charged once. An execution is of a new use when the centre knows that it began after the time of
// the charged use's answer; what nobody can tell is a duplicate, and the house's.
#include <algorithm>

#include "edge/base/limits.h"
#include "replication/central/ledger.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Charge;
using ledger::Claim;

namespace {

constexpr std::int64_t lateness_ms = limits::message_lateness_max / millisecond;
constexpr std::int64_t kept_min_ms = limits::idempotency_ttl_min / millisecond;
constexpr std::int64_t kept_max_ms = limits::idempotency_ttl_max / millisecond;

// What a POP's clock and ours may have drifted apart meanwhile (0.1 % each way).
constexpr std::int64_t drift_over(std::int64_t duration_ms) noexcept {
    return duration_ms / 500;
}

}  // namespace

void Ledger::was_away(std::int64_t from_ms, std::int64_t to_ms) noexcept {
    if (to_ms - from_ms < lateness_ms) return;
    const bool again = from_ms - back_ms_ < lateness_ms;  // what waited then may wait still
    away_from_ms_ = again ? std::min(away_from_ms_, from_ms) : from_ms;
    back_ms_ = to_ms;
}

std::int64_t Ledger::sent_after_ms(std::int64_t now_ms) const noexcept {
    return now_ms - back_ms_ < lateness_ms ? std::min(away_from_ms_, now_ms) : now_ms;
}

// By the POP's own clock until it sent the record, by ours since.
Ledger::ExecutionTimes Ledger::times_of(const ShipRequest& request, std::uint64_t sequence,
                                        const storage::Settlement& settlement,
                                        std::int64_t now_ms) const noexcept {
    ExecutionTimes times{0, now_ms};
    const Wide begin_age = Wide{request.sent_ms} - settlement.created_ms;
    const Wide end_age = Wide{request.sent_ms} - settlement.settled_ms;
    const bool steady = request.sent_ms != 0 && sequence >= request.steady_from;
    if (!steady || end_age < 0 || begin_age < end_age || begin_age > now_ms / 2) return times;
    const auto began_ago_ms = static_cast<std::int64_t>(begin_age);
    const auto ended_ago_ms = static_cast<std::int64_t>(end_age);
    times.began_ms = sent_after_ms(now_ms) - began_ago_ms - drift_over(began_ago_ms);
    times.ended_ms = now_ms - ended_ago_ms + drift_over(ended_ago_ms);
    return times;
}

// Whatever the POP says, the next charge of the key is an hour away.
std::int64_t Ledger::answered_until(const storage::Settlement& settlement,
                                    const ExecutionTimes& times, std::int64_t now_ms) noexcept {
    if (settlement.idempotency.is_zero() || settlement.sealed_answer.expires_ms == 0) return 0;
    const Wide told = Wide{settlement.sealed_answer.expires_ms} - settlement.settled_ms;
    const auto kept_ms =
        static_cast<std::int64_t>(std::clamp<Wide>(told, kept_min_ms, kept_max_ms));
    return std::max(times.ended_ms + kept_ms, now_ms + kept_min_ms);
}

Result<bool> Ledger::is_new_use(LedgerTransaction& transaction, PopId pop,
                                const storage::Settlement& settlement, const Charge& earlier,
                                const ExecutionTimes& times, std::int64_t now_ms) {
    std::int64_t until_ms = earlier.until_ms;
    if (until_ms == 0) {  // nobody told how long: the longest there is
        const auto row =
            transaction.find<ledger::Row>(LedgerTable::row, ledger::row_key(earlier.row));
        if (!row) return row.error();
        if (!*row) return false;
        until_ms = (*row)->time_ms + kept_max_ms;
    }
    if (bug_ == PlantedBug::new_use_by_arrival) return now_ms >= until_ms;
    if (times.began_ms >= until_ms) return true;
    const auto claim = transaction.find<Claim>(
        LedgerTable::claim, ledger::claim_key(settlement.account, settlement.idempotency));
    if (!claim) return claim.error();
    return *claim && (*claim)->state == ledger::ClaimState::held && (*claim)->owner == pop &&
           (*claim)->request == settlement.request_id && (*claim)->created_ms >= until_ms;
}

Result<Ledger::Use> Ledger::use_of(LedgerTransaction& transaction, PopId pop,
                                   const storage::Settlement& settlement, const std::string& place,
                                   const ExecutionTimes& times, std::int64_t now_ms) {
    const Result<std::optional<Charge>> earlier =
        transaction.find<Charge>(LedgerTable::charge, place);
    if (!earlier) return earlier.error();
    if (!*earlier || bug_ == PlantedBug::no_key_dedup) return Use::charged;
    if ((*earlier)->request == settlement.request_id) return Use::repeated;
    // Charged for a use before the last one?
    const Result<std::optional<Charge>> before = transaction.find<Charge>(
        LedgerTable::charge, ledger::charge_key(settlement.account, settlement.request_id));
    if (!before) return before.error();
    if (*before) return Use::repeated;
    const Result<bool> is_new = is_new_use(transaction, pop, settlement, **earlier, times, now_ms);
    if (!is_new) return is_new.error();
    if (!*is_new) return Use::duplicate;
    // The key's place is the new charge's; the earlier one is found by its request from now on.
    transaction.put(LedgerTable::charge,
                    ledger::charge_key(settlement.account, (*earlier)->request),
                    ledger::encode(**earlier));
    return Use::charged;
}

}  // namespace nodex::replication
