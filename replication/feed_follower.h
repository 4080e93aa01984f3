// FeedFollower: brings this POP's knowledge of accounts, keys and models up to the centre's, and
// publishes each state as one immutable Directory. Before an account is in a Directory its body key
// exists and is durable.
#pragma once
#include <functional>
#include <map>
#include <memory>

#include "edge/base/random.h"
#include "replication/commit_port.h"
#include "replication/directory.h"
#include "replication/feed_records.h"
#include "replication/lease_keeper.h"
#include "replication/pop_link.h"
#include "storage/vault.h"

namespace nodex::replication {

class FeedFollower {
  public:
    using Published = std::function<void(std::shared_ptr<const Directory>)>;
    // `vault` may be null: no bodies are kept (simulator).
    FeedFollower(PopLink& link, CommitPort& commits, LeaseKeeper& leases, storage::Vault* vault,
                 Random& random, Published published)
        : link_(link),
          commits_(commits),
          leases_(leases),
          vault_(vault),
          random_(random),
          published_(std::move(published)) {}

    void seen(std::uint64_t version);  // the centre has got this far
    void rebuild();                    // a lease has a new generation
    void tick();                       // asks again after a failure
    // Registered, and the centre has got as far as `version`: fetches up to there before anything
    // is published.
    void start(std::uint64_t version);
    [[nodiscard]] std::uint64_t version() const noexcept { return published_version_; }

  private:
    enum class Phase : std::uint8_t { idle, fetching, preparing };
    void enter(Phase phase);
    void proceed();
    void fetch();
    void fetched(const Result<std::string>& payload);
    void take(FeedRecord record);
    void prepare();
    void make_body_keys(std::function<void(const Status&)> done);
    void publish();

    PopLink& link_;
    CommitPort& commits_;
    LeaseKeeper& leases_;
    storage::Vault* vault_;
    Random& random_;
    Published published_;
    Phase phase_ = Phase::idle;
    bool started_ = false;
    bool changed_ = true;             // what is published is older than what is known
    std::uint64_t version_ = 0;       // known here
    std::uint64_t version_seen_ = 0;  // known to exist
    std::uint64_t published_version_ = 0;
    std::map<AccountId, AccountRecord> accounts_;
    std::map<KeyId, KeyRecord> keys_;
    std::map<std::uint32_t, ModelEntry> models_;
    std::map<KeyId, std::unique_ptr<KeyMeter>> meters_;  // live as long as the process
};

}  // namespace nodex::replication
