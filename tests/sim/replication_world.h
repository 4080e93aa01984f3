// ReplicationWorld: a centre of two processes and three POPs in one thread from one seed: the
// production ledger, centre, agent state machines, journals and vaults, over a simulated network,
// clocks and disks. Clients use the same idempotency keys at all POPs. Faults are drawn from the
// seed; checkers look at every step and every commit of the ledger; at the end all faults stop and
// everything must converge.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "replication/central/body_key_service.h"
#include "replication/central/ledger.h"
#include "tests/sim/sim_centres.h"
#include "tests/sim/sim_pop.h"
#include "tests/sim/watched_ledger_store.h"

namespace nodex::replication {

// Planted in the simulated edge, beside those of PlantedBug.
enum class EdgeBug : std::uint8_t { none, unsynced_settlements };

class ReplicationWorld {
  public:
    using Counts = std::map<std::string, std::uint64_t>;
    ReplicationWorld(std::uint64_t seed, PlantedBug bug, EdgeBug edge_bug);
    ~ReplicationWorld();
    // Faults on for a while, then off until quiet. Answers the first violation, or "".
    std::string run();
    // What happened of itself (requests, takeovers), so that a test can tell that it did.
    [[nodiscard]] const Counts& seen() const noexcept { return seen_; }
    // What was done to them.
    [[nodiscard]] const Counts& faults() const noexcept { return faults_; }

  private:
    // --- their life (replication_world.cc)
    void set_up();
    std::unique_ptr<Central> make_centre(LedgerStore& store, TransportServer& port);
    void start_centre(unsigned number);
    void start_centres();
    [[nodiscard]] static bool shows_as_pause(Nanoseconds by_centre_clock) noexcept;
    [[nodiscard]] bool anybody_listens() const;
    void answered(Bytes subject, Bytes request);
    void start_pop(SimPop& pop);
    void end_pop(SimPop& pop);
    void recover(SimPop& pop);
    void reinstall(SimPop& pop);
    void step(Nanoseconds by);
    const char* unrest();
    void wait_for_leases_of_lost_disks();

    // --- faults (replication_faults.cc)
    struct Fault {
        const char* name;
        unsigned weight;                                // of a thousand draws
        bool (ReplicationWorld::*inject)(SimPop& pop);  // false: it does not fit just now
    };
    static const Fault table[];
    void inject();
    bool kill_pop(SimPop& pop);
    bool lose_power(SimPop& pop);
    bool lose_disk(SimPop& pop);
    bool copy_disk(SimPop& pop);
    bool roll_disk_back(SimPop& pop);
    bool forget_returns(SimPop& pop);
    bool set_clock(SimPop& pop);
    bool set_centre_clock(SimPop& pop);
    bool cut_link(SimPop& pop);
    bool cut_link_one_way(SimPop& pop);
    bool heal_links(SimPop& pop);
    bool cut_until_reclaimed(SimPop& pop);
    bool cut_until_silent(SimPop& pop);
    bool idle(SimPop& pop);
    bool outlive_answers(SimPop& pop);
    bool kill_centre(SimPop& pop);
    bool restart_centres(SimPop& pop);
    bool freeze_centre(SimPop& pop);
    bool wake_centre(SimPop& pop);
    bool back_up_ledger(SimPop& pop);
    bool restore_ledger(SimPop& pop);
    bool wake_old_centre(SimPop& pop);
    bool end_old_centre(SimPop& pop);
    void begin_history(SimPop& pop, std::uint64_t certain_max = UINT64_MAX);
    void end_history(std::size_t history);
    std::uint64_t applied_of(const SimHistory& history);
    void forget_lost_grants();
    void stop_faults();

