// Ledger: questions about what is committed: accounts, keys, catalogue, feed, usage pages.
#include <algorithm>

#include "edge/base/limits.h"
#include "replication/central/ledger.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_transaction.h"
#include "replication/feed_records.h"

namespace nodex::replication {

namespace {

constexpr std::size_t rows_read_at_once = 64;

template <class Record>
Result<std::optional<Record>> read(LedgerStore& store, LedgerTable table, const std::string& key) {
    return run_verb(store, LedgerAccess::read, [&](LedgerTransaction& transaction) {
        return transaction.find<Record>(table, key);
    });
}

}  // namespace

Result<std::optional<ledger::Account>> Ledger::account(AccountId id) {
    return read<ledger::Account>(store_, LedgerTable::account, ledger::account_key(id));
}
Result<std::optional<ledger::Key>> Ledger::key(KeyId id) {
    return read<ledger::Key>(store_, LedgerTable::key, ledger::key_key(id));
}
Result<std::optional<ledger::PriceList>> Ledger::price_list(std::uint32_t version) {
    return read<ledger::PriceList>(store_, LedgerTable::price, ledger::price_key(version));
}
Result<std::optional<ledger::Lease>> Ledger::lease_of(const LeaseKey& scope, PopId pop,
                                                      std::uint32_t incarnation) {
    return read<ledger::Lease>(store_, LedgerTable::lease,
                               ledger::lease_key(scope, pop, incarnation));
}
Result<std::optional<ledger::Mark>> Ledger::mark(PopId pop, std::uint32_t incarnation) {
    return read<ledger::Mark>(store_, LedgerTable::mark, ledger::mark_key(pop, incarnation));
}
Result<std::optional<ledger::Claim>> Ledger::claim_of(AccountId account,
                                                      const IdempotencyId& idempotency) {
    return read<ledger::Claim>(store_, LedgerTable::claim, ledger::claim_key(account, idempotency));
}
Result<ledger::Head> Ledger::head() {
    return run_verb(store_, LedgerAccess::read,
                    [this](LedgerTransaction& transaction) { return load_head(transaction); });
}

Result<std::vector<ledger::Account>> Ledger::accounts(AccountId after, unsigned count_max) {
    using Accounts = std::vector<ledger::Account>;
    const std::string from = ledger::account_key(static_cast<AccountId>(raw(after) + 1));
    return run_verb(store_, LedgerAccess::read, [&](LedgerTransaction& glance) -> Result<Accounts> {
        Accounts accounts;
        bool sound = true;
        const Status scanned = glance.scan(LedgerTable::account, from, {}, [&](Bytes, Bytes value) {
            ledger::Account account;
            sound = ledger::decode(value, account).has_value();
            if (!sound || ledger::is_house(account.id) || accounts.size() == count_max)
                return false;
            accounts.push_back(std::move(account));
            return true;
        });
        if (!scanned) return scanned.error();
        if (!sound) return corrupt();
        return accounts;
    });
}

Result<std::vector<ledger::Key>> Ledger::keys(AccountId account, KeyId after, unsigned count_max) {
    using Keys = std::vector<ledger::Key>;
    const std::string from =
        ledger::KeyBuilder().letter('a').number(raw(account)).number(raw(after) + 1).bytes;
    const std::string to = ledger::KeyBuilder().letter('a').number(raw(account) + 1).bytes;
    return run_verb(store_, LedgerAccess::read, [&](LedgerTransaction& glance) -> Result<Keys> {
        std::vector<KeyId> ids;
        const Status scanned = glance.scan(LedgerTable::key, from, to, [&](Bytes key, Bytes) {
            if (ids.size() == count_max || key.size() != 17) return false;
            ids.push_back(static_cast<KeyId>(read_ordered64(key.substr(9))));
            return true;
        });
        if (!scanned) return scanned.error();
        std::vector<LedgerPlace> places;
        for (const KeyId id : ids) places.push_back({LedgerTable::key, ledger::key_key(id)});
        if (const Status read = glance.prefetch(std::move(places)); !read) return read.error();
        Keys keys;
        for (const KeyId id : ids) {
            Result<std::optional<ledger::Key>> found =
                glance.find<ledger::Key>(LedgerTable::key, ledger::key_key(id));
            if (!found) return found.error();
            if (!*found) return corrupt();
            keys.push_back(std::move(**found));
        }
        return keys;
    });
}

Result<std::optional<ledger::Model>> Ledger::model(Bytes id) {
    using Found = Result<std::optional<ledger::Model>>;
    const std::string name = ledger::KeyBuilder().letter('n').raw_bytes(id).bytes;
    return run_verb(store_, LedgerAccess::read, [&](LedgerTransaction& glance) -> Found {
        Result<std::optional<std::string>> number = glance.get(LedgerTable::price, name);
        if (!number) return number.error();
        if (!*number) return std::optional<ledger::Model>{};
        return glance.find<ledger::Model>(LedgerTable::price, "m" + **number);
    });
}

Result<std::vector<ledger::Model>> Ledger::models() {
    using Models = std::vector<ledger::Model>;
    return run_verb(store_, LedgerAccess::read, [](LedgerTransaction& glance) -> Result<Models> {
        Models models;
        bool sound = true;
        const Status scanned = glance.scan(LedgerTable::price, "m", "n", [&](Bytes, Bytes value) {
            ledger::Model found;
            sound = ledger::decode(value, found).has_value();
            if (sound) models.push_back(std::move(found));
            return sound;
        });
        if (!scanned) return scanned.error();
        if (!sound) return corrupt();
        return models;
    });
}

// A POP keeps what a feed told it, so this is a writer's transaction though it writes nothing: what
// it read is durable when it is answered.
Result<FeedReply> Ledger::feed(std::uint64_t from) {
    if (from == UINT64_MAX) {
        FeedReply nothing;
        nothing.to = from;
        return nothing;
    }
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<FeedReply> {
        FeedReply reply;
        reply.to = from;
        Result<std::vector<Changed>> changes = changes_after(transaction, from, reply.more);
        if (!changes) return changes.error();
        std::vector<LedgerPlace> places;
        for (const Changed& changed : *changes) {
            places.push_back(object_place(changed));
            if (changed.kind == ObjectKind::account)
                places.push_back(
                    {LedgerTable::kek, ledger::body_keys_key(static_cast<AccountId>(changed.id))});
        }
        if (const Status read = transaction.prefetch(std::move(places)); !read) return read.error();
        std::size_t bytes = 0;
        for (const Changed& changed : *changes) {
            if (bytes > limits::feed_bytes_max) {
                reply.more = true;
                break;
            }
            Result<std::string> record = feed_record(transaction, changed);
            if (!record) return record.error();
            bytes += record->size();
            reply.records.push_back(std::move(*record));
            reply.to = changed.version;
        }
        return reply;
    });
}

