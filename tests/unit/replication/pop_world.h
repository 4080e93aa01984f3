// PopWorld: a centre and POPs in one thread, with the production ledger, agents and vaults over a
// simulated network, clock and disks, for tests of what a POP keeps and learns. Every POP has a
// folder of its own for its node key.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <deque>
#include <filesystem>
#include <optional>

#include "replication/agent_core.h"
#include "replication/central/central.h"
#include "replication/central/ledger.h"
#include "replication/central/memory_ledger_store.h"
#include "replication/transport_sim.h"
#include "storage/kek_rows.h"
#include "storage/sim_store.h"
#include "tests/sim/sim_clock.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication {

// Runs work at the next step.
class StepCommits final : public CommitPort {
  public:
    StepCommits(storage::Journal& journal, storage::Store& store)
        : journal_(journal), store_(store) {}
    using CommitPort::call;
    void call(Work work, Done done, Durable durable) override {
        calls_.push_back({std::move(work), std::move(done), durable});
    }
    void run() {
        for (std::size_t left = calls_.size(); left > 0; --left) {
            const Call call = std::move(calls_.front());
            calls_.pop_front();
            storage::Batch batch;
            Status status = call.work(journal_, store_, batch);
            if (status && !batch.empty())
                status = store_.write(batch, call.durable == Durable::synced
                                                 ? storage::Durability::power
                                                 : storage::Durability::process);
            call.done(status);
        }
    }

  private:
    struct Call {
        Work work;
        Done done;
        Durable durable;
    };
    storage::Journal& journal_;
    storage::Store& store_;
    std::deque<Call> calls_;
};

struct PopWorld {
    struct Pop {
        unsigned number = 0;
        storage::SimStore store;
        std::string folder;
        std::unique_ptr<storage::Journal> journal;
        std::unique_ptr<storage::Vault> vault;
        std::unique_ptr<StepCommits> commits;
        std::unique_ptr<Transport> transport;
        std::unique_ptr<AgentCore> core;
        std::shared_ptr<const Directory> directory;
        [[nodiscard]] bool registered() const {
            return core->phase() == AgentCore::Phase::registered;
        }
    };

    SeededRandom random{5};
    ManualClock clock;
    DriftingClock pop_clock{clock, 0};  // of all POPs: its wall time can be set
    SimNetwork network{clock, 3};
    Nanoseconds heartbeat_ns = 200 * millisecond;  // of POPs started from now on
    bool batches_packed = true;                    // the same
    MemoryLedgerStore ledger_store;
    Ledger ledger{ledger_store};
    // Nothing: a centre that is started from now on gives nobody a body key.
    std::optional<crypto::SecretKey> root = crypto::SecretKey::generate(random);
    std::vector<crypto::SecretKey> link_keys;
    std::unique_ptr<Central> central;
    std::vector<std::unique_ptr<Pop>> pops;
    std::filesystem::path folder =
        std::filesystem::temp_directory_path() / ("nodex_pop_world_" + std::to_string(::getpid()));

    explicit PopWorld(unsigned count = 2) {
        for (unsigned i = 0; i < count; ++i)
            link_keys.push_back(crypto::SecretKey::generate(random));
        start_centre();
        for (unsigned i = 0; i < count; ++i) {
            pops.push_back(std::make_unique<Pop>());
            pops.back()->number = i;
            pops.back()->folder = (folder / std::to_string(i)).string();
            std::filesystem::create_directories(pops.back()->folder);
        }
    }
    ~PopWorld() { std::filesystem::remove_all(folder); }

    // Forgets its handlers first: what a restart looks like from a POP.
    void start_centre() { start_centre(network.centre()); }
    // Behind a port that stands before the network's.
    void start_centre(TransportServer& port) {
        network.stop_centre();
        CentralOptions options;
        for (std::size_t i = 0; i < link_keys.size(); ++i) {
            options.link_keys.emplace_back(PopId{static_cast<std::uint16_t>(i + 1)}, link_keys[i]);
            options.commanders.trusted_pops.push_back(options.link_keys.back().first);
        }
        options.root_key = root;
        central = std::make_unique<Central>(ledger_store, port, clock, random, options);
        NX_ASSERT(central->start(false).has_value());
    }
    // The process ends (if it ran) and starts on the same disk.
    Pop& start(unsigned number) {
        Pop& pop = *pops[number];
        pop.core.reset();
        pop.transport.reset();
        pop.commits.reset();
        pop.directory.reset();
        auto journal = storage::Journal::open(pop.store, random);
        NX_ASSERT(journal.has_value());
        pop.journal = std::move(*journal);
        auto vault = storage::Vault::open(pop.folder + "/node.key", true, random);
        NX_ASSERT(vault.has_value());
        pop.vault = std::move(*vault);
        NX_ASSERT(storage::load_keks(pop.store, *pop.vault).has_value());
        pop.commits = std::make_unique<StepCommits>(*pop.journal, pop.store);
        pop.transport = network.connect(number);
        AgentCore::Options options;
        options.pop = PopId{static_cast<std::uint16_t>(number + 1)};
        options.link_key = link_keys[number];
        options.heartbeat_ns = heartbeat_ns;
        options.batches_packed = batches_packed;
        pop.core = std::make_unique<AgentCore>(
            *pop.transport, *pop.commits, pop.vault.get(), pop_clock, random, options,
            [&pop](std::shared_ptr<const Directory> next) { pop.directory = std::move(next); });
        pop.core->start();
        return pop;
    }
    void step(Nanoseconds by = 20 * millisecond) {
        clock.advance(by);
        network.step();
        for (const auto& pop : pops) {
            if (!pop->core) continue;
            pop->commits->run();
            pop->core->tick();
            pop->commits->run();
        }
        central->tick();
    }
    // False: it did not come true within `limit` of simulated time.
    template <class Condition>
    bool until(Condition condition, Nanoseconds limit = 60 * second) {
        const Nanoseconds end = clock.now_ns() + limit;
        while (!condition() && clock.now_ns() < end) step();
        return condition();
    }
    bool served(const Pop& pop) {
        return until([&] { return pop.directory != nullptr; });
    }
    AccountId make_account() {
        return ledger.create_account("customer", *ledger::parse_currency("USD"), clock.wall_ms())
            ->id;
    }
    // A request of the first POP, in the ledger, with an answer that is kept for good.
    RequestId settle_with_a_body(AccountId account) {
        storage::Settlement settlement;
        settlement.request_id = request_of(PopId{1}, 5);
        settlement.account = account;
        settlement.sealed_answer.id.octets[0] = 9;
        settlement.sealed_answer.expires_ms = INT64_MAX;
        NX_ASSERT(ledger.ship(PopId{1}, 1, {1, {}, {storage::encode(settlement)}}, clock.wall_ms())
                      .has_value());
        return settlement.request_id;
    }
};

}  // namespace nodex::replication