    // --- clients (replication_requests.cc)
    void client(SimPop& pop);
    void reserved(SimPop& pop, const storage::OpenRequest& request, LeaseScope* account,
                  LeaseScope* key);
    void end_requests(SimPop& pop, bool all);
    void end_request(SimPop& pop, const SimRequest& request);
    void finish(SimPop& pop, const SimRequest& request, Nano amount);
    bool write(SimPop& pop, const storage::Batch& batch);
    // --- claims (replication_claims.cc)
    void ask_centre(SimPop& pop, const storage::OpenRequest& open);
    void claim_answered(SimPop& pop, const RequestId& id,
                        const std::optional<ClaimReply::Entry>& word);
    void release(SimPop& pop, const SimRequest& request, bool tell_centre);
    [[nodiscard]] bool has_key(const RequestId& request) const {
        return granted_.contains(request) && !presumed_.contains(request);
    }
    // --- body keys (replication_bodies.cc)
    void seal_body(SimPop& pop);
    bool rotate_body_key(SimPop& pop);
    bool shred_account(SimPop& pop);
    void shred_again();  // after a restore: what the ledger forgot that it had ordered

    std::uint64_t epoch();  // of the ledger as it stands
    // --- checkers: each sets violation_ when its property does not hold
    void committed(const LedgerChange& change, const std::optional<std::string>& before);
    void check_step();
    void check_leases(SimPop& pop);                                             // I4
    void check_disk(const SimPop& pop);                                         // D2
    void check_closing(const LedgerChange& change, const std::string& before);  // L1
    void check_ledger();  // I1, I3, lease sums
    void check_end();
    void check_rows();                                       // I5, I11
    void check_uses(const std::vector<RequestId>& charged);  // I2
    void check_losses(Nano late_loss, Nano excused);         // I7
    void check_claim(const ledger::Claim& before,
                     const std::optional<ledger::Claim>& after);  // C2, C3
    void check_executions();                                      // C1
    void check_apart(const SimExecution& first, const SimExecution& second, Nanoseconds apart_ns,
                     std::int64_t looked_ms);
    void check_marks(SimPop& pop);  // I6, I10
    void check_locks();             // L2
    void check_bodies();            // B1, B2, B3
    [[nodiscard]] Nanoseconds uses_slack_ns() const;
    [[nodiscard]] bool must_be_booked(const SimExecution& execution) const;
    void violated(const std::string& what);

    const std::uint64_t seed_;
    const PlantedBug bug_;
    const EdgeBug edge_bug_;
    SeededRandom random_;
    ManualClock clock_;  // the true time
    SimNetwork network_;
    DriftingClock centre_clock_;
    SeededRandom central_random_;
    WatchedLedgerStore ledger_store_;
    Ledger ledger_;  // the operator's hand and the checkers' eyes; the centre has its own
    crypto::SecretKey root_key_;
    BodyKeyService body_keys_;
    std::vector<crypto::SecretKey> link_keys_;
    SimCentres centres_;
    MemoryLedgerStore backup_;
    bool has_backup_ = false;
    std::uint64_t epoch_raised_ = 0;
    // What the ledger was before it was restored, and the process that may still serve it.
    MemoryLedgerStore lost_store_;
    bool has_lost_ = false;
    std::unique_ptr<Central> old_centre_;
    std::vector<std::unique_ptr<SimPop>> pops_;
    std::vector<SimHistory> histories_;
    std::vector<SimExecution> executions_;
    std::map<RequestId, IdempotencyId> granted_;  // the centre, as it stands, gave them their key
    std::set<RequestId> presumed_;    // and took it from, or gave it after, a presumed death
    std::set<RequestId> gates_open_;  // may have logged something
    std::map<RequestId, SimBegin> began_;
    std::vector<SimBody> bodies_;
    std::uint32_t shreds_ordered_ = 0;
    std::uint32_t shredded_below_ = 0;  // versions of the account's key
    // When each POP spoke last in a way that the ledger notes, and since when somebody listens.
    std::vector<Nanoseconds> heard_ns_;
    Nanoseconds listening_since_ns_ = 0;
    // When each process of the centre was frozen last, by its own clock.
    std::vector<Nanoseconds> frozen_ns_;
    Counts seen_;
    Counts faults_;
    std::uint64_t next_request_ = 0;
    std::string violation_;
};

}  // namespace nodex::replication