Result<std::vector<Ledger::Changed>> Ledger::changes_after(LedgerTransaction& transaction,
                                                           std::uint64_t from, bool& more) {
    std::vector<Changed> changes;
    bool sound = true;
    const auto visit = [&](Bytes key, Bytes value) {
        if (changes.size() == limits::feed_records_max) {
            more = true;
            return false;
        }
        ByteReader reader(value);
        Changed changed{};
        changed.kind = reader.enumerator(ObjectKind::last);
        changed.id = reader.integer<std::uint64_t>();
        sound = reader.finished() && key.size() == 9;
        if (sound) changed.version = read_ordered64(key.substr(1));
        changes.push_back(changed);
        return sound;
    };
    const Status scanned =
        transaction.scan(LedgerTable::meta, ledger::feed_key(from + 1), "g", visit);
    if (!scanned) return scanned.error();
    if (!sound) return corrupt();
    return changes;
}

LedgerPlace Ledger::object_place(const Changed& changed) {
    switch (changed.kind) {
        case ObjectKind::account:
            return {LedgerTable::account, ledger::account_key(static_cast<AccountId>(changed.id))};
        case ObjectKind::key:
            return {LedgerTable::key, ledger::key_key(static_cast<KeyId>(changed.id))};
        case ObjectKind::model: break;
    }
    return {LedgerTable::price, ledger::model_key(static_cast<std::uint32_t>(changed.id))};
}

