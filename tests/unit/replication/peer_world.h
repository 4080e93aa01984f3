// PeerWorld: a centre and some POPs in one thread: the production agent state machines, journals
// and the ledger over a simulated network, clock and disks. Streams are logged here as the gateway
// logs them, sealed with a key that all POPs have.
#pragma once
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/limits.h"
#include "replication/agent_core.h"
#include "replication/central/central.h"
#include "replication/central/ledger.h"
#include "replication/central/memory_ledger_store.h"
#include "replication/transport_sim.h"
#include "storage/append_tap.h"
#include "storage/keyspace.h"
#include "storage/sim_store.h"
#include "tests/unit/replication/request_ids.h"
#include "tests/unit/storage/samples.h"

namespace nodex::replication {

class PeerWorld {
  public:
    static constexpr std::uint64_t copies_bytes_max = 1024 * 1024;

    // Runs work when told; a crash forgets what has not run.
    class Commits final : public CommitPort {
      public:
        explicit Commits(PeerWorld& world, unsigned number) : world_(world), number_(number) {}
        using CommitPort::call;
        void call(Work work, Done done, Durable durable) override {
            (void)durable;
            calls_.push_back({std::move(work), std::move(done)});
        }
        void run() {
            for (std::size_t left = calls_.size(); left > 0; --left) {
                const Call call = std::move(calls_.front());
                calls_.pop_front();
                storage::Batch batch;
                Pop& pop = *world_.pops_[number_];
                Status status = call.work(*pop.journal, pop.store, batch);
                if (status && !batch.empty()) status = world_.write(pop, batch);
                call.done(status);
            }
        }

      private:
        struct Call {
            Work work;
            Done done;
        };
        PeerWorld& world_;
        const unsigned number_;
        std::deque<Call> calls_;
    };
    struct Pop {
        unsigned number = 0;
        storage::SimStore store;
        std::unique_ptr<storage::Journal> journal;
        std::unique_ptr<storage::AppendTap> tap;
        std::unique_ptr<Commits> commits;
        std::unique_ptr<Transport> transport;
        std::unique_ptr<AgentCore> core;
    };

    // `copies_awaited`: clients see what the buddy has.
    explicit PeerWorld(unsigned pops, std::uint64_t seed = 1, bool copies_awaited = false)
        : copies_awaited_(copies_awaited), random_(seed), network_(clock_, seed * 31 + 7) {
        Ledger ledger(ledger_store_);  // accounts up to the one that samples::request() names
        for (std::uint64_t account = 1; account <= raw(storage::samples::request(1).account);
             ++account)
            NX_ASSERT(
                ledger.create_account("customer", *ledger::parse_currency("USD"), 1).has_value());
        CentralOptions options;
        for (unsigned i = 0; i < pops; ++i) {
            link_keys_.push_back(crypto::SecretKey::generate(random_));
            options.link_keys.emplace_back(id(i), link_keys_.back());
        }
        central_ =
            std::make_unique<Central>(ledger_store_, network_.centre(), clock_, random_, options);
        NX_ASSERT(central_->start(false).has_value());
        for (unsigned i = 0; i < pops; ++i) {
            pops_.push_back(std::make_unique<Pop>());
            pops_.back()->number = i;
            start(i);
        }
        run(2 * second);
        for (const auto& pop : pops_) NX_ASSERT(pop->core->phase() == AgentCore::Phase::registered);
    }

    static PopId id(unsigned number) { return PopId{static_cast<std::uint16_t>(number + 1)}; }
    Pop& pop(unsigned number) { return *pops_[number]; }
    PeerService& peers(unsigned number) { return pops_[number]->core->peers(); }
    ManualClock& clock() { return clock_; }
    SimNetwork& network() { return network_; }

    void start(unsigned number) {
        Pop& pop = *pops_[number];
        SeededRandom install(number + 77);
        auto journal = storage::Journal::open(pop.store, install);
        NX_ASSERT(journal.has_value());
        pop.journal = std::move(*journal);
        recover(pop);
        pop.tap = std::make_unique<storage::AppendTap>();
        pop.tap->listen();
        pop.commits = std::make_unique<Commits>(*this, number);
        pop.transport = network_.connect(number);
        AgentCore::Options options;
        options.pop = id(number);
        options.link_key = link_keys_[number];
        options.heartbeat_ns = 200 * millisecond;
        options.copies = {copies_bytes_max, 26 * 3'600'000};
        options.copies_awaited = copies_awaited_;
        pop.core =
            std::make_unique<AgentCore>(*pop.transport, *pop.commits, nullptr, clock_, random_,
                                        options, [](std::shared_ptr<const Directory>) {});
        pop.core->start();
    }
    // kill -9: the disk stays.
    void kill(unsigned number) {
        Pop& pop = *pops_[number];
        pop.core.reset();
        pop.transport.reset();
        pop.commits.reset();
        pop.tap.reset();
        pop.journal.reset();
        pop.store.crash_process();
    }
    void step(Nanoseconds by) {
        clock_.advance(by);
        network_.step();
        for (const auto& pop : pops_) {
            if (!pop->core) continue;
            pop->commits->run();
            pop->core->appended(pop->tap->take());
            pop->transport->expire();
            pop->core->tick();
            pop->commits->run();
        }
    }
    void run(Nanoseconds time) {
        for (Nanoseconds left = time; left > 0; left -= 5 * millisecond) step(5 * millisecond);
    }

