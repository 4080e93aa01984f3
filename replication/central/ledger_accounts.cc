// Ledger: accounts, and how money moves: top-ups, corrections, rows.
#include "replication/central/ledger.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Account;
using ledger::Currency;
using ledger::Head;
using ledger::House;
using ledger::Row;
using ledger::RowKind;

Result<Head> Ledger::load_head(LedgerTransaction& transaction) {
    Result<std::optional<Head>> head =
        transaction.find<Head>(LedgerTable::meta, ledger::head_key());
    if (!head) return head.error();
    return *head ? std::move(**head) : Head{};
}

void Ledger::save_head(LedgerTransaction& transaction, const Head& head) {
    transaction.keep(LedgerTable::meta, ledger::head_key(), head);
}

Result<Account> Ledger::load_account(LedgerTransaction& transaction, AccountId id) {
    Result<std::optional<Account>> account =
        transaction.find<Account>(LedgerTable::account, ledger::account_key(id));
    if (!account) return account.error();
    if (!*account) return refused(ErrorCode::not_found);
    return std::move(**account);
}

Status Ledger::save_account(LedgerTransaction& transaction, const Account& account) {
    NX_ASSERT(account.held >= 0);
    NX_ASSERT(ledger::is_house(account.id) || account.held <= account.posted);
    transaction.keep(LedgerTable::account, ledger::account_key(account.id), account);
    return {};
}

Status Ledger::announce(LedgerTransaction& transaction, ObjectKind kind, std::uint64_t id,
                        std::uint64_t& feed_version) {
    Result<Head> head = load_head(transaction);
    if (!head) return head.error();
    if (feed_version != 0) transaction.erase(LedgerTable::meta, ledger::feed_key(feed_version));
    feed_version = ++head->feed_version;
    std::string changed;
    ByteWriter writer(changed);
    writer.integer(kind);
    writer.integer(id);
    transaction.put(LedgerTable::meta, ledger::feed_key(feed_version), std::move(changed));
    save_head(transaction, *head);
    return {};
}

Status Ledger::save_and_announce(LedgerTransaction& transaction, Account& account) {
    if (Status told =
            announce(transaction, ObjectKind::account, raw(account.id), account.feed_version);
        !told)
        return told;
    return save_account(transaction, account);
}

Status Ledger::move(LedgerTransaction& transaction, AccountId id, const Currency& currency,
                    Nano delta, std::int64_t now_ms) {
    const std::string key = ledger::account_key(id);
    Result<std::optional<Account>> found = transaction.find<Account>(LedgerTable::account, key);
    if (!found) return found.error();
    Account account;
    if (*found) {
        account = std::move(**found);
    } else {
        if (!ledger::is_house(id)) return refused(ErrorCode::not_found);
        account.id = id;
        account.name = ledger::name(static_cast<House>((raw(id) >> 32) & 0xff));
        account.currency = currency;
        account.created_ms = now_ms;
    }
    NX_ASSERT(account.currency == currency);
    const Result<Nano> posted = add_nano(account.posted, delta);
    if (!posted) return posted.error();
    account.posted = *posted;
    account.updated_ms = now_ms;
    return save_account(transaction, account);
}

Result<std::uint64_t> Ledger::post(LedgerTransaction& transaction, Row row,
                                   const Currency& currency) {
    NX_ASSERT(row.amount >= 0);
    NX_ASSERT(row.debit != row.credit);
    if (row.amount > 0) {
        if (const Status moved = move(transaction, row.debit, currency, -row.amount, row.time_ms);
            !moved)
            return moved.error();
        if (const Status moved = move(transaction, row.credit, currency, row.amount, row.time_ms);
            !moved)
            return moved.error();
    }
    Result<Head> head = load_head(transaction);
    if (!head) return head.error();
    row.index = ++head->rows;
    row.currency = currency;
    std::string record = ledger::encode(row);
    head->row_chain = next_chain(head->row_chain, record);
    transaction.put(LedgerTable::row, ledger::row_key(row.index), std::move(record));
    const bool is_usage = row.kind == RowKind::charge || row.kind == RowKind::duplicate;
    if (is_usage)
        transaction.put(LedgerTable::usage, ledger::usage_key(row.customer, row.time_ms, row.index),
                        "");
    save_head(transaction, *head);
    return row.index;
}