Result<std::string> Ledger::feed_record(LedgerTransaction& transaction, const Changed& changed) {
    const LedgerPlace place = object_place(changed);
    switch (changed.kind) {
        case ObjectKind::account: {
            Result<std::optional<ledger::Account>> found =
                transaction.find<ledger::Account>(place.table, place.key);
            if (!found) return found.error();
            if (!*found) return corrupt();
            const Result<std::optional<ledger::BodyKeys>> keys = transaction.find<ledger::BodyKeys>(
                LedgerTable::kek, ledger::body_keys_key(static_cast<AccountId>(changed.id)));
            if (!keys) return keys.error();
            const bool has_keys = *keys && !(*keys)->versions.empty();
            const std::uint32_t newest = has_keys ? (*keys)->versions.back().number : 0;
            return encode(AccountRecord{(*found)->id, (*found)->state, (*found)->shreds, newest,
                                        (*found)->claims});
        }
        case ObjectKind::key: {
            Result<std::optional<ledger::Key>> found =
                transaction.find<ledger::Key>(place.table, place.key);
            if (!found) return found.error();
            if (!*found) return corrupt();
            const ledger::Key& from = **found;
            return encode(KeyRecord{from.id, from.account, from.hash, from.state, from.policy,
                                    from.expires_ms, from.has_budget, from.limits, from.models});
        }
        case ObjectKind::model: {
            Result<std::optional<ledger::Model>> found =
                transaction.find<ledger::Model>(place.table, place.key);
            if (!found) return found.error();
            if (!*found) return corrupt();
            return encode((*found)->entry);
        }
    }
    return corrupt();
}

Result<UsagePage> Ledger::usage(const UsageFilter& filter) {
    if (filter.rows_max == 0 || filter.from_ms < 0)
        return Error{ErrorCode::malformed, ErrorSource::client};
    // Newest first: the largest time has the smallest key, and `to_ms` itself is outside.
    std::string from =
        ledger::usage_key(filter.account, std::max<std::int64_t>(filter.to_ms, 1) - 1, UINT64_MAX);
    const std::string to = ledger::usage_key(filter.account, filter.from_ms, 0) + '\0';
    if (!filter.cursor.empty()) {
        const std::optional<std::string> place = from_hex(filter.cursor);
        if (!place || place->size() != 16) return Error{ErrorCode::malformed, ErrorSource::client};
        const std::string after = ledger::account_key(filter.account) + *place + '\0';
        if (after > from) from = after;
    }
    if (from >= to) return UsagePage{};
    return run_verb(store_, LedgerAccess::read, [&](LedgerTransaction& transaction) {
        return usage_page(transaction, filter, from, to);
    });
}

Result<UsagePage> Ledger::usage_page(LedgerTransaction& transaction, const UsageFilter& filter,
                                     Bytes from, Bytes to) {
    UsagePage page;
    unsigned visited = 0;
    std::vector<std::pair<std::string, std::uint64_t>> places;
    const Status scanned = transaction.scan(LedgerTable::usage, from, to, [&](Bytes key, Bytes) {
        if (key.size() != 24 || visited++ == limits::page_rows_visited_max) return false;
        places.emplace_back(std::string(key.substr(8)), ~read_ordered64(key.substr(16)));
        return true;
    });
    if (!scanned) return scanned.error();
    page.more = visited > limits::page_rows_visited_max;
    for (std::size_t i = 0; i < places.size(); ++i) {
        const auto& [place, index] = places[i];
        if (page.rows.size() == filter.rows_max) {
            page.more = true;
            break;
        }
        if (i % rows_read_at_once == 0) {
            std::vector<LedgerPlace> next;
            for (std::size_t j = i; j < std::min(places.size(), i + rows_read_at_once); ++j)
                next.push_back({LedgerTable::row, ledger::row_key(places[j].second)});
            if (const Status read = transaction.prefetch(std::move(next)); !read)
                return read.error();
        }
        Result<std::optional<ledger::Row>> row =
            transaction.find<ledger::Row>(LedgerTable::row, ledger::row_key(index));
        if (!row) return row.error();
        if (!*row) return corrupt();
        page.cursor = to_hex(place);
        if (filter.key && (*row)->key != *filter.key) continue;
        if (filter.model && (*row)->model != *filter.model) continue;
        page.rows.push_back(std::move(**row));
    }
    if (!page.more) page.cursor.clear();
    return page;
}

}  // namespace nodex::replication
