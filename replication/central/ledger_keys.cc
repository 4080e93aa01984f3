// Ledger: API keys with their budgets, and the catalogue with its immutable price lists.
#include <algorithm>

#include "replication/central/ledger.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::Key;
using ledger::Model;

namespace {

void apply_settings(Key& key, const KeySettings& settings, std::int64_t now_ms) {
    key.name = settings.name;
    key.policy = settings.policy;
    key.expires_ms = settings.expires_ms;
    key.limits = settings.limits;
    key.models = settings.models;
    std::sort(key.models.begin(), key.models.end());
    if (key.period != settings.period) {
        key.period = settings.period;
        key.period_index = ledger::period_index(key.period, now_ms);
    }
    key.has_budget = settings.budget.has_value();
    key.budget = settings.budget.value_or(0);
}

}  // namespace

Result<Key> Ledger::load_key(LedgerTransaction& transaction, KeyId id) {
    Result<std::optional<Key>> key = transaction.find<Key>(LedgerTable::key, ledger::key_key(id));
    if (!key) return key.error();
    if (!*key) return refused(ErrorCode::not_found);
    return std::move(**key);
}

Status Ledger::save_key(LedgerTransaction& transaction, const Key& key) {
    NX_ASSERT(key.held >= 0);
    NX_ASSERT(!key.has_budget || key.free() >= 0);
    transaction.keep(LedgerTable::key, ledger::key_key(key.id), key);
    return {};
}

Status Ledger::save_and_announce(LedgerTransaction& transaction, Key& key) {
    if (Status told = announce(transaction, ObjectKind::key, raw(key.id), key.feed_version); !told)
        return told;
    return save_key(transaction, key);
}

Result<Key> Ledger::create_key(AccountId account_id, const KeyHash& hash,
                               const KeySettings& settings, std::int64_t now_ms) {
    if (settings.budget && *settings.budget < 0) return refused(ErrorCode::malformed);
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Key> {
        Result<ledger::Account> account = load_account(transaction, account_id);
        if (!account) return account.error();
        if (ledger::is_house(account_id) || account->state == AccountState::closed)
            return refused(ErrorCode::forbidden);
        const std::string hash_key(hash.view());
        Result<std::optional<std::string>> taken = transaction.get(LedgerTable::key_hash, hash_key);
        if (!taken) return taken.error();
        if (*taken) return refused(ErrorCode::already_exists);
        Result<ledger::Head> head = load_head(transaction);
        if (!head) return head.error();
        Key key;
        key.id = static_cast<KeyId>(++head->keys);
        key.account = account_id;
        key.hash = hash;
        key.created_ms = now_ms;
        apply_settings(key, settings, now_ms);
        save_head(transaction, *head);
        if (const Status saved = save_and_announce(transaction, key); !saved) return saved.error();
        transaction.put(LedgerTable::key_hash, hash_key,
                        ledger::KeyBuilder().number(raw(key.id)).bytes);
        transaction.put(
            LedgerTable::key,
            ledger::KeyBuilder().letter('a').number(raw(account_id)).number(raw(key.id)).bytes, "");
        return key;
    });
}

Result<Key> Ledger::update_key(KeyId id, const KeySettings& settings, std::int64_t now_ms,
                               std::optional<std::uint64_t> seen_version) {
    if (settings.budget && *settings.budget < 0) return refused(ErrorCode::malformed);
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Key> {
        Result<Key> key = load_key(transaction, id);
        if (!key) return key.error();
        if (seen_version.value_or(key->feed_version) != key->feed_version)
            return refused(ErrorCode::stale);
        apply_settings(*key, settings, now_ms);
        if (key->has_budget && key->free() < 0) return refused(ErrorCode::insufficient_funds);
        if (const Status saved = save_and_announce(transaction, *key); !saved) return saved.error();
        return key;
    });
}

Result<Key> Ledger::set_key_state(KeyId id, KeyState state, std::int64_t now_ms) {
    (void)now_ms;
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Key> {
        Result<Key> key = load_key(transaction, id);
        if (!key) return key.error();
        if (key->state == KeyState::revoked && state != KeyState::revoked)
            return refused(ErrorCode::forbidden);
        key->state = state;
        if (const Status saved = save_and_announce(transaction, *key); !saved) return saved.error();
        return key;
    });
}

Result<Model> Ledger::set_model(const ModelEntry& given, std::int64_t now_ms,
                                std::optional<std::uint64_t> seen_version) {
    if (given.id.empty()) return refused(ErrorCode::malformed);
    for (const Nano unit_price : given.prices)
        if (unit_price < 0) return refused(ErrorCode::malformed);
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<Model> {
        ModelEntry entry = given;
        Result<ledger::Head> head = load_head(transaction);
        if (!head) return head.error();
        const std::string name_key = ledger::KeyBuilder().letter('n').raw_bytes(entry.id).bytes;
        Result<std::optional<std::string>> number = transaction.get(LedgerTable::price, name_key);
        if (!number) return number.error();
        Model model;
        if (*number) {
            Result<std::optional<Model>> found =
                transaction.find<Model>(LedgerTable::price, "m" + **number);
            if (!found) return found.error();
            if (!*found) return corrupt();
            model = std::move(**found);
            entry.number = model.entry.number;
            entry.created_s = model.entry.created_s;
            entry.price_version = model.entry.price_version;
        } else {
            entry.number = ++head->models;
            entry.created_s = now_ms / 1'000;
            transaction.put(LedgerTable::price, name_key,
                            ledger::KeyBuilder().number(entry.number).bytes);
        }
        if (seen_version.value_or(model.feed_version) != model.feed_version)
            return refused(ErrorCode::stale);
        if (!*number || model.entry.prices != entry.prices) {
            entry.price_version = ++head->price_version;
            const ledger::PriceList list{entry.price_version, entry.number, entry.prices, now_ms};
            transaction.put(LedgerTable::price, ledger::price_key(entry.price_version),
                            ledger::encode(list));
        }
        save_head(transaction, *head);
        model.entry = std::move(entry);
        if (const Status told =
                announce(transaction, ObjectKind::model, model.entry.number, model.feed_version);
            !told)
            return told.error();
        transaction.put(LedgerTable::price, ledger::model_key(model.entry.number),
                        ledger::encode(model));
        return model;
    });
}

}  // namespace nodex::replication
