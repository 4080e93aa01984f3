// Ledger: shipped settlements (replication/README.md, Shipping), the only place where a customer is charged.
// Strictly the next sequence number of one (POP, incarnation), on the chain it has, and at most one
// charge a business request (ledger_uses.cc).
#include <algorithm>
#include <span>

#include "edge/base/limits.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_holder.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::House;
using ledger::Lease;
using ledger::Row;
using ledger::RowKind;

namespace {

// One charge per business request: by its idempotency key, and by its own id where it came without
// one.
std::string charge_place(const storage::Settlement& settlement) {
    if (settlement.idempotency.is_zero())
        return ledger::charge_key(settlement.account, settlement.request_id);
    return ledger::charge_key(settlement.account, settlement.idempotency);
}

Row row_of(const storage::Settlement& settlement, PopId pop, std::int64_t now_ms) {
    Row row;
    row.time_ms = now_ms;
    row.customer = settlement.account;
    row.key = settlement.key;
    row.request = settlement.request_id;
    row.pop = pop;
    row.model = settlement.model;
    row.price_version = settlement.reservation.price_version;
    row.units = settlement.units;
    row.usage_source = settlement.usage_source;
    row.outcome = settlement.outcome;
    row.status = settlement.status;
    row.created_ms = settlement.created_ms;
    return row;
}

// What a batch reads, but for the house's accounts, whose currency only the customer's row tells. A
// record that cannot be read names nothing; apply_records() refuses it.
std::vector<LedgerPlace> places_of(std::span<const Result<storage::Settlement>> settlements,
                                   PopId pop, std::uint32_t incarnation) {
    std::vector<LedgerPlace> places;
    places.reserve(2 + 6 * settlements.size());
    places.push_back({LedgerTable::mark, ledger::mark_key(pop, incarnation)});
    places.push_back({LedgerTable::meta, ledger::head_key()});
    for (const Result<storage::Settlement>& settlement : settlements) {
        if (!settlement) continue;
        const LeaseKey account{LeaseKey::Kind::account, raw(settlement->account)};
        places.push_back({LedgerTable::account, ledger::account_key(settlement->account)});
        places.push_back({LedgerTable::lease, ledger::lease_key(account, pop, incarnation)});
        places.push_back({LedgerTable::charge, charge_place(*settlement)});
        places.push_back({LedgerTable::key, ledger::key_key(settlement->key)});
        if (!settlement->idempotency.is_zero())
            places.push_back({LedgerTable::claim,
                              ledger::claim_key(settlement->account, settlement->idempotency)});
        if (settlement->reservation.key_generation == 0) continue;
        const LeaseKey key{LeaseKey::Kind::key, raw(settlement->key)};
        places.push_back({LedgerTable::lease, ledger::lease_key(key, pop, incarnation)});
    }
    return places;
}

RejectReason reason_of(ErrorCode code) noexcept {
    if (code == ErrorCode::not_found) return RejectReason::unknown_account;
    return code == ErrorCode::overflow ? RejectReason::overflow : RejectReason::malformed;
}

}  // namespace

struct Ledger::ShipPiece {
    const ShipRequest& request;
    std::size_t begin = 0;  // of its records
    std::span<const Result<storage::Settlement>> settlements{};  // those of the piece, decoded
    ChainHash chain_before{};
    ChainHash chain_after{};  // set when it is applied
};

// Of a request of before a restore the lease may be unknown here, or known as it was long before:
// what it does not cover the customer pays from what is free. He had agreed to it and had been
// charged for it, by the ledger that was lost.
// An open generation pays from what it holds; a closed one from what is free now, up to what it
// held when it was closed. What neither covers is the house's: a customer never pays more than was
// promised to him.
Result<Nano> Ledger::consume(LedgerTransaction& transaction, const LeaseKey& scope, PopId pop,
                             std::uint32_t incarnation, std::uint32_t number, Nano amount,
                             bool restored, std::int64_t now_ms) {
    const std::string place = ledger::lease_key(scope, pop, incarnation);
    Result<std::optional<Lease>> found = transaction.find<Lease>(LedgerTable::lease, place);
    if (!found) return found.error();
    Lease lease = *found ? std::move(**found) : Lease{};
    const auto generation =
        std::find_if(lease.generations.begin(), lease.generations.end(),
                     [&](const Lease::Generation& each) { return each.number == number; });
    const bool known = generation != lease.generations.end();
    if (!known && !restored) return Nano{0};
    Result<Holder> holder = load_holder(transaction, scope, now_ms);
    if (!holder) return holder.error();
    const Nano free = std::max<Nano>(0, holder->free);
    if (!known) return std::min(amount, free);
    Nano covered = 0;
    if (generation->open) {
        covered = std::min(amount, generation->held());
        generation->settled += covered;
        if (const Status held = change_held(transaction, *holder, -covered); !held)
            return held.error();
        if (restored) covered += std::min(amount - covered, free);
    } else if (restored) {
        generation->late_left -= std::min(amount, generation->late_left);
        covered = std::min(amount, free);
    } else {
        const Nano late = std::min(amount, generation->late_left);
        generation->late_left -= late;
        covered = std::min(late, free);
    }
    transaction.keep(LedgerTable::lease, place, lease);
    return covered;
}

