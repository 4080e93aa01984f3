// Ledger: recomputes every balance from the rows, follows the chain, and (in tests after every
// step) adds up the leases behind what is held. Numbers I1 to I3 are those of
// replication/README.md, Invariants.
#include <map>

#include "replication/central/ledger.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Row;

namespace {

void problem(LedgerAudit& audit, std::string text) {
    if (audit.first_problem.empty()) audit.first_problem = std::move(text);
}

// What the rows alone say.
struct Books {
    std::map<AccountId, Wide> balances;
    std::map<AccountId, Wide> charged;
    std::map<ledger::Currency, Wide> sums;
    ChainHash chain;
};

void enter(Books& books, const Row& row) {
    books.balances[row.debit] -= row.amount;
    books.balances[row.credit] += row.amount;
    if (row.kind == ledger::RowKind::charge) books.charged[row.debit] += row.amount;
}

void compare(LedgerAudit& audit, Books& books, const ledger::Account& account) {
    ++audit.accounts;
    books.sums[account.currency] += account.posted;
    const bool equal = books.balances[account.id] == account.posted;
    const bool spent_equal =
        ledger::is_house(account.id) || books.charged[account.id] == account.spent;
    books.balances.erase(account.id);
    if (equal && spent_equal) return;
    ++audit.differences;
    problem(audit, "account " + std::to_string(raw(account.id)) + " differs from its rows");
}

}  // namespace

Result<LedgerAudit> Ledger::verify(LedgerTransaction& transaction) {
    LedgerAudit audit;
    Books books;
    Status scanned = transaction.scan(LedgerTable::row, {}, {}, [&](Bytes key, Bytes value) {
        Row row;
        if (!ledger::decode(value, row) || key != ledger::row_key(row.index) ||
            row.index != audit.rows + 1) {
            problem(audit, "row after " + std::to_string(audit.rows) + " is missing or unreadable");
            return false;
        }
        ++audit.rows;
        books.chain = next_chain(books.chain, value);
        enter(books, row);
        return true;
    });
    if (!scanned) return scanned.error();
    scanned = transaction.scan(LedgerTable::account, {}, {}, [&](Bytes, Bytes value) {
        ledger::Account account;
        if (!ledger::decode(value, account)) {
            problem(audit, "an account is unreadable");
            return false;
        }
        compare(audit, books, account);
        return true;
    });
    if (!scanned) return scanned.error();
    for (const auto& [account, balance] : books.balances)
        if (balance != 0)
            problem(audit,
                    "rows name account " + std::to_string(raw(account)) + ", which does not exist");
    audit.sums_to_zero = true;
    for (const auto& [currency, sum] : books.sums)
        audit.sums_to_zero = audit.sums_to_zero && sum == 0;
    if (!audit.sums_to_zero) problem(audit, "the accounts of a currency do not sum to zero");
    const Result<ledger::Head> stored = load_head(transaction);
    if (!stored) return stored.error();
    audit.chain_matches = stored->rows == audit.rows && stored->row_chain == books.chain;
    if (!audit.chain_matches)
        problem(audit, "the chain over the rows does not end where it should");
    return audit;
}

Result<LedgerAudit> Ledger::verify() {
    return run_verb(store_, LedgerAccess::read,
                    [this](LedgerTransaction& transaction) { return verify(transaction); });
}

Result<LedgerAudit> Ledger::check_invariants() {
    return run_verb(store_, LedgerAccess::read, [this](LedgerTransaction& transaction) {
        return check_invariants(transaction);
    });
}

Result<LedgerAudit> Ledger::check_invariants(LedgerTransaction& transaction) {
    Result<LedgerAudit> audit = verify(transaction);
    if (!audit) return audit;
    std::map<LeaseKey, Wide> held;
    Status scanned = transaction.scan(LedgerTable::lease, {}, {}, [&](Bytes key, Bytes value) {
        ledger::Lease lease;
        if (!ledger::decode(value, lease) || key.size() != 15) {
            problem(*audit, "a lease is unreadable");
            return false;
        }
        const LeaseKey scope{static_cast<LeaseKey::Kind>(key[0]), read_ordered64(key.substr(1))};
        for (const ledger::Lease::Generation& generation : lease.generations) {
            if (generation.settled + generation.returned > generation.granted)
                problem(*audit,
                        "I4: a lease of scope " + std::to_string(scope.id) + " is overspent");
            held[scope] += generation.held();
        }
        return true;
    });
    if (!scanned) return scanned.error();
    scanned = transaction.scan(LedgerTable::account, {}, {}, [&](Bytes, Bytes value) {
        ledger::Account account;
        if (!ledger::decode(value, account) || ledger::is_house(account.id)) return true;
        const LeaseKey scope{LeaseKey::Kind::account, raw(account.id)};
        if (held[scope] != account.held)
            problem(*audit, "held of account " + std::to_string(scope.id) + " is not its leases");
        if (account.held < 0 || account.held > account.posted)
            problem(*audit, "I1: account " + std::to_string(scope.id) + " holds more than it has");
        return true;
    });
    if (!scanned) return scanned.error();
    scanned = transaction.scan(LedgerTable::key, "k", "l", [&](Bytes, Bytes value) {
        ledger::Key key;
        if (!ledger::decode(value, key)) return true;
        const LeaseKey scope{LeaseKey::Kind::key, raw(key.id)};
        if (held[scope] != key.held)
            problem(*audit, "held of key " + std::to_string(scope.id) + " is not its leases");
        if (key.held < 0 || (key.has_budget && key.budget_spent + key.held > key.budget))
            problem(*audit, "I1: key " + std::to_string(scope.id) + " is over its budget");
        return true;
    });
    if (!scanned) return scanned.error();
    return audit;
}

}  // namespace nodex::replication
