// FeedFollower: fetch pages until the newest, prepare keys and leases, publish; then look whether
// more came.
#include "replication/feed_follower.h"

#include <algorithm>

#include "edge/base/codec.h"
#include "edge/base/log.h"
#include "storage/kek_rows.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds request_timeout = 5 * second;

// CF meta "shred/" account u64 -> u32: how many orders to destroy its body keys were carried out.
std::string shred_key(AccountId account) {
    std::string key = "shred/";
    append_ordered(key, raw(account));
    return key;
}

}  // namespace

void FeedFollower::enter(Phase phase) {
    const bool legal = (phase_ == Phase::idle && phase == Phase::fetching) ||
                       (phase_ == Phase::idle && phase == Phase::preparing) || phase == Phase::idle;
    NX_ASSERT(legal);
    phase_ = phase;
}

void FeedFollower::start(std::uint64_t version) {
    started_ = true;
    version_seen_ = std::max(version_seen_, version);
    proceed();
}

void FeedFollower::seen(std::uint64_t version) {
    version_seen_ = std::max(version_seen_, version);
    proceed();
}

void FeedFollower::rebuild() {
    changed_ = true;
    proceed();
}

void FeedFollower::tick() {
    proceed();
}

void FeedFollower::proceed() {
    if (!started_ || phase_ != Phase::idle) return;
    if (version_ < version_seen_) return fetch();
    if (changed_) prepare();
}

void FeedFollower::fetch() {
    enter(Phase::fetching);
    link_.request("feed", MessageType::feed_request, encode(FeedRequest{version_}), request_timeout,
                  [this](const Result<std::string>& payload) { fetched(payload); });
}

void FeedFollower::fetched(const Result<std::string>& payload) {
    enter(Phase::idle);
    const Result<FeedReply> reply =
        payload ? decode_feed_reply(*payload) : Result<FeedReply>(payload.error());
    if (!reply) return;  // tick() asks again
    std::vector<FeedRecord> records;
    for (const std::string& bytes : reply->records) {
        Result<FeedRecord> record = decode_feed_record(bytes);
        if (!record) {
            log::error("feed_record_refused", {{"version", version_}, {"error", record.error()}});
            return;
        }
        records.push_back(std::move(*record));
    }
    for (FeedRecord& record : records) take(std::move(record));
    if (!records.empty()) changed_ = true;
    version_ = std::max(version_, reply->to);
    // An empty page: the centre knows nothing newer, whatever a hint said.
    if (reply->more)
        version_seen_ = std::max(version_seen_, version_ + 1);
    else if (reply->records.empty())
        version_seen_ = version_;
    proceed();
}

void FeedFollower::take(FeedRecord record) {
    if (auto* account = std::get_if<AccountRecord>(&record))
        accounts_.insert_or_assign(account->id, *account);
    if (auto* key = std::get_if<KeyRecord>(&record)) {
        meters_.try_emplace(key->id, std::make_unique<KeyMeter>());
        keys_.insert_or_assign(key->id, std::move(*key));
    }
    if (auto* model = std::get_if<ModelEntry>(&record))
        models_.insert_or_assign(model->number, std::move(*model));
}

void FeedFollower::prepare() {
    enter(Phase::preparing);
    changed_ = false;
    std::vector<LeaseKey> scopes;
    for (const auto& [id, account] : accounts_)
        scopes.push_back({LeaseKey::Kind::account, raw(id)});
    for (const auto& [id, key] : keys_)
        if (key.has_budget) scopes.push_back({LeaseKey::Kind::key, raw(id)});
    make_body_keys([this, scopes = std::move(scopes)](const Status& made) {
        const auto failed = [this] {
            changed_ = true;
            enter(Phase::idle);
        };
        if (!made) return failed();
        leases_.prepare(scopes, [this, failed](const Status& prepared) {
            if (!prepared) return failed();
            publish();
            enter(Phase::idle);
            proceed();
        });
    });
}

// Destroys what was ordered to be destroyed, makes what is missing. Durable before it is used or
// forgotten.
void FeedFollower::make_body_keys(std::function<void(const Status&)> done) {
    struct Made {
        std::vector<AccountRecord> accounts;
        std::vector<storage::Vault::KekRecord> activate;
    };
    if (vault_ == nullptr) return done({});
    const auto made = std::make_shared<Made>();
    for (const auto& [id, account] : accounts_)
        if (account.shreds > 0 ||
            (account.state != AccountState::closed && !vault_->current_version(id)))
            made->accounts.push_back(account);
    if (made->accounts.empty()) return done({});
    commits_.call(
        [this, made](storage::Journal&, storage::Store& store, storage::Batch& batch) -> Status {
            made->activate.clear();
            for (const AccountRecord& account : made->accounts) {
                const Result<std::optional<std::string>> stored =
                    store.get(storage::Family::meta, shred_key(account.id));
                if (!stored) return stored.error();
                const std::uint32_t carried_out =
                    *stored ? ByteReader(**stored).integer<std::uint32_t>() : 0;
                const bool shred = carried_out < account.shreds;
                if (shred) {
                    storage::erase_keks(account.id, batch);
                    vault_->shred(account.id);
                    std::string count;
                    ByteWriter(count).integer(account.shreds);
                    batch.put(storage::Family::meta, shred_key(account.id), count);
                }
                if (account.state == AccountState::closed || vault_->current_version(account.id))
                    continue;
                made->activate.push_back(vault_->make_next(account.id, random_));
                storage::put_kek(made->activate.back(), batch);
            }
            return {};
        },
        [this, made, done = std::move(done)](const Status& status) {
            for (const storage::Vault::KekRecord& record : made->activate)
                if (status) vault_->activate(record);
            done(status);
        });
}

void FeedFollower::publish() {
    Directory::Contents contents;
    contents.version = version_;
    contents.keys.reserve(keys_.size());
    for (const auto& [id, key] : keys_) {
        const auto account = accounts_.find(key.account);
        if (account == accounts_.end()) continue;  // its account comes with a later page
        KeyEntry entry;
        entry.id = id;
        entry.account = key.account;
        entry.state = key.state;
        entry.account_state = account->second.state;
        entry.policy = key.policy;
        entry.expires_ms = key.expires_ms;
        entry.models = key.models;
        entry.limits = key.limits;
        entry.account_lease = leases_.find({LeaseKey::Kind::account, raw(key.account)});
        if (key.has_budget) entry.key_lease = leases_.find({LeaseKey::Kind::key, raw(id)});
        entry.meter = meters_.at(id).get();
        NX_ASSERT(entry.account_lease != nullptr);
        NX_ASSERT(!key.has_budget || entry.key_lease != nullptr);
        contents.keys.emplace_back(key.hash, std::move(entry));
    }
    for (const auto& [number, model] : models_) contents.models.push_back(model);
    published_version_ = version_;
    published_(std::make_shared<const Directory>(std::move(contents)));
}

}  // namespace nodex::replication
