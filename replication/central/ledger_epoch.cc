// Ledger: what a restore from a backup changes: the epoch, and how POPs come back that were
// registered with the ledger that was lost.
#include <algorithm>

#include "edge/base/clock.h"
#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "replication/central/ledger_holder.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Lease;
using ledger::Restoration;

namespace {

// Body keys, which are numbered from their epoch up, have 32 bits.
constexpr std::uint64_t epoch_max = UINT32_MAX / 2;

}  // namespace

// Above every number of a body key too: none is ahead of the time, but an epoch's first.
Result<std::uint64_t> Ledger::raise_epoch(std::int64_t now_ms, std::uint64_t above) {
    if (above >= epoch_max) return Error{ErrorCode::overflow, ErrorSource::client};
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<std::uint64_t> {
        Result<ledger::Head> head = load_head(transaction);
        if (!head) return head.error();
        const auto now_s = static_cast<std::uint64_t>(std::max<std::int64_t>(now_ms, 0)) / 1'000;
        head->epoch = std::max({head->epoch, now_s, above}) + 1;
        save_head(transaction, *head);
        if (bug_ != PlantedBug::silence_while_away)
            if (const Status heard = hear_everyone(transaction, now_ms); !heard)
                return heard.error();
        return head->epoch;
    });
}

// The backup tells when a POP spoke last as of its own time: nobody is dead by that.
Status Ledger::hear_everyone(LedgerTransaction& transaction, std::int64_t now_ms) {
    std::vector<std::string> places;
    const Status scanned =
        transaction.scan(LedgerTable::mark, "n", "o", [&](Bytes key, Bytes value) {
            const auto incarnation = ByteReader(value).integer<std::uint32_t>();
            places.push_back(
                ledger::mark_key(ledger::pop_of_newest_incarnation_key(key), incarnation));
            return true;
        });
    if (!scanned) return scanned;
    for (const std::string& place : places) {
        const auto mark = transaction.find<ledger::Mark>(LedgerTable::mark, place);
        if (!mark) return mark.error();
        if (!*mark) continue;  // it never got its first registration through
        ledger::Mark heard = **mark;
        heard.contact_ms = now_ms;
        transaction.put(LedgerTable::mark, place, ledger::encode(heard));
    }
    return {};
}

// Registered again in the same epoch: its reply was lost, and the outbox may have grown by requests
// of before. Not after their time.
Status Ledger::note_restoration(LedgerTransaction& transaction, PopId pop,
                                std::uint32_t incarnation, std::uint64_t epoch,
                                std::uint64_t outbox_last, std::int64_t now_ms) {
    const std::string place = ledger::restoration_key(pop, incarnation);
    const Result<std::optional<Restoration>> noted =
        transaction.find<Restoration>(LedgerTable::mark, place);
    if (!noted) return noted.error();
    Restoration restoration{epoch, outbox_last, now_ms + limits::request_deadline / millisecond};
    if (*noted && (*noted)->epoch == epoch) {
        if (now_ms > (*noted)->until_ms) return {};
        restoration.until_ms = (*noted)->until_ms;
    }
    transaction.put(LedgerTable::mark, place, ledger::encode(restoration));
    return {};
}

Result<std::optional<Restoration>> Ledger::restoration(LedgerTransaction& transaction, PopId pop,
                                                       std::uint32_t incarnation) {
    Result<ledger::Head> head = load_head(transaction);
    if (!head) return head.error();
    if (head->epoch == 1) return std::optional<Restoration>{};  // never restored: nothing to read
    return transaction.find<Restoration>(LedgerTable::mark,
                                         ledger::restoration_key(pop, incarnation));
}

// What was held goes back: the POP spends nothing under it any more, and what ran under it is
// settled from what is free.
Status Ledger::follow_generation(LedgerTransaction& transaction, Lease& lease, Holder& holder,
                                 std::uint32_t number) {
    Lease::Generation& last = lease.generations.back();
    const Nano left = last.held();
    if (left > 0) {
        if (const Status held = change_held(transaction, holder, -left); !held) return held;
        (holder.account ? holder.account->held : holder.key->held) -= left;
        holder.free += left;
    }
    last.late_left = left;
    last.open = false;
    if (lease.generations.size() == Lease::generations_max)
        lease.generations.erase(lease.generations.begin());
    Lease::Generation next;
    next.number = number;
    lease.generations.push_back(next);
    return {};
}

}  // namespace nodex::replication
