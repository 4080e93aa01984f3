// Settlements a second that one ledger applies, in batches as POPs ship them, a store each: four
// POPs, each with sixteen customers who spend in turn under a key of their own. Sketch: a
// settlement reads and writes about ten records of 100 octets through maps and two hashes: 10 to 20
// us in memory, so 50 to 100 k/s. On RocksDB a batch adds one synced write, on PostgreSQL three
// round trips and three new rows a settlement: at 10 us a row, 8 ms a batch of 256.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "edge/base/clock.h"
#include "replication/central/ledger.h"
#include "replication/central/memory_ledger_store.h"
#include "replication/central/postgres/postgres_ledger_store.h"
#include "replication/central/rocks_ledger_store.h"
#include "storage/rocks_store.h"
#include "tests/support/postgres_cluster.h"

namespace nodex::replication {
namespace {

constexpr Nano unit = nano_per_unit;
constexpr std::uint16_t pops_count = 4;
constexpr std::uint64_t accounts_count = 16;

struct Customer {
    AccountId account{};
    KeyId key{};
};

std::vector<Customer> make_customers(Ledger& ledger) {
    std::vector<Customer> customers;
    for (std::uint64_t i = 1; i <= accounts_count; ++i) {
        Customer customer;
        customer.account = ledger.create_account("a", *ledger::parse_currency("USD"), 1)->id;
        NX_ASSERT(ledger.top_up(customer.account, 400'000'000 * unit, "r", 1).has_value());
        KeyHash hash;
        std::memcpy(hash.octets.data(), &i, sizeof i);
        customer.key = ledger.create_key(customer.account, hash, KeySettings{}, 1)->id;
        customers.push_back(customer);
    }
    return customers;
}

// One POP's outbox, made while it is shipped.
class Pop {
  public:
    Pop(Ledger& ledger, std::uint16_t id, std::vector<Customer> customers)
        : id_(id), customers_(std::move(customers)) {
        RegisterRequest registration;
        registration.install.octets[0] = static_cast<std::uint8_t>(id);
        incarnation_ = ledger.register_pop(PopId{id}, registration, 1)->incarnation;
        LeaseRequest lease;
        lease.ask = true;
        for (const Customer& customer : customers_)
            lease.entries.push_back(
                {{LeaseKey::Kind::account, raw(customer.account)}, 1, 50'000'000 * unit, 0, 0, 0});
        NX_ASSERT(ledger.lease(PopId{id}, incarnation_, lease, 1).has_value());
    }
    ShipRequest next_batch(std::uint64_t records) {
        ShipRequest request{sequence_ + 1, chain_, {}};
        for (std::uint64_t i = 0; i < records; ++i) {
            ++sequence_;
            storage::Settlement settlement;
            const std::uint64_t number = std::uint64_t{id_} << 48 | sequence_;
            settlement.request_id.octets[0] = static_cast<std::uint8_t>(id_ >> 8);
            settlement.request_id.octets[1] = static_cast<std::uint8_t>(id_);
            std::memcpy(settlement.request_id.octets.data() + 8, &number, sizeof number);
            // A digest in production: its rows lie everywhere in the index.
            const std::uint64_t scattered = number * 0x9e37'79b9'7f4a'7c15;
            std::memcpy(settlement.idempotency.octets.data(), &scattered, sizeof scattered);
            const Customer& customer = customers_[sequence_ % customers_.size()];
            settlement.account = customer.account;
            settlement.key = customer.key;
            settlement.reservation = {1'000'000, 1, 0, 1};
            settlement.amount = 700'000;
            request.records.push_back(storage::encode(settlement));
            chain_ = next_chain(chain_, request.records.back());
        }
        return request;
    }
    void ship(Ledger& ledger, const ShipRequest& request) const {
        const Result<ShipReply> reply =
            ledger.ship(PopId{id_}, incarnation_, request, static_cast<std::int64_t>(sequence_));
        NX_ASSERT(reply.has_value() && reply->applied == sequence_);
    }

