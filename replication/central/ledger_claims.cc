// Ledger: claims, so that an idempotency key runs once across POPs (replication/README.md, States).
//
//     free --acquire--> held(owner, attempt 1) --charge of the key--> done(owner) --expires--> free
//     held --acquire of the owning POP--> held(its new request, attempt + 1): its journal decides
//     held --takeover, owner dead, attempt as expected--> held(asker, attempt + 1)
//     held --release by its own request--> free
//
// Money depends on it in one way only: a grant shows that its request began when the key was free
// (ledger_uses.cc).
#include <algorithm>

#include "edge/base/limits.h"
#include "replication/central/ledger.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_round.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Claim;
using ledger::ClaimState;

namespace {

// The note of a POP's last word may be this old although it speaks all the time.
constexpr std::int64_t dead_after_ms =
    (limits::pop_silence_max + limits::pop_contact_interval) / millisecond;

ClaimReply::Entry told(const Claim& claim, ClaimResult result, std::int64_t now_ms) {
    ClaimReply::Entry entry;
    entry.result = result;
    entry.attempt = claim.attempt;
    entry.owner = claim.owner;
    entry.incarnation = claim.incarnation;
    entry.request = claim.request;
    entry.answer = claim.answer;
    entry.status = claim.status;
    entry.charged = claim.charged;
    entry.age_ms = static_cast<std::uint32_t>(
        std::clamp<std::int64_t>(now_ms - claim.created_ms, 0, UINT32_MAX));
    return entry;
}

bool same_request(const Claim& claim, PopId pop, const RequestId& request) noexcept {
    return claim.owner == pop && claim.request == request;
}

// What a request's answers are made from, but for the marks of the keys' owners.
std::vector<LedgerPlace> places_of(const ClaimRequest& request, PopId pop,
                                   std::uint32_t incarnation) {
    std::vector<LedgerPlace> places;
    places.reserve(3 * request.entries.size() + 2);
    places.push_back({LedgerTable::mark, ledger::newest_incarnation_key(pop)});
    places.push_back({LedgerTable::mark, ledger::mark_key(pop, incarnation)});
    for (const ClaimRequest::Entry& entry : request.entries) {
        places.push_back({LedgerTable::account, ledger::account_key(entry.account)});
        places.push_back({LedgerTable::claim, ledger::claim_key(entry.account, entry.idempotency)});
        places.push_back(
            {LedgerTable::charge, ledger::charge_key(entry.account, entry.idempotency)});
    }
    return places;
}

bool differs(const Claim& claim, const Fingerprint& fingerprint) noexcept {
    return !claim.fingerprint.is_zero() && claim.fingerprint != fingerprint;
}

}  // namespace

Status Ledger::heard_of(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                        std::int64_t now_ms) {
    const std::string place = ledger::mark_key(pop, incarnation);
    const auto mark = transaction.find<ledger::Mark>(LedgerTable::mark, place);
    if (!mark) return mark.error();
    if (!*mark) return refused(ErrorCode::stale);
    const Result<bool> newest = speaks(transaction, pop, incarnation);
    if (!newest) return newest.error();
    if (!*newest) return refused(ErrorCode::stale);
    const std::int64_t age_ms = now_ms - (*mark)->contact_ms;
    if (age_ms >= 0 && age_ms < limits::pop_contact_interval / millisecond) return {};
    ledger::Mark heard = **mark;
    heard.contact_ms = now_ms;
    transaction.put(LedgerTable::mark, place, ledger::encode(heard));
    return {};
}

// Whoever speaks under an incarnation has heard its number: his disk is the one that is in place,
// and those with lower numbers are gone.
Result<bool> Ledger::speaks(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation) {
    const std::string place = ledger::newest_incarnation_key(pop);
    const Result<std::optional<std::string>> newest = transaction.get(LedgerTable::mark, place);
    if (!newest) return newest.error();
    if (!*newest) return false;
    const auto number = ByteReader(**newest).integer<std::uint32_t>();
    if (incarnation <= number) return incarnation == number;
    std::string value;
    ByteWriter(value).integer(incarnation);
    transaction.put(LedgerTable::mark, place, value);
    return true;
}

