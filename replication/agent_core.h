// AgentCore: the agent as a state machine without a thread: driven by messages (through its
// Transport), by commits (through its CommitPort) and by tick(). agent.cc gives it a thread,
// tests/sim a simulated world.
#pragma once
#include <memory>

#include "replication/body_eraser.h"
#include "replication/body_fetcher.h"
#include "replication/claim_keeper.h"
#include "replication/feed_follower.h"
#include "replication/lease_keeper.h"
#include "replication/outbox_watch.h"
#include "replication/peer_service.h"
#include "replication/pop_link.h"
#include "replication/reporter.h"
#include "replication/shipper.h"
#include "replication/stored_feed.h"

namespace nodex::replication {

class AgentCore {
  public:
    struct Options {
        PopId pop{1};
        crypto::SecretKey link_key;
        Nanoseconds heartbeat_ns = second;
        Nanoseconds ship_delay_ns = 10 * millisecond;
        Nano lease_slice = 20 * nano_per_unit;
        storage::BuddyCopies::Options copies;
        std::uint32_t answer_ttl_ms = 86'400'000;  // how long this POP keeps an answer
        PlantedBug planted_bug = PlantedBug::none;
        std::string name = "pop";  // what operators are shown
        std::string version;       // same
        bool copies_awaited = false;  // clients see what the buddy has (CopyWaits)
        bool batches_packed = true;   // Shipper::Options
    };
    AgentCore(Transport& transport, CommitPort& commits, storage::Vault* vault, Clock& clock,
              Random& random, const Options& options, FeedFollower::Published published);

    void start();  // asks to be registered, again and again until it is
    void tick();   // at least every 10 ms while there is work, else every heartbeat
    void outbox_grew() { shipper_.outbox_grew(); }
    void appended(const storage::AppendNews& news) { peers_.appended(news); }

    [[nodiscard]] LeaseKeeper& leases() noexcept { return leases_; }
    [[nodiscard]] ClaimKeeper& claims() noexcept { return claims_; }
    [[nodiscard]] const Shipper& shipper() const noexcept { return shipper_; }
    [[nodiscard]] const OutboxWatch& outbox() const noexcept { return outbox_; }
    // Of the accounts' leases, up to a second old.
    [[nodiscard]] const LeaseKeeper::Totals& lease_totals() const noexcept { return lease_totals_; }
    [[nodiscard]] PopLink& link() noexcept { return link_; }
    [[nodiscard]] PeerService& peers() noexcept { return peers_; }
    [[nodiscard]] BodyFetcher& bodies() noexcept { return bodies_; }
    [[nodiscard]] const BodyEraser& eraser() const noexcept { return eraser_; }

    //   loading --what is stored is read--> unregistered
    //   unregistered --reply accepted, chains agree--> registered
    //   unregistered --must_reinstall, chains differ--> refused (an operator must look at this
    //   disk)
    //   registered --a message of a newer epoch--> unregistered (the ledger was restored)
    //   registered --the ledger's chain is not the outbox's--> unregistered (to be told what to do)
    // Unregistered for a second after the start: what was stored of the feed is published. Requests
    // that cost nothing are served; nothing is granted, so paid ones get budget_unavailable.
    enum class Phase : std::uint8_t { loading, unregistered, registered, refused };
    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    [[nodiscard]] std::uint64_t epochs_entered() const noexcept { return epochs_entered_; }

  private:
    void enter(Phase phase);
    void load();
    void register_now();
    void send_registration();
    void register_done(const Result<std::string>& payload);
    void accept(const RegisterReply& reply);
    void entered(const RegisterReply& reply, const Status& status);
    void epoch_changed();
    void register_again();
    void count();
    void fill(PopReport& report) const;

    PopLink link_;
    CommitPort& commits_;
    storage::Vault* vault_;
    Clock& clock_;
    LeaseKeeper leases_;
    ClaimKeeper claims_;
    FeedFollower feed_;
    Shipper shipper_;
    PeerService peers_;
    BodyFetcher bodies_;
    BodyEraser eraser_;
    OutboxWatch outbox_;
    Reporter reporter_;
    LeaseKeeper::Totals lease_totals_;
    Nanoseconds count_at_ns_ = 0;  // lease_totals_ anew
    Phase phase_ = Phase::loading;
    RegisterRequest registration_;  // as sent last
    Registration stored_;           // as it is durable
    bool in_flight_ = false;        // loading or a registration
    Nanoseconds register_at_ns_ = 0;
    Nanoseconds serve_stored_at_ns_ = 0;
    std::uint64_t epochs_entered_ = 0;  // ledgers that were restored while this process ran
};

}  // namespace nodex::replication
