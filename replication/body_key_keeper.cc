// BodyKeyKeeper: first what must be destroyed, then what is missing, some hundred accounts at a
// time.
#include "replication/body_key_keeper.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "storage/buddy_copies.h"
#include "storage/kek_rows.h"
#include "storage/purge_thread.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds body_key_patience_max = 5 * second;

// As what the destroyed keys leave the disk: the same destruction is not told twice.
std::string purge_name(const AccountRecord& account) {
    std::string name = "shred/";
    append_ordered(name, raw(account.id));
    ByteWriter(name).integer(account.shreds);
    return name;
}

}  // namespace

struct BodyKeyKeeper::Destruction {
    std::vector<AccountRecord> accounts;
};

// Keys on their way into the store.
struct BodyKeyKeeper::Arrival {
    struct Entry {
        AccountId account{};
        std::uint32_t shreds = 0;
        std::uint32_t oldest = 0;  // what is below may go
        std::vector<storage::Vault::KekRecord> keys;
    };
    std::vector<Entry> entries;
};

void BodyKeyKeeper::prepare(const Accounts& accounts, bool may_ask, Done done) {
    NX_ASSERT(accounts_ == nullptr);
    if (vault_ == nullptr) return done(Outcome::level);
    accounts_ = &accounts;
    may_ask_ = may_ask;
    done_ = std::move(done);
    asked_up_to_ = {};
    destroy([this](const Status& destroyed) {
        if (!destroyed) return finish(Outcome::failed);
        ask_next();
    });
}

void BodyKeyKeeper::finish(Outcome outcome) {
    accounts_ = nullptr;
    const Done done = std::exchange(done_, nullptr);
    done(outcome);
}

// Durable before it is forgotten that there was an order: a crash in between repeats it, and an
// erased key erases nothing twice.
void BodyKeyKeeper::destroy(std::function<void(const Status&)> done) {
    const auto orders = std::make_shared<Destruction>();
    for (const auto& [id, account] : *accounts_) {
        const auto known = destroyed_.find(id);
        if (account.shreds > (known == destroyed_.end() ? 0 : known->second))
            orders->accounts.push_back(account);
    }
    if (orders->accounts.empty()) return done({});
    commits_.call(
        [this, orders](storage::Journal&, storage::Store& store, storage::Batch& batch) -> Status {
            for (const AccountRecord& account : orders->accounts) {
                const Result<storage::DestroyedKeks> destroyed =
                    storage::find_destroyed(store, account.id);
                if (!destroyed) return destroyed.error();
                if (destroyed->orders >= account.shreds) continue;
                storage::erase_keks(account.id, batch);
                storage::BuddyCopies::forget(account.id, batch);
                const std::uint32_t newest = vault_->shred(account.id);
                storage::mark_for_purge(purge_name(account), batch);
                storage::put_destroyed(account.id, {account.shreds, newest}, batch);
            }
            return {};
        },
        [this, orders, done = std::move(done)](const Status& status) {
            if (status)
                for (const AccountRecord& account : orders->accounts)
                    destroyed_[account.id] = account.shreds;
            done(status);
        });
}

bool BodyKeyKeeper::is_behind(const AccountRecord& account) const {
    if (account.state == AccountState::closed) return false;
    const std::uint32_t wanted = std::max(account.key_version, first_body_key_version);
    return vault_->current_version(account.id).value_or(0) < wanted;
}

// Nobody waits for the second kind: a ledger that knows of no key although this POP has one was
// restored (or has just made it, and the feed does not say so yet). It makes another when it is
// asked, which every POP can have.
bool BodyKeyKeeper::is_to_be_asked(const AccountRecord& account) const {
    return is_behind(account) ||
           (account.state != AccountState::closed && account.key_version == 0);
}

void BodyKeyKeeper::ask_next() {
    BodyKeyRequest request;
    for (auto next = accounts_->upper_bound(asked_up_to_);
         next != accounts_->end() && request.entries.size() < limits::body_key_accounts_max;
         ++next) {
        asked_up_to_ = next->first;
        if (is_to_be_asked(next->second))
            request.entries.push_back(
                {next->first, vault_->current_version(next->first).value_or(0)});
    }
    if (request.entries.empty()) {
        const bool behind =
            std::any_of(accounts_->begin(), accounts_->end(),
                        [this](const auto& each) { return is_behind(each.second); });
        return finish(behind ? Outcome::incomplete : Outcome::level);
    }
    if (!may_ask_) return finish(Outcome::unanswered);
    link_.request("kek", MessageType::body_key_request, encode(request),
                  link_.patience(body_key_patience_max),
                  [this](const Result<std::string>& payload) { answered(payload); });
}

void BodyKeyKeeper::answered(const Result<std::string>& payload) {
    Result<BodyKeyReply> reply =
        payload ? decode_body_key_reply(*payload) : Result<BodyKeyReply>(payload.error());
    if (!reply) return finish(Outcome::unanswered);
    const auto arrival = std::make_shared<Arrival>();
    for (BodyKeyReply::Entry& entry : reply->entries) take(std::move(entry), *arrival);
    store(arrival);
}

// Keys of before an order to destroy are not taken, however late they come; those of after an order
// that this POP has not heard of wait until it has.
void BodyKeyKeeper::take(BodyKeyReply::Entry entry, Arrival& arrival) {
    const auto account = accounts_->find(entry.account);
    if (account == accounts_->end() || account->second.shreds != entry.shreds) return;
    Arrival::Entry taken{entry.account, entry.shreds, entry.oldest, {}};
    for (const BodyKeyReply::Key& sealed : entry.keys) {
        const std::optional<crypto::SecretKey> key = open_body_key(
            link_.body_key_key(), link_.pop(), entry.account, sealed.version, sealed.sealed);
        if (!key || sealed.version < first_body_key_version) {
            log::error("body_key_refused",
                       {{"account", raw(entry.account)}, {"version", sealed.version}});
            continue;
        }
        taken.keys.push_back(vault_->wrap(entry.account, sealed.version, *key, random_));
    }
    arrival.entries.push_back(std::move(taken));
}

// What was destroyed here stays destroyed: a ledger restored to a state of before the order would
// give the old keys out again.
void BodyKeyKeeper::store(const std::shared_ptr<Arrival>& arrival) {
    commits_.call(
        [arrival](storage::Journal&, storage::Store& store, storage::Batch& batch) -> Status {
            for (Arrival::Entry& entry : arrival->entries) {
                const Result<storage::DestroyedKeks> destroyed =
                    storage::find_destroyed(store, entry.account);
                if (!destroyed) return destroyed.error();
                if (destroyed->orders > entry.shreds) {
                    log::error("body_key_of_before_its_destruction",
                               {{"account", raw(entry.account)},
                                {"advice", "the ledger was restored: shred this account again"}});
                    entry.keys.clear();
                }
                for (const storage::Vault::KekRecord& key : entry.keys)
                    storage::put_kek(key, batch);
                if (entry.oldest > first_body_key_version)
                    storage::erase_keks_below(entry.account, entry.oldest, batch);
            }
            return {};
        },
        [this, arrival](const Status& status) {
            if (!status) return finish(Outcome::failed);
            for (const Arrival::Entry& entry : arrival->entries) {
                for (const storage::Vault::KekRecord& key : entry.keys) vault_->activate(key);
                if (entry.oldest > first_body_key_version)
                    vault_->forget_below(entry.account, entry.oldest);
            }
            ask_next();
        });
}

}  // namespace nodex::replication