// A POP whose disk was replaced has a newer incarnation: what the old one ran is gone. A contact
// that lies ahead was noted before the clock was set back: it tells nothing.
Result<bool> Ledger::is_dead(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                             std::int64_t now_ms) {
    if (bug_ == PlantedBug::takeover_of_the_living) return true;
    const Result<std::optional<std::string>> newest =
        transaction.get(LedgerTable::mark, ledger::newest_incarnation_key(pop));
    if (!newest) return newest.error();
    if (!*newest || ByteReader(**newest).integer<std::uint32_t>() != incarnation) return true;
    const auto mark =
        transaction.find<ledger::Mark>(LedgerTable::mark, ledger::mark_key(pop, incarnation));
    if (!mark) return mark.error();
    if (!*mark) return true;
    const bool ahead = (*mark)->contact_ms > now_ms + dead_after_ms;
    const std::int64_t heard_ms = ahead ? 0 : (*mark)->contact_ms;
    const std::int64_t from_ms = bug_ == PlantedBug::silence_while_away ? 0 : listens_from_ms_;
    return now_ms - std::max(heard_ms, from_ms) >= dead_after_ms;
}

// An execution that never got a claim (its POP was cut off) shows in its charge. That is kept for
// good; its key is taken for as long as its answer is kept.
Result<std::optional<Claim>> Ledger::standing_claim(LedgerTransaction& transaction,
                                                    const ClaimRequest::Entry& entry,
                                                    std::uint32_t ttl_ms, std::int64_t now_ms) {
    Result<std::optional<Claim>> found = transaction.find<Claim>(
        LedgerTable::claim, ledger::claim_key(entry.account, entry.idempotency));
    if (!found) return found.error();
    const std::int64_t sent_ms = sent_after_ms(now_ms);  // the key must have been free then
    if (*found && (*found)->expires_ms > sent_ms) return found;
    const auto charge = transaction.find<ledger::Charge>(
        LedgerTable::charge, ledger::charge_key(entry.account, entry.idempotency));
    if (!charge) return charge.error();
    if (!*charge) return std::optional<Claim>{};
    const auto row =
        transaction.find<ledger::Row>(LedgerTable::row, ledger::row_key((*charge)->row));
    if (!row) return row.error();
    if (!*row) return std::optional<Claim>{};
    const std::int64_t until_ms =
        (*charge)->until_ms != 0 ? (*charge)->until_ms : (*row)->time_ms + ttl_ms;
    if (until_ms <= sent_ms) return std::optional<Claim>{};
    Claim claim;
    claim.state = ClaimState::done;
    claim.owner = (*row)->pop;
    claim.request = (*charge)->request;
    claim.status = (*row)->status;
    claim.charged = (*charge)->amount;
    claim.created_ms = (*row)->time_ms;
    return std::optional<Claim>(claim);
}

Result<ClaimReply::Entry> Ledger::claim_entry(LedgerTransaction& transaction, PopId pop,
                                              std::uint32_t incarnation,
                                              const ClaimRequest::Entry& entry,
                                              const ClaimRequest& message, std::int64_t now_ms) {
    const Result<ledger::Account> account = load_account(transaction, entry.account);
    if (!account && account.error().code != ErrorCode::not_found) return account.error();
    if (!account || ledger::is_house(entry.account)) return ClaimReply::Entry{};
    // A key is taken for a request of one's own only, also by whoever takes it over.
    const bool takes = entry.op == ClaimOp::acquire || entry.op == ClaimOp::takeover;
    if (takes && ledger::pop_of(entry.request) != pop) return ClaimReply::Entry{};
    const Result<std::optional<Claim>> standing =
        standing_claim(transaction, entry, message.ttl_ms, now_ms);
    if (!standing) return standing.error();
    const std::optional<Claim>& claim = *standing;
    const std::string place = ledger::claim_key(entry.account, entry.idempotency);
    const bool held = claim && claim->state == ClaimState::held;

    if (entry.op == ClaimOp::release) {
        const bool owns = held && (same_request(*claim, pop, entry.request) ||
                                   bug_ == PlantedBug::release_any_claim);
        if (claim && !owns) return told(*claim, ClaimResult::refused, now_ms);
        if (claim) transaction.erase(LedgerTable::claim, place);
        return told(Claim{}, ClaimResult::free, now_ms);
    }
    bool may_take = !claim || (held && claim->owner == pop);
    bool dead = false;
    if (held && claim->owner != pop) {
        const Result<bool> is_dead =
            Ledger::is_dead(transaction, claim->owner, claim->incarnation, now_ms);
        if (!is_dead) return is_dead.error();
        dead = *is_dead;
        if (entry.op == ClaimOp::takeover)
            may_take = dead && entry.expect_attempt == claim->attempt;
        if (bug_ == PlantedBug::grant_held_claims) may_take = true;
    }
    if (entry.op == ClaimOp::query && !claim) return told(Claim{}, ClaimResult::free, now_ms);
    // Only the owning POP may go on under the key with another body: it knows that the first was
    // released.
    const bool own = claim && claim->owner == pop;
    if (claim && !own && differs(*claim, entry.fingerprint))
        return told(*claim, ClaimResult::mismatch, now_ms);
    if (entry.op == ClaimOp::query || !may_take) {
        ClaimReply::Entry reply =
            told(*claim, held ? ClaimResult::held : ClaimResult::done, now_ms);
        reply.owner_dead = dead;
        return reply;
    }
    // Asked again, or a late copy of what the POP asked before its present request.
    if (held && own && (claim->request == entry.request || message.number < claim->number))
        return told(*claim, ClaimResult::granted, now_ms);
    Claim next;
    next.fingerprint = entry.fingerprint;
    if (claim)
        next.attempt =
            static_cast<std::uint16_t>(std::min<unsigned>(claim->attempt + 1u, UINT16_MAX));
    next.owner = pop;
    next.incarnation = incarnation;
    next.request = entry.request;
    next.number = message.number;
    next.ttl_ms = message.ttl_ms;
    next.created_ms = now_ms;
    next.expires_ms = now_ms + message.ttl_ms;
    transaction.put(LedgerTable::claim, place, ledger::encode(next));
    return told(next, ClaimResult::granted, now_ms);
}