Status Ledger::count_spending(LedgerTransaction& transaction, const storage::Settlement& settlement,
                              Nano charged, std::int64_t now_ms) {
    Result<ledger::Account> account = load_account(transaction, settlement.account);
    if (!account) return account.error();
    const Result<Nano> spent = add_nano(account->spent, charged);
    if (!spent) return spent.error();
    account->spent = *spent;
    if (const Status saved = save_account(transaction, *account); !saved) return saved;
    const LeaseKey scope{LeaseKey::Kind::key, raw(settlement.key)};
    Result<Holder> holder = load_holder(transaction, scope, now_ms);
    if (!holder && holder.error().code == ErrorCode::not_found) return {};
    if (!holder) return holder.error();
    ledger::Key key = std::move(*holder->key);
    // Nobody may use another customer's budget up, whatever a POP says.
    if (key.account != settlement.account) return refused(ErrorCode::malformed);
    const Result<Nano> key_spent = add_nano(key.spent, charged);
    if (!key_spent) return key_spent.error();
    key.spent = *key_spent;
    if (settlement.reservation.key_generation != 0) key.budget_spent += charged;
    return save_key(transaction, key);
}

// What a POP says that the house lost no lease bounds. A forged amount would bring revenue to the
// end of its range, and then no settlement of any other POP could be applied.
Result<Nano> Ledger::bookable_loss(LedgerTransaction& transaction, AccountId debit,
                                   AccountId credit, Nano amount) {
    if (amount == 0) return Nano{0};
    constexpr Nano losses_max = INT64_MAX / 2;  // the other half is for what customers pay
    const std::pair<AccountId, Wide> moves[] = {{debit, -Wide{amount}}, {credit, Wide{amount}}};
    for (const auto& [id, delta] : moves) {
        const auto found =
            transaction.find<ledger::Account>(LedgerTable::account, ledger::account_key(id));
        if (!found) return found.error();
        const Wide after = Wide{*found ? (*found)->posted : 0} + delta;
        if (after > losses_max || after < -Wide{losses_max}) return Nano{0};
    }
    return amount;
}

Status Ledger::charge(LedgerTransaction& transaction, Row row, const ledger::Currency& currency,
                      const Costs& costs, const std::string& place, std::int64_t until_ms) {
    row.kind = RowKind::charge;
    row.debit = row.customer;
    row.credit = ledger::house_account(House::revenue, currency);
    row.amount = costs.charged;
    const Result<std::uint64_t> index = post(transaction, row, currency);
    if (!index) return index.error();
    transaction.put(LedgerTable::charge, place,
                    ledger::encode(ledger::Charge{row.request, costs.charged, *index, until_ms}));
    const std::pair<RowKind, House> losses[] = {{RowKind::late_loss, House::late_loss},
                                                {RowKind::overrun, House::overrun}};
    for (const auto& [kind, house] : losses) {
        row.kind = kind;
        row.debit = ledger::house_account(house, currency);
        const Result<Nano> amount =
            bookable_loss(transaction, row.debit, row.credit,
                          kind == RowKind::late_loss ? costs.lost : costs.overrun);
        if (!amount) return amount.error();
        if (*amount == 0) continue;
        row.amount = *amount;
        const Result<std::uint64_t> posted = post(transaction, row, currency);
        if (!posted) return posted.error();
    }
    return {};
}

Status Ledger::book_duplicate(LedgerTransaction& transaction, Row row,
                              const ledger::Currency& currency, Nano amount) {
    row.kind = RowKind::duplicate;
    row.debit = ledger::house_account(House::duplicate, currency);
    row.credit = ledger::house_account(House::revenue, currency);
    const Result<Nano> loss = bookable_loss(transaction, row.debit, row.credit, amount);
    if (!loss) return loss.error();
    row.amount = *loss;
    const Result<std::uint64_t> index = post(transaction, std::move(row), currency);
    if (!index) return index.error();
    return {};
}