    Status write(Pop& pop, const storage::Batch& batch) {
        const Status written = pop.store.write(batch, storage::Durability::process);
        if (written && pop.tap) pop.tap->record(batch);
        return written;
    }
    // storage/recovery.h in short: what was logged is all there will be.
    void recover(Pop& pop) {
        for (const storage::OpenRequest& open : std::vector(pop.journal->recovered())) {
            std::uint32_t chunks = 0;
            while (*pop.store.get(storage::Family::body,
                                  storage::body_key(open.answer, chunks).view()))
                ++chunks;
            if (chunks == 0)
                release(pop.number, open);
            else
                finish(pop.number, open, chunks, false);
        }
    }
    // --- a stream at `number`, as the gateway logs it; its chunks are any octets
    storage::OpenRequest open(unsigned number, std::uint64_t request) {
        storage::OpenRequest open = storage::samples::request(request);
        open.request_id = request_of(id(number), request);
        open.reservation.account_generation = 0;
        open.created_ms = clock_.wall_ms();
        storage::Batch batch;
        auto claimed = pop(number).journal->claim(open, {}, clock_.wall_ms(), batch);
        NX_ASSERT(claimed && claimed->verdict == storage::ClaimVerdict::granted);
        NX_ASSERT(write(pop(number), batch).has_value());
        return open;
    }
    void append(unsigned number, const storage::OpenRequest& open, std::uint32_t chunk,
                std::string text = {}) {
        if (text.empty()) text = "chunk " + std::to_string(chunk);
        storage::Batch batch;
        pop(number).journal->append_chunk(open.answer, chunk, text, chunk == 0 ? "key record" : "",
                                          batch);
        NX_ASSERT(write(pop(number), batch).has_value());
    }
    void finish(unsigned number, const storage::OpenRequest& open, std::uint32_t chunks,
                bool complete = true) {
        storage::Finish finish = storage::samples::finish(open, 5);
        finish.answer.chunks_count = chunks;
        finish.answer.complete = complete;
        finish.settlement->reservation.account_generation = 0;
        storage::Batch batch;
        NX_ASSERT(pop(number).journal->finish(finish, batch).has_value());
        NX_ASSERT(write(pop(number), batch).has_value());
    }
    void release(unsigned number, const storage::OpenRequest& open) {
        storage::Batch batch;
        NX_ASSERT(pop(number).journal->release(open.request_id, batch).has_value());
        NX_ASSERT(write(pop(number), batch).has_value());
    }

    // What `number` asks about `open` of `owner`.
    static ReadRequest question(unsigned owner, const storage::OpenRequest& open,
                                std::uint32_t from, std::uint32_t wait_ms = 0) {
        ReadRequest request;
        request.owner = id(owner);
        request.account = open.account;
        request.idempotency = open.idempotency;
        request.fingerprint = open.fingerprint;
        request.from_chunk = from;
        request.bytes_max = limits::read_bytes_max;
        request.wait_ms = wait_ms;
        return request;
    }
    // Reads and runs until the answer is there; nothing: unavailable.
    std::optional<ReadReply> read(unsigned reader, const ReadRequest& request,
                                  Nanoseconds patience = 20 * second) {
        std::optional<Result<ReadReply>> got;
        peers(reader).remote().read(
            request, [&got](Result<ReadReply> reply, bool) { got = std::move(reply); });
        for (Nanoseconds waited = 0; !got && waited < patience; waited += 5 * millisecond)
            step(5 * millisecond);
        NX_ASSERT(got.has_value());
        if (!*got) return std::nullopt;
        return std::move(**got);
    }

  private:
    const bool copies_awaited_;
    SeededRandom random_;
    ManualClock clock_;
    SimNetwork network_;
    MemoryLedgerStore ledger_store_;
    std::vector<crypto::SecretKey> link_keys_;
    std::unique_ptr<Central> central_;
    std::vector<std::unique_ptr<Pop>> pops_;
};

}  // namespace nodex::replication
