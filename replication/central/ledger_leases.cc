// Ledger: registration of POPs, and leases (replication/README.md, States). Counters in requests
// and replies are totals, so a repeated, late or reordered message changes nothing.
#include <algorithm>

#include "edge/base/limits.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_holder.h"
#include "replication/central/ledger_round.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Lease;

namespace {

// What clocks may drift apart (0.1 % each way) and what scheduling may cost, on top of what a POP
// is told.
constexpr std::int64_t slack_ms = 1'000;
constexpr std::int64_t with_drift(std::int64_t duration_ms) noexcept {
    return duration_ms + duration_ms / 500 + slack_ms;
}
constexpr std::int64_t request_deadline_ms = limits::request_deadline / millisecond;
// A background refill takes at most this share of what is free, so that one POP does not strand a
// balance.
constexpr Nano refill_share = 10;

// What the POP may count from its own sending: never beyond what is stored here.
std::uint32_t ttl_for_pop(std::int64_t expires_ms, std::int64_t now_ms,
                          std::int64_t term_ms) noexcept {
    const std::int64_t left = expires_ms - now_ms - slack_ms;
    if (left <= 0) return 0;
    return static_cast<std::uint32_t>(std::min(left - left / 500, term_ms));
}

LedgerPlace holder_place(const LeaseKey& scope) {
    if (scope.kind == LeaseKey::Kind::account)
        return {LedgerTable::account, ledger::account_key(static_cast<AccountId>(scope.id))};
    return {LedgerTable::key, ledger::key_key(static_cast<KeyId>(scope.id))};
}

// Everything that a lease request reads.
std::vector<LedgerPlace> places_of(const LeaseRequest& request, PopId pop,
                                   std::uint32_t incarnation) {
    std::vector<LedgerPlace> places;
    places.reserve(2 * request.entries.size() + 3);
    places.push_back({LedgerTable::meta, ledger::head_key()});
    places.push_back({LedgerTable::mark, ledger::newest_incarnation_key(pop)});
    places.push_back({LedgerTable::mark, ledger::mark_key(pop, incarnation)});
    for (const LeaseRequest::Entry& entry : request.entries) {
        places.push_back(holder_place(entry.scope));
        places.push_back({LedgerTable::lease, ledger::lease_key(entry.scope, pop, incarnation)});
    }
    return places;
}

// Where both count from the same beginning they must agree; beyond the mark the POP may be ahead,
// by what it has not shipped, or by what a ledger has lost that was restored to before, if the POP
// still has that (the row at the mark too, for its chain).
bool has_another_history(const RegisterRequest& request, const ledger::Mark& mark,
                         bool restored) noexcept {
    const bool kept = request.outbox_kept <= std::max<std::uint64_t>(mark.applied, 1);
    const bool lost_here = request.outbox_applied > mark.applied;
    if (request.outbox_last < mark.applied || (lost_here && !(restored && kept))) return true;
    return (mark.applied == request.outbox_last && mark.chain != request.chain_at_last) ||
           (mark.applied == request.outbox_applied && mark.chain != request.chain_at_applied);
}

Lease::Generation& current(Lease& lease) {
    const bool needs_new = lease.generations.empty() || !lease.generations.back().open;
    if (needs_new) {
        Lease::Generation next;
        next.number = lease.generations.empty() ? 1 : lease.generations.back().number + 1;
        if (lease.generations.size() == Lease::generations_max)
            lease.generations.erase(lease.generations.begin());
        lease.generations.push_back(next);
    }
    return lease.generations.back();
}

}  // namespace

Result<Ledger::Holder> Ledger::load_holder(LedgerTransaction& transaction, const LeaseKey& scope,
                                           std::int64_t now_ms) {
    Holder holder;
    if (scope.kind == LeaseKey::Kind::account) {
        Result<ledger::Account> account =
            load_account(transaction, static_cast<AccountId>(scope.id));
        if (!account) return account.error();
        if (ledger::is_house(account->id)) return refused(ErrorCode::not_found);
        holder.may_grow = account->state == AccountState::active;
        holder.free = account->free();
        holder.account = std::move(*account);
        return holder;
    }
    Result<ledger::Key> key = load_key(transaction, static_cast<KeyId>(scope.id));
    if (!key) return key.error();
    const std::int64_t index = ledger::period_index(key->period, now_ms);
    if (index > key->period_index) {
        key->period_index = index;
        key->budget_spent = 0;
    }
    const bool expired = key->expires_ms != 0 && key->expires_ms <= now_ms;
    holder.may_grow = key->has_budget && key->state == KeyState::active && !expired;
    holder.free = key->has_budget ? key->free() : 0;
    holder.key = std::move(*key);
    return holder;
}

Status Ledger::change_held(LedgerTransaction& transaction, const Holder& holder, Nano delta) {
    if (holder.account) {
        ledger::Account account = *holder.account;
        account.held += delta;
        return save_account(transaction, account);
    }
    ledger::Key key = *holder.key;
    key.held += delta;
    return save_key(transaction, key);
}