Result<Nano> Ledger::cover(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                           const storage::Settlement& settlement, Nano amount, bool restored,
                           std::int64_t now_ms) {
    const storage::Reservation& reservation = settlement.reservation;
    const LeaseKey account_scope{LeaseKey::Kind::account, raw(settlement.account)};
    const LeaseKey key_scope{LeaseKey::Kind::key, raw(settlement.key)};
    Result<Nano> covered = consume(transaction, account_scope, pop, incarnation,
                                   reservation.account_generation, amount, restored, now_ms);
    if (!covered || reservation.key_generation == 0) return covered;
    const Result<Nano> of_key = consume(transaction, key_scope, pop, incarnation,
                                        reservation.key_generation, amount, restored, now_ms);
    if (of_key) return std::min(*covered, *of_key);
    if (of_key.error().code != ErrorCode::not_found) return of_key.error();
    return covered;  // the key is gone: the account pays
}

Status Ledger::settle(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                      const storage::Settlement& settlement, const ExecutionTimes& times,
                      bool restored, std::int64_t now_ms, SettlementCounts& counts) {
    const storage::Reservation& reservation = settlement.reservation;
    if (settlement.amount < 0 || settlement.overrun < 0 || reservation.amount < 0)
        return refused(ErrorCode::malformed);
    // What another POP ran only that one may tell of: told first by a thief, for nothing, it would
    // never be charged, and its bodies would be looked for and deleted where they are not. The
    // incarnation in the id decides nothing: a POP serves before it is registered anew.
    if (ledger::pop_of(settlement.request_id) != pop) return refused(ErrorCode::malformed);
    const Result<ledger::Account> account = load_account(transaction, settlement.account);
    if (!account) return account.error();
    if (ledger::is_house(settlement.account)) return refused(ErrorCode::not_found);
    // Never more than was reserved, whatever the record says: that is what makes a budget hard.
    const Nano amount = std::min(settlement.amount, reservation.amount);
    const Result<Nano> overrun = add_nano(settlement.overrun, settlement.amount - amount);
    if (!overrun) return overrun.error();
    const Result<Nano> charged =
        cover(transaction, pop, incarnation, settlement, amount, restored, now_ms);
    if (!charged) return charged.error();
    const std::string place = charge_place(settlement);
    const Result<Use> use = use_of(transaction, pop, settlement, place, times, now_ms);
    if (!use) return use.error();
    if (*use == Use::repeated) {  // the same execution, told again
        ++counts.repeated_executions;
        return {};
    }
    Row row = row_of(settlement, pop, now_ms);
    if (*use == Use::duplicate) {
        ++counts.duplicates;
        note_reference(transaction, pop, incarnation, settlement, 0);
        return book_duplicate(transaction, std::move(row), account->currency, amount);
    }
    if (const Status counted = count_spending(transaction, settlement, *charged, now_ms); !counted)
        return counted;
    const std::int64_t until_ms = answered_until(settlement, times, now_ms);
    if (const Status posted = charge(transaction, std::move(row), account->currency,
                                     {*charged, amount - *charged, *overrun}, place, until_ms);
        !posted)
        return posted;
    note_reference(transaction, pop, incarnation, settlement, *charged);
    ++counts.charges;
    if (amount > *charged) ++counts.late_losses;
    if (*overrun > 0) ++counts.overruns;
    return finish_claim(transaction, pop, incarnation, settlement, *charged, until_ms, now_ms);
}

