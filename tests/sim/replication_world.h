// ReplicationWorld: one centre and two POPs in one thread from one seed: the production ledger,
// centre, agent state machines and journals, over a simulated network, clock and disks. Clients use
// the same idempotency keys at both POPs. Faults are drawn from the seed; checkers look at every
// step; at the end all faults stop and everything must converge.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "replication/agent_core.h"
#include "replication/central/central.h"
#include "replication/central/ledger.h"
#include "replication/central/memory_ledger_store.h"
#include "replication/transport_sim.h"
#include "storage/journal.h"
#include "storage/sim_store.h"

namespace nodex::replication {

// Planted in the simulated edge, beside those of PlantedBug.
enum class EdgeBug : std::uint8_t { none, unsynced_settlements };

// Runs work at the next step; a crash forgets what has not run.
class SimCommits final : public CommitPort {
  public:
    SimCommits(storage::Journal& journal, storage::SimStore& store)
        : journal_(journal), store_(store) {}
    using CommitPort::call;
    void call(Work work, Done done, Durable durable) override {
        calls_.push_back({std::move(work), std::move(done), durable});
    }
    void run();

  private:
    struct Call {
        Work work;
        Done done;
        Durable durable;
    };
    storage::Journal& journal_;
    storage::SimStore& store_;
    std::deque<Call> calls_;
};

// A request that holds money. As in the gateway nothing of it is logged before the centre's word on
// its key, or before it went on without one.
struct SimRequest {
    storage::OpenRequest open;
    LeaseScope* account = nullptr;
    LeaseScope* key = nullptr;
    Nanoseconds ends_at_ns = 0;
    bool fails = false;  // its provider: nothing is delivered
    bool gate_open = false;
};

// What a client was told is done: this must be in the ledger in the end.
struct SimExecution {
    storage::Settlement settlement;
};

class ReplicationWorld {
  public:
    ReplicationWorld(std::uint64_t seed, PlantedBug bug, EdgeBug edge_bug);
    ~ReplicationWorld();
    // Faults on for a while, then off until quiet. Answers the first violation, or "".
    std::string run();
    [[nodiscard]] const std::map<std::string, unsigned>& seen() const noexcept { return seen_; }

  private:
    struct Pop {
        unsigned number = 0;
        storage::SimStore store;
        std::unique_ptr<storage::Journal> journal;
        std::unique_ptr<SimCommits> commits;
        std::unique_ptr<Transport> transport;
        std::unique_ptr<AgentCore> core;
        std::shared_ptr<const Directory> directory;
        std::vector<SimRequest> running;
        unsigned asking = 0;
        std::optional<Nanoseconds> cut_since_ns;
        Nanoseconds silent_until_ns = 0;  // the centre may take it for dead until then
        std::uint64_t life = 0;           // counts crashes: an answer to an earlier life is dropped
    };

    void set_up();
    void start_centre();
    void restore_ledger();
    void wake_old_centre();
    void end_old_centre();
    void start_pop(Pop& pop);
    void crash(Pop& pop);
    void recover(Pop& pop);
    void step(Nanoseconds by);
    void inject();
    void client(Pop& pop);
    void reserved(Pop& pop, const storage::OpenRequest& request, LeaseScope* account,
                  LeaseScope* key);
    void end_requests(Pop& pop, bool all);
    void end_request(Pop& pop, const SimRequest& request);
    // --- claims (replication_claims.cc)
    void ask_centre(Pop& pop, const storage::OpenRequest& open);
    void answered(Pop& pop, const RequestId& id, const std::optional<ClaimReply::Entry>& word);
    void release(Pop& pop, const SimRequest& request, bool tell_centre);
    void cut(Pop& pop, bool is_cut);
    void silence(Pop& pop);  // cut off until another POP may take its claims over
    [[nodiscard]] bool may_seem_dead(const Pop& pop) const;
    [[nodiscard]] bool has_key(const RequestId& request) const {
        return granted_.contains(request) && !presumed_.contains(request);
    }
    void finish(Pop& pop, const SimRequest& request, Nano amount);
    bool write(Pop& pop, const storage::Batch& batch);
    bool quiet();

    // --- checkers: each sets violation_ when its property does not hold
    void check_step();
    void check_leases(Pop& pop);  // I4
    void check_ledger();          // I1, I3, lease sums
    void check_end();             // I2, I5, I6, I7, I11
    void check_rows();
    void check_claims();  // C2, C3
    void check_claim(const ledger::Claim& before, const std::optional<ledger::Claim>& after);
    void check_executions();  // C1
    void check_marks(Pop& pop);
    void violated(const std::string& what);

    const std::uint64_t seed_;
    const PlantedBug bug_;
    const EdgeBug edge_bug_;
    SeededRandom random_;
    ManualClock clock_;
    SimNetwork network_;
    MemoryLedgerStore ledger_store_;
    Ledger ledger_{ledger_store_};  // the checkers' eyes; the centre has its own
    SeededRandom central_random_{1};
    crypto::SecretKey link_keys_[2];
    std::unique_ptr<Central> central_;
    MemoryLedgerStore backup_;
    bool has_backup_ = false;
    // What the ledger was before it was restored, and the process that may still serve it.
    MemoryLedgerStore lost_store_;
    bool has_lost_ = false;
    std::unique_ptr<Central> old_centre_;
    std::vector<std::unique_ptr<Pop>> pops_;
    std::vector<SimExecution> executions_;
    std::set<RequestId> granted_;     // the centre gave them their key
    std::set<RequestId> presumed_;    // and took it from, or gave it after, a presumed death
    std::set<RequestId> gates_open_;  // may have logged something
    std::map<std::string, ledger::Claim> claims_;  // as they were a step ago
    std::map<std::string, unsigned> seen_;  // what happened, so that a test can tell that it did
    std::uint64_t next_request_ = 0;
    std::string violation_;
};

}  // namespace nodex::replication