// Above every number that was given, also to an install that never spoke.
Result<std::uint32_t> Ledger::next_incarnation(LedgerTransaction& transaction, PopId pop,
                                               const std::optional<std::string>& newest) {
    const std::string place = ledger::last_incarnation_key(pop);
    const Result<std::optional<std::string>> last = transaction.get(LedgerTable::mark, place);
    if (!last) return last.error();
    const std::optional<std::string>& from = *last ? *last : newest;  // of before there was a last
    const std::uint32_t step = bug_ == PlantedBug::reuse_incarnation ? 0 : 1;
    const std::uint32_t number = from ? ByteReader(*from).integer<std::uint32_t>() + step : 1;
    std::string value;
    ByteWriter(value).integer(number);
    transaction.put(LedgerTable::mark, place, value);
    return number;
}

Result<RegisterReply> Ledger::register_pop(PopId pop, const RegisterRequest& request,
                                           std::int64_t now_ms) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<RegisterReply> {
        const std::string install_key = ledger::KeyBuilder()
                                            .letter('i')
                                            .number(raw(pop))
                                            .raw_bytes(request.install.view())
                                            .bytes;
        const std::string newest_key = ledger::newest_incarnation_key(pop);
        Result<std::optional<std::string>> known = transaction.get(LedgerTable::mark, install_key);
        if (!known) return known.error();
        Result<std::optional<std::string>> newest = transaction.get(LedgerTable::mark, newest_key);
        if (!newest) return newest.error();
        RegisterReply reply;
        // The install id, not the request, makes an incarnation: a repeated registration finds its
        // first. One that another install has followed is a disk of before, put back. That follows
        // with its first word (speaks()), not here: a registration of a disk that is gone may come
        // later than its successor's.
        bool was_replaced = false;
        if (*known) {
            reply.incarnation = ByteReader(**known).integer<std::uint32_t>();
            was_replaced =
                *newest && ByteReader(**newest).integer<std::uint32_t>() > reply.incarnation;
        } else {
            const Result<std::uint32_t> number = next_incarnation(transaction, pop, *newest);
            if (!number) return number.error();
            reply.incarnation = *number;
            std::string value;
            ByteWriter(value).integer(reply.incarnation);
            transaction.put(LedgerTable::mark, install_key, value);
            if (!*newest) transaction.put(LedgerTable::mark, newest_key, value);
        }
        const std::string place = ledger::mark_key(pop, reply.incarnation);
        Result<std::optional<ledger::Mark>> found =
            transaction.find<ledger::Mark>(LedgerTable::mark, place);
        if (!found) return found.error();
        ledger::Mark mark = *found ? **found : ledger::Mark{};
        Result<ledger::Head> head = load_head(transaction);
        if (!head) return head.error();
        reply.restored = request.epoch_max != 0 && request.epoch_max < head->epoch;
        const bool other_disk = was_replaced || has_another_history(request, mark, reply.restored);
        if (other_disk && bug_ != PlantedBug::trust_any_disk) {
            reply.verdict = RegisterVerdict::must_reinstall;
        } else {
            mark.contact_ms = now_ms;
            transaction.put(LedgerTable::mark, place, ledger::encode(mark));
            if (reply.restored)
                if (const Status noted = note_restoration(transaction, pop, reply.incarnation,
                                                          head->epoch, request.outbox_last, now_ms);
                    !noted)
                    return noted.error();
        }
        reply.applied = mark.applied;
        reply.chain = mark.chain;
        reply.lease_ttl_ms = static_cast<std::uint32_t>(lease_term_ms_);
        reply.feed_version = head->feed_version;
        return reply;
    });
}

Result<LeaseReply> Ledger::lease(PopId pop, std::uint32_t incarnation, const LeaseRequest& request,
                                 std::int64_t now_ms) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<LeaseReply> {
        if (const Status read = transaction.prefetch(places_of(request, pop, incarnation)); !read)
            return read.error();
        if (const Status heard = heard_of(transaction, pop, incarnation, now_ms); !heard)
            return heard.error();
        Result<ledger::Head> head = load_head(transaction);
        if (!head) return head.error();
        LeaseReply reply;
        reply.sent_ns = request.sent_ns;
        reply.feed_version = head->feed_version;
        for (const LeaseRequest::Entry& entry : request.entries) {
            Result<LeaseReply::Entry> granted =
                lease_entry(transaction, pop, incarnation, entry, request.ask, now_ms);
            if (!granted && granted.error().code == ErrorCode::not_found)
                continue;  // never existed: no answer
            if (!granted) return granted.error();
            reply.entries.push_back(*granted);
        }
        return reply;
    });
}