// Applies what follows the mark; stops at the first record that cannot be applied, keeping those
// before it.
Status Ledger::apply_records(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                             ShipPiece& piece, std::int64_t now_ms, ledger::Mark& mark,
                             ShipReply& reply, SettlementCounts& counts) {
    ChainHash& chain = piece.chain_after;
    chain = piece.chain_before;
    std::uint64_t sequence = piece.request.first_sequence + piece.begin - 1;
    const bool check = bug_ != PlantedBug::no_sequence_check;
    const Result<std::optional<ledger::Restoration>> back =
        restoration(transaction, pop, incarnation);
    if (!back) return back.error();
    for (std::size_t i = 0; i < piece.settlements.size(); ++i) {
        if (sequence == mark.applied && check && chain != mark.chain) {
            reply.rejected = sequence + 1;
            reply.reason = RejectReason::chain;
            return {};
        }
        chain = next_chain(chain, piece.request.records[piece.begin + i]);
        ++sequence;
        if (sequence <= mark.applied && check) {  // applied before: sent again
            ++counts.repeated_records;
            continue;
        }
        const std::size_t savepoint = transaction.savepoint();
        const SettlementCounts before = counts;
        const Result<storage::Settlement>& settlement = piece.settlements[i];
        const bool restored =
            *back && (sequence <= (*back)->outbox_last || now_ms <= (*back)->until_ms);
        const Status settled = settlement ? settle(transaction, pop, incarnation, *settlement,
                                                   times_of(piece.request, sequence, *settlement,
                                                            now_ms),
                                                   restored, now_ms, counts)
                                          : Status(refused(ErrorCode::malformed));
        if (!settled) {
            transaction.roll_back(savepoint);
            counts = before;
            if (settled.error().source == ErrorSource::storage) return settled;
            reply.rejected = sequence;
            reply.reason = reason_of(settled.error().code);
            return {};
        }
        mark.applied = sequence;
        mark.chain = chain;
    }
    return {};
}

Result<ShipReply> Ledger::ship_piece(PopId pop, std::uint32_t incarnation, ShipPiece& piece,
                                     std::int64_t now_ms) {
    SettlementCounts counts;
    auto shipped = run_verb(store_, [&](LedgerTransaction& transaction) -> Result<ShipReply> {
        counts = counts_;  // the verb may run again
        if (const Status read =
                transaction.prefetch(places_of(piece.settlements, pop, incarnation));
            !read)
            return read.error();
        const std::string place = ledger::mark_key(pop, incarnation);
        Result<std::optional<ledger::Mark>> found =
            transaction.find<ledger::Mark>(LedgerTable::mark, place);
        if (!found) return found.error();
        if (!*found) return refused(ErrorCode::stale);  // never registered
        ledger::Mark mark = **found;
        ShipReply reply;
        const bool gap = piece.request.first_sequence + piece.begin >
                         mark.applied + 1;  // the sender goes back to the mark
        if (!gap || bug_ == PlantedBug::no_sequence_check) {
            const std::uint64_t before = mark.applied;
            const Status applied = apply_records(transaction, pop, incarnation, piece, now_ms, mark,
                                                 reply, counts);
            if (!applied) return applied.error();
            if (mark.applied != before) {
                mark.contact_ms = now_ms;
                transaction.put(LedgerTable::mark, place, ledger::encode(mark));
                if (before == 0)  // may be the first word of its incarnation
                    if (const Result<bool> newest = speaks(transaction, pop, incarnation); !newest)
                        return newest.error();
            }
        }
        reply.applied = mark.applied;
        reply.chain = mark.chain;
        return reply;
    });
    if (shipped) counts_ = counts;
    return shipped;
}

// A piece is to the ledger what a smaller batch would be: the mark stands at its end, and whoever
// stops between two of them has applied the first. So does an error: the sender, who got no
// answer, sends all of it again.
Result<ShipReply> Ledger::ship(PopId pop, std::uint32_t incarnation, const ShipRequest& request,
                               std::int64_t now_ms) {
    NX_ASSERT(request.first_sequence > 0);
    NX_ASSERT(request.records.size() <= limits::ship_records_max);
    std::vector<Result<storage::Settlement>> settlements;
    settlements.reserve(request.records.size());
    for (const std::string& record : request.records)
        settlements.push_back(storage::decode_settlement(record));
    const std::span<const Result<storage::Settlement>> all = settlements;
    ShipPiece piece{request};
    piece.chain_before = request.chain_before;
    std::size_t records_max = pieces_.records_max;
    for (;;) {
        if (pieces_.before_each != nullptr && !pieces_.before_each()) records_max = all.size();
        const std::size_t left = all.size() - piece.begin;
        piece.settlements = all.subspan(piece.begin, std::min(left, records_max));
        Result<ShipReply> reply = ship_piece(pop, incarnation, piece, now_ms);
        const std::size_t end = piece.begin + piece.settlements.size();
        const bool stopped = !reply || reply->rejected != 0 ||
                             reply->applied + 1 < request.first_sequence + end;  // a gap
        if (stopped || end == all.size()) return reply;
        piece.begin = end;
        piece.chain_before = piece.chain_after;
    }
}

}  // namespace nodex::replication