Result<ClaimReply> Ledger::claim(PopId pop, std::uint32_t incarnation, const ClaimRequest& request,
                                 std::int64_t now_ms) {
    NX_ASSERT(request.entries.size() <= limits::claim_entries_max);
    NX_ASSERT(request.ttl_ms <= limits::idempotency_ttl_max / millisecond);
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<ClaimReply> {
        if (const Status read = transaction.prefetch(places_of(request, pop, incarnation)); !read)
            return read.error();
        if (const Status heard = heard_of(transaction, pop, incarnation, now_ms); !heard)
            return heard.error();
        ClaimReply reply;
        reply.entries.reserve(request.entries.size());
        for (const ClaimRequest::Entry& entry : request.entries) {
            Result<ClaimReply::Entry> answered =
                claim_entry(transaction, pop, incarnation, entry, request, now_ms);
            if (!answered) return answered.error();
            reply.entries.push_back(*answered);
        }
        return reply;
    });
}

// The first settlement of a key makes its claim done, whichever request held it. Without a claim
// there is nothing to end: standing_claim() finds the charge.
Status Ledger::finish_claim(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                            const storage::Settlement& settlement, Nano charged,
                            std::int64_t until_ms, std::int64_t now_ms) {
    if (settlement.idempotency.is_zero()) return {};
    const std::string place = ledger::claim_key(settlement.account, settlement.idempotency);
    const Result<std::optional<Claim>> found = transaction.find<Claim>(LedgerTable::claim, place);
    if (!found) return found.error();
    if (!*found || (*found)->state == ClaimState::done) return {};
    Claim claim = **found;
    if (!same_request(claim, pop, settlement.request_id)) claim.fingerprint = {};
    claim.state = ClaimState::done;
    claim.owner = pop;
    claim.incarnation = incarnation;
    claim.request = settlement.request_id;
    claim.answer = settlement.answer;
    claim.status = settlement.status;
    claim.charged = charged;
    claim.expires_ms = until_ms != 0 ? until_ms : now_ms + claim.ttl_ms;
    transaction.put(LedgerTable::claim, place, ledger::encode(claim));
    return {};
}

Result<unsigned> Ledger::sweep_claims(std::int64_t now_ms, unsigned claims_max) {
    const Result<std::vector<std::string>> expired =
        look_on(store_, {LedgerTable::claim, {}, {}}, claims_max, sweep_from_,
                [now_ms](Bytes, Bytes value) {
                    Claim claim;
                    return ledger::decode(value, claim) && claim.expires_ms <= now_ms;
                });
    if (!expired) return expired.error();
    if (expired->empty()) return 0u;
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<unsigned> {
        unsigned count = 0;
        for (const std::string& key : *expired) {
            // Another process of the centre may have granted the key meanwhile.
            const Result<std::optional<Claim>> found =
                transaction.find<Claim>(LedgerTable::claim, key);
            if (!found) return found.error();
            if (!*found || (*found)->expires_ms > now_ms) continue;
            transaction.erase(LedgerTable::claim, key);
            ++count;
        }
        return count;
    });
}

}  // namespace nodex::replication