Result<Account> Ledger::create_account(const std::string& account_name, const Currency& currency,
                                       std::int64_t now_ms) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Account> {
        Result<Head> head = load_head(transaction);
        if (!head) return head.error();
        Account account;
        account.id = static_cast<AccountId>(++head->accounts);
        account.name = account_name;
        account.currency = currency;
        account.created_ms = now_ms;
        account.updated_ms = now_ms;
        save_head(transaction, *head);
        if (const Status saved = save_and_announce(transaction, account); !saved)
            return saved.error();
        return account;
    });
}

// A closed account stays closed: its rows are a finished book.
Result<Account> Ledger::change_account(AccountId id, std::int64_t now_ms,
                                       const std::function<void(Account&)>& change) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Account> {
        Result<Account> account = load_account(transaction, id);
        if (!account) return account.error();
        if (ledger::is_house(id) || account->state == AccountState::closed)
            return refused(ErrorCode::forbidden);
        change(*account);
        account->updated_ms = now_ms;
        if (const Status saved = save_and_announce(transaction, *account); !saved)
            return saved.error();
        return account;
    });
}

Result<Account> Ledger::set_account_state(AccountId id, AccountState state, std::int64_t now_ms) {
    return change_account(id, now_ms, [state](Account& account) { account.state = state; });
}

Result<Account> Ledger::set_account_claims(AccountId id, ClaimMode claims, std::int64_t now_ms) {
    return change_account(id, now_ms, [claims](Account& account) { account.claims = claims; });
}

Result<Account> Ledger::shred_account(AccountId id, std::int64_t now_ms) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Account> {
        Result<Account> account = load_account(transaction, id);
        if (!account) return account.error();
        if (ledger::is_house(id)) return refused(ErrorCode::forbidden);
        if (bug_ != PlantedBug::forgotten_shreds) ++account->shreds;
        account->updated_ms = now_ms;
        if (const Status destroyed = destroy_body_keys(transaction, id); !destroyed)
            return destroyed.error();
        if (const Status saved = save_and_announce(transaction, *account); !saved)
            return saved.error();
        return account;
    });
}

Result<Ledger::TopUp> Ledger::top_up(AccountId id, Nano amount, const std::string& reference,
                                     std::int64_t now_ms) {
    if (amount <= 0 || reference.empty()) return refused(ErrorCode::malformed);
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<TopUp> {
        Result<Account> account = load_account(transaction, id);
        if (!account) return account.error();
        if (ledger::is_house(id) || account->state == AccountState::closed)
            return refused(ErrorCode::forbidden);
        const std::string place =
            ledger::KeyBuilder().letter('t').number(raw(id)).raw_bytes(reference).bytes;
        Result<std::optional<ledger::Charge>> applied =
            transaction.find<ledger::Charge>(LedgerTable::charge, place);
        if (!applied) return applied.error();
        if (*applied) {
            if ((*applied)->amount != amount) return refused(ErrorCode::already_exists);
            return TopUp{std::move(*account), false};
        }
        Row row;
        row.time_ms = now_ms;
        row.kind = RowKind::top_up;
        row.debit = ledger::house_account(House::funding, account->currency);
        row.credit = id;
        row.amount = amount;
        row.customer = id;
        row.reference = reference;
        const Result<std::uint64_t> index = post(transaction, std::move(row), account->currency);
        if (!index) return index.error();
        transaction.put(LedgerTable::charge, place,
                        ledger::encode(ledger::Charge{{}, amount, *index}));
        account = load_account(transaction, id);
        if (!account) return account.error();
        return TopUp{std::move(*account), true};
    });
}

Result<Account> Ledger::adjust(AccountId id, Nano delta, const std::string& reason,
                               std::int64_t now_ms) {
    if (delta == 0 || delta == INT64_MIN) return refused(ErrorCode::malformed);
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Account> {
        Result<Account> account = load_account(transaction, id);
        if (!account) return account.error();
        if (ledger::is_house(id)) return refused(ErrorCode::forbidden);
        if (delta < 0 && -delta > account->free()) return refused(ErrorCode::insufficient_funds);
        const AccountId house = ledger::house_account(House::adjustment, account->currency);
        Row row;
        row.time_ms = now_ms;
        row.kind = RowKind::adjustment;
        row.debit = delta < 0 ? id : house;
        row.credit = delta < 0 ? house : id;
        row.amount = delta < 0 ? -delta : delta;
        row.customer = id;
        row.reference = reason;
        const Result<std::uint64_t> index = post(transaction, std::move(row), account->currency);
        if (!index) return index.error();
        account = load_account(transaction, id);
        if (!account) return account.error();
        return account;
    });
}

}  // namespace nodex::replication