  private:
    std::uint16_t id_;
    std::vector<Customer> customers_;
    std::uint32_t incarnation_ = 0;
    std::uint64_t sequence_ = 0;
    ChainHash chain_;
};

double milliseconds_at(std::vector<Nanoseconds>& times, double share) {
    std::sort(times.begin(), times.end());
    const auto index = static_cast<std::size_t>(share * static_cast<double>(times.size() - 1));
    return static_cast<double>(times[index]) / 1e6;
}

void settle_batches(benchmark::State& state, LedgerStore& store) {
    Ledger ledger(store);
    const std::vector<Customer> customers = make_customers(ledger);
    std::vector<Pop> pops;
    for (std::uint16_t id = 1; id <= pops_count; ++id) pops.emplace_back(ledger, id, customers);
    const auto records = static_cast<std::uint64_t>(state.range(0));
    std::vector<Nanoseconds> times;
    for ([[maybe_unused]] auto _ : state) {
        Pop& pop = pops[times.size() % pops_count];
        const ShipRequest request = pop.next_batch(records);
        const Nanoseconds before = system_clock().now_ns();
        pop.ship(ledger, request);
        times.push_back(system_clock().now_ns() - before);
        state.SetIterationTime(static_cast<double>(times.back()) / 1e9);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(times.size() * records));
    state.counters["p50_ms"] = milliseconds_at(times, 0.5);
    state.counters["p99_ms"] = milliseconds_at(times, 0.99);
    NX_ASSERT(ledger.verify()->sound());
}

void ledger_in_memory(benchmark::State& state) {
    MemoryLedgerStore store;
    settle_batches(state, store);
}
BENCHMARK(ledger_in_memory)->Arg(1)->Arg(32)->Arg(256)->UseManualTime();

void ledger_on_rocksdb(benchmark::State& state) {
    const auto path =
        std::filesystem::temp_directory_path() / ("nodex_ledger_bench_" + std::to_string(getpid()));
    {
        storage::RocksOptions options;
        options.path = path.string();
        auto rocks = storage::RocksStore::open(options);
        NX_ASSERT(rocks.has_value());
        RocksLedgerStore store(**rocks);
        settle_batches(state, store);
    }
    std::filesystem::remove_all(path);
}
BENCHMARK(ledger_on_rocksdb)->Arg(1)->Arg(32)->Arg(256)->UseManualTime();

std::unique_ptr<PostgresLedgerStore> open_database(const std::string& url) {
    std::string problem;
    auto store = PostgresLedgerStore::open(url, SchemaPolicy::create, system_clock(), problem);
    NX_ASSERT(store != nullptr);
    return store;
}

void ledger_on_postgres(benchmark::State& state) {
    const auto store = open_database(PostgresCluster::shared().make_database());
    settle_batches(state, *store);
}
BENCHMARK(ledger_on_postgres)->Arg(1)->Arg(32)->Arg(256)->UseManualTime();

// Two centre processes on one database, each with its own POPs; a round is eight batches at each.
void ledger_on_postgres_two_centres(benchmark::State& state) {
    const std::string url = PostgresCluster::shared().make_database();
    const auto first = open_database(url);
    const auto second = open_database(url);
    Ledger ledgers[] = {Ledger(*first), Ledger(*second)};
    const std::vector<Customer> customers = make_customers(ledgers[0]);
    std::vector<Pop> pops;
    for (std::uint16_t id = 1; id <= 2; ++id) pops.emplace_back(ledgers[0], id, customers);
    const auto records = static_cast<std::uint64_t>(state.range(0));
    constexpr std::size_t round = 8;
    std::int64_t total = 0;
    for ([[maybe_unused]] auto _ : state) {
        std::vector<std::thread> threads;
        Nanoseconds spent[2] = {};
        for (std::size_t i = 0; i < 2; ++i)
            threads.emplace_back([&, i] {
                for (std::size_t batch = 0; batch < round; ++batch) {
                    const ShipRequest request = pops[i].next_batch(records);
                    const Nanoseconds before = system_clock().now_ns();
                    pops[i].ship(ledgers[i], request);
                    spent[i] += system_clock().now_ns() - before;
                }
            });
        for (std::thread& thread : threads) thread.join();
        state.SetIterationTime(static_cast<double>(std::max(spent[0], spent[1])) / 1e9);
        total += static_cast<std::int64_t>(2 * round * records);
    }
    state.SetItemsProcessed(total);
    NX_ASSERT(ledgers[0].verify()->sound());
}
BENCHMARK(ledger_on_postgres_two_centres)->Arg(256)->UseManualTime();

}  // namespace
}  // namespace nodex::replication

BENCHMARK_MAIN();
