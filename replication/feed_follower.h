// FeedFollower: brings this POP's knowledge of accounts, keys and models up to the centre's, and
// publishes each state as one immutable Directory. The centre is asked for body
// keys before the first one. An account that is still without is published all the same (its
// answers cannot be kept, so its paid requests get 503 and come again), because a revoked key must
// not wait for it.
#pragma once
#include <functional>
#include <map>
#include <memory>

#include "edge/base/clock.h"
#include "edge/base/random.h"
#include "replication/body_key_keeper.h"
#include "replication/commit_port.h"
#include "replication/directory.h"
#include "replication/feed_records.h"
#include "replication/lease_keeper.h"
#include "replication/pop_link.h"
#include "replication/stored_feed.h"
#include "storage/vault.h"

namespace nodex::replication {

class FeedFollower {
  public:
    using Published = std::function<void(std::shared_ptr<const Directory>)>;
    // `vault` may be null: no bodies are kept (simulator).
    FeedFollower(PopLink& link, CommitPort& commits, Clock& clock, LeaseKeeper& leases,
                 storage::Vault* vault, Random& random, Published published)
        : link_(link),
          commits_(commits),
          clock_(clock),
          leases_(leases),
          body_keys_(link, commits, vault, random),
          published_(std::move(published)) {}

    void seen(std::uint64_t version);  // the centre has got this far
    void rebuild();                    // a lease has a new generation
    void tick();                       // asks again after a failure
    // Registered, and the centre has got as far as `version`: fetches up to there before anything
    // is published.
    void start(std::uint64_t version);
    // Before start(): what was stored of an earlier life.
    void restore(StoredFeed stored);
    // The centre does not answer: publishes what is known, without asking for anything.
    void serve_stored();
    // The ledger was restored from a backup: what is known may never have been. Everything is
    // fetched anew; what is published stays until then. The stored rows are erased by then.
    // Followed by start().
    void start_over();
    [[nodiscard]] std::uint64_t version() const noexcept { return published_version_; }

  private:
    enum class Phase : std::uint8_t { idle, fetching, preparing };
    void enter(Phase phase);
    void proceed();
    void forget();
    void store(FeedPage page);
    void fetch();
    void fetched(const Result<std::string>& payload);
    void take(FeedRecord record);  // of an unknown kind: nothing
    void prepare();
    void body_keys_done(BodyKeyKeeper::Outcome outcome);
    void prepare_leases();
    void try_again(Nanoseconds after);
    void publish();

    PopLink& link_;
    CommitPort& commits_;
    Clock& clock_;
    LeaseKeeper& leases_;
    BodyKeyKeeper body_keys_;
    Published published_;
    Phase phase_ = Phase::idle;
    bool started_ = false;
    bool serves_stored_ = false;
    bool start_over_ = false;
    bool changed_ = true;             // what is published is older than what is known
    Nanoseconds prepare_at_ns_ = 0;   // not before
    Nanoseconds fetch_at_ns_ = 0;     // not before
    std::uint64_t from_ = 0;          // where the next page begins
    std::uint64_t version_ = 0;       // known here, whole
    std::uint64_t version_seen_ = 0;  // known to exist
    std::uint64_t published_version_ = 0;
    bool has_published_ = false;  // also of a ledger that is empty, at version 0
    std::map<AccountId, AccountRecord> accounts_;
    std::map<KeyId, KeyRecord> keys_;
    std::map<std::uint32_t, ModelEntry> models_;
    std::map<KeyId, std::unique_ptr<KeyMeter>> meters_;  // live as long as the process
};

}  // namespace nodex::replication
