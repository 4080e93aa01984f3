// SimPop: a POP of the simulator: disk, clocks, process, and what runs there.
#pragma once
#include <deque>
#include <memory>
#include <vector>

#include "edge/base/limits.h"
#include "replication/agent_core.h"
#include "replication/transport_sim.h"
#include "storage/journal.h"
#include "storage/sim_store.h"
#include "storage/vault.h"
#include "tests/sim/sim_clock.h"

namespace nodex::replication {

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
    std::uint64_t epoch = 0;  // that its POP was registered in
    Nanoseconds ends_at_ns = 0;
    bool fails = false;  // its provider: nothing is delivered
    bool gate_open = false;
};

// What a client was told is done: this must be in the ledger in the end, or its disk was lost.
struct SimExecution {
    storage::Settlement settlement;
    unsigned pop = 0;
    std::size_t history = 0;     // of the disk that it is on
    std::uint64_t sequence = 0;  // in that disk's outbox
    std::uint64_t epoch = 0;
    Nanoseconds ended_ns = 0;  // by the true time
};

// When a request was free to run: its POP had looked for an answer, and reserved its money.
struct SimBegin {
    Nanoseconds at_ns = 0;    // by the true time
    std::int64_t pop_ms = 0;  // by the POP's clock
};

// How long a POP keeps an answer: the shortest there is, so that clients use keys anew.
inline constexpr std::int64_t sim_answers_kept_ms = limits::idempotency_ttl_min / millisecond;

// Far less than what a closing lease allows for; far more than what one process takes for waiting.
inline constexpr std::int64_t sim_centre_clock_set_max_ms = 20'000;

// One line of a disk's life: a lost or older disk begins another one.
struct SimHistory {
    unsigned pop = 0;
    InstallId install;                       // of the disk
    std::uint32_t incarnation = 0;           // as registered last
    bool over = false;                       // the disk is gone
    std::uint64_t certain = 0;               // over: the ledger had applied up to here
    std::uint64_t certain_max = UINT64_MAX;  // begun as a copy: what is beyond it has two meanings
};

// A sealed answer as a client could ask for it later.
struct SimBody {
    unsigned pop = 0;
    std::size_t history = 0;
    BodyId id;
    std::uint32_t version = 0;  // of the account's key
    std::string key_record;
    std::string sealed;
};

struct SimPop {
    explicit SimPop(unsigned pop_number, const ManualClock& true_time, int ppm)
        : number(pop_number), clock(true_time, ppm) {}
    [[nodiscard]] PopId id() const noexcept {
        return PopId{static_cast<std::uint16_t>(number + 1)};
    }
    [[nodiscard]] bool registered() const noexcept {
        return core->phase() == AgentCore::Phase::registered;
    }

    const unsigned number;
    DriftingClock clock;
    std::unique_ptr<storage::SimStore> store;
    std::size_t history = 0;
    bool went_back = false;  // the disk is an older copy, and has not been accepted since
    bool is_behind = false;  // and the ledger had applied more than is on it
    // A copy of the disk that somebody keeps.
    std::unique_ptr<storage::SimStore> copy;
    std::size_t copy_history = 0;
    std::uint64_t copy_last = 0;  // its outbox's end

    // --- the process
    std::unique_ptr<storage::Journal> journal;
    std::unique_ptr<storage::Vault> vault;
    std::unique_ptr<SimCommits> commits;
    std::unique_ptr<Transport> transport;
    std::unique_ptr<AgentCore> core;
    std::shared_ptr<const Directory> directory;
    std::vector<SimRequest> running;
    unsigned asking = 0;
    std::uint64_t life = 0;  // counts starts: an answer to an earlier life is dropped
};

// A disk with the same contents, all of it durable.
std::unique_ptr<storage::SimStore> copy_of(storage::SimStore& disk);

// A folder for node keys and outboxes that are set aside, as long as the process lives.
const std::string& sim_folder();

}  // namespace nodex::replication