Result<LeaseReply::Entry> Ledger::lease_entry(LedgerTransaction& transaction, PopId pop,
                                              std::uint32_t incarnation,
                                              const LeaseRequest::Entry& entry, bool ask,
                                              std::int64_t now_ms) {
    Result<Holder> holder = load_holder(transaction, entry.scope, now_ms);
    if (!holder) return holder.error();
    const std::string place = ledger::lease_key(entry.scope, pop, incarnation);
    Result<std::optional<Lease>> found = transaction.find<Lease>(LedgerTable::lease, place);
    if (!found) return found.error();
    Lease lease = *found ? std::move(**found) : Lease{};
    if (entry.generation > current(lease).number) {
        const Result<std::optional<ledger::Restoration>> back =
            restoration(transaction, pop, incarnation);
        if (!back) return back.error();
        if (*back)
            if (const Status followed =
                    follow_generation(transaction, lease, *holder, entry.generation);
                !followed)
                return followed.error();
    }
    Lease::Generation& generation = current(lease);
    const Lease::Generation before = *found ? generation : Lease::Generation{};
    // Totals of another generation say nothing about this one: the reply names it and the POP asks
    // anew.
    const bool same = entry.generation == generation.number;
    if (same && entry.returned > generation.returned) {
        const Nano unspent = generation.granted - generation.settled;
        generation.returned = std::max(generation.returned, std::min(entry.returned, unspent));
    }
    const Nano given_back = generation.returned - before.returned;
    const Nano free = holder->free + given_back;
    Nano wanted = 0;
    if (same || entry.generation == 0)
        wanted = std::max<Nano>(0, entry.want_total - generation.granted);
    const Nano cap = std::max<Nano>(0, ask ? free : free / refill_share);
    const Nano grant = holder->may_grow ? std::min(wanted, cap) : 0;
    const Result<Nano> granted = add_nano(generation.granted, grant);
    if (!granted) return granted.error();
    generation.granted = *granted;
    // Written when a tenth of the term is gone, not at every heartbeat.
    const std::int64_t term_ms = with_drift(lease_term_ms_);
    if (generation.expires_ms - now_ms < term_ms - term_ms / 10)
        generation.expires_ms = now_ms + term_ms;
    if (grant != given_back) {
        if (const Status held = change_held(transaction, *holder, grant - given_back); !held)
            return held.error();
    }
    std::string record = ledger::encode(lease);
    Result<std::optional<std::string>> stored = transaction.get(LedgerTable::lease, place);
    if (!stored) return stored.error();
    if (!*stored || **stored != record)
        transaction.put(LedgerTable::lease, place, std::move(record));
    LeaseReply::Entry reply;
    reply.scope = entry.scope;
    reply.generation = generation.number;
    reply.granted_total = generation.granted;
    reply.returned_total = generation.returned;
    reply.ttl_ms = ttl_for_pop(generation.expires_ms, now_ms, lease_term_ms_);
    if (!holder->may_grow)
        reply.state = LeaseState::blocked;
    else if (ask && grant < wanted)
        reply.state = LeaseState::exhausted;
    return reply;
}

// When no request that was held under it can still run.
std::int64_t Ledger::closes_after_ms(const Lease::Generation& generation) const noexcept {
    if (bug_ == PlantedBug::early_reclaim) return generation.expires_ms - lease_term_ms_ / 2;
    if (bug_ == PlantedBug::no_reclaim) return INT64_MAX;
    return generation.expires_ms + with_drift(request_deadline_ms);
}

Status Ledger::close_lease(const std::string& key, std::int64_t now_ms, bool& closed) {
    closed = false;
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Status {
        Result<std::optional<Lease>> found = transaction.find<Lease>(LedgerTable::lease, key);
        if (!found) return found.error();
        if (!*found || (*found)->generations.empty()) return {};
        Lease lease = std::move(**found);
        Lease::Generation& generation = lease.generations.back();
        const Nano left = generation.held();
        if (left <= 0 || now_ms <= closes_after_ms(generation)) return {};
        ByteReader reader(key);
        LeaseKey scope;
        scope.kind = reader.enumerator(LeaseKey::Kind::key);
        scope.id = read_ordered64(reader.rest());
        Result<Holder> holder = load_holder(transaction, scope, now_ms);
        if (!holder) return holder.error();
        generation.open = false;
        generation.late_left = left;
        transaction.put(LedgerTable::lease, key, ledger::encode(lease));
        if (const Status held = change_held(transaction, *holder, -left); !held) return held;
        closed = true;
        return {};
    });
}

Result<unsigned> Ledger::reclaim(std::int64_t now_ms, unsigned scopes_max) {
    const auto is_over = [&](Bytes, Bytes value) {
        Lease lease;
        if (!ledger::decode(value, lease) || lease.generations.empty()) return false;
        const Lease::Generation& generation = lease.generations.back();
        return generation.held() > 0 && now_ms > closes_after_ms(generation);
    };
    const Result<std::vector<std::string>> expired =
        look_on(store_, {LedgerTable::lease, {}, {}}, scopes_max, reclaim_from_, is_over);
    if (!expired) return expired.error();
    unsigned count = 0;
    for (const std::string& key : *expired) {
        bool closed = false;
        if (const Status status = close_lease(key, now_ms, closed); !status) return status.error();
        if (closed) ++count;
    }
    return count;
}

}  // namespace nodex::replication
