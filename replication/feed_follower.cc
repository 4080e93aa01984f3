// FeedFollower: fetch pages until the newest, prepare keys and leases, publish; then look whether
// more came.
#include "replication/feed_follower.h"

#include <algorithm>

#include "edge/base/log.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds fetch_patience_max = 5 * second;
constexpr Nanoseconds body_keys_pause = second;  // before asking again for those that are missing
constexpr Nanoseconds refused_pause = second;    // after a page that cannot be read

}  // namespace

void FeedFollower::enter(Phase phase) {
    const bool legal = (phase_ == Phase::idle && phase == Phase::fetching) ||
                       (phase_ == Phase::idle && phase == Phase::preparing) || phase == Phase::idle;
    NX_ASSERT(legal);
    phase_ = phase;
}

void FeedFollower::start(std::uint64_t version) {
    started_ = true;
    version_seen_ = start_over_ ? version : std::max(version_seen_, version);
    proceed();
}

void FeedFollower::restore(StoredFeed stored) {
    NX_ASSERT(!started_ && version_ == 0);
    for (FeedRecord& record : stored.records) take(std::move(record));
    version_ = version_seen_ = stored.version;
    from_ = stored.from;
}

void FeedFollower::serve_stored() {
    if (started_ || version_ == 0 || serves_stored_) return;
    serves_stored_ = true;
    log::warning("serving_from_the_stored_feed", {{"version", version_}});
    proceed();
}

void FeedFollower::start_over() {
    start_over_ = true;
    proceed();
}

// Between two steps: nothing refers to the objects.
void FeedFollower::forget() {
    start_over_ = false;
    accounts_.clear();
    keys_.clear();
    models_.clear();
    version_ = from_ = 0;
    changed_ = true;
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
    if (phase_ != Phase::idle) return;
    if (start_over_) forget();
    if (!started_ && !serves_stored_) return;
    if (started_ && from_ < version_seen_) {
        if (clock_.now_ns() >= fetch_at_ns_) fetch();
        return;
    }
    if (changed_ && clock_.now_ns() >= prepare_at_ns_) prepare();
}

void FeedFollower::fetch() {
    enter(Phase::fetching);
    link_.request("feed", MessageType::feed_request, encode(FeedRequest{from_}),
                  link_.patience(fetch_patience_max),
                  [this](const Result<std::string>& payload) { fetched(payload); });
}

void FeedFollower::fetched(const Result<std::string>& payload) {
    enter(Phase::idle);
    const Result<FeedReply> reply =
        payload ? decode_feed_reply(*payload) : Result<FeedReply>(payload.error());
    if (start_over_) return proceed();  // of the ledger of before
    if (!reply) return;                 // tick() asks again
    std::vector<FeedRecord> records;
    for (const std::string& bytes : reply->records) {
        Result<FeedRecord> record = decode_feed_record(bytes);
        if (!record) {
            log::error("feed_record_refused", {{"version", from_}, {"error", record.error()}});
            fetch_at_ns_ = clock_.now_ns() + refused_pause;
            return;
        }
        records.push_back(std::move(*record));
    }
    from_ = std::max(from_, reply->to);
    if (!records.empty()) {
        for (const FeedRecord& record : records) take(record);
        changed_ = true;
        store({std::move(records), reply->records, from_, !reply->more});
    }
    if (!reply->more) version_ = from_;
    // An empty page: the centre knows nothing newer, whatever a hint said.
    if (reply->more)
        version_seen_ = std::max(version_seen_, from_ + 1);
    else if (reply->records.empty())
        version_seen_ = from_;
    proceed();
}

// B6: a loss of power may undo it; then it is fetched again.
void FeedFollower::store(FeedPage page) {
    commits_.call(
        [page = std::move(page)](storage::Journal&, storage::Store&,
                                 storage::Batch& batch) -> Status {
            put_feed(page, batch);
            return {};
        },
        [](const Status&) {}, CommitPort::Durable::later);
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
    body_keys_.prepare(accounts_, started_,
                       [this](BodyKeyKeeper::Outcome outcome) { body_keys_done(outcome); });
}

void FeedFollower::body_keys_done(BodyKeyKeeper::Outcome outcome) {
    using Outcome = BodyKeyKeeper::Outcome;
    const bool first = !has_published_;
    if (outcome == Outcome::failed || (outcome == Outcome::unanswered && first && started_)) {
        try_again(body_keys_pause);
        return enter(Phase::idle);
    }
    if (outcome != Outcome::level) try_again(body_keys_pause);
    prepare_leases();
}

void FeedFollower::try_again(Nanoseconds after) {
    changed_ = true;
    prepare_at_ns_ = clock_.now_ns() + after;
}

void FeedFollower::prepare_leases() {
    std::vector<LeaseKey> scopes;
    for (const auto& [id, account] : accounts_)
        scopes.push_back({LeaseKey::Kind::account, raw(id)});
    for (const auto& [id, key] : keys_)
        if (key.has_budget) scopes.push_back({LeaseKey::Kind::key, raw(id)});
    leases_.prepare(scopes, [this](const Status& prepared) {
        if (!prepared) {
            changed_ = true;
            return enter(Phase::idle);
        }
        publish();
        enter(Phase::idle);
        proceed();
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
        entry.claims = account->second.claims;
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
    has_published_ = true;
    published_(std::make_shared<const Directory>(std::move(contents)));
}

}  // namespace nodex::replication
