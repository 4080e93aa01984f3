// Settlements a second that one ledger applies, in batches as POPs ship them.
// Sketch: a settlement reads and writes about ten records of 100 octets through maps and two
// hashes: 10 to 20 us in memory, so 50 to 100 k/s. On RocksDB a batch adds one synced write: at
// 0.25 ms a batch of 256 hardly shows, a batch of 1 is nothing but that.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <filesystem>

#include "replication/central/ledger.h"
#include "replication/central/memory_ledger_store.h"
#include "replication/central/rocks_ledger_store.h"
#include "storage/rocks_store.h"

namespace nodex::replication {
namespace {

constexpr Nano unit = nano_per_unit;

void settle_batches(benchmark::State& state, LedgerStore& store) {
    Ledger ledger(store);
    const AccountId account = ledger.create_account("a", *ledger::parse_currency("USD"), 1)->id;
    NX_ASSERT(ledger.top_up(account, 4'000'000'000 * unit, "r", 1).has_value());
    RegisterRequest registration;
    registration.install.octets[0] = 1;
    const std::uint32_t incarnation = ledger.register_pop(PopId{1}, registration, 1)->incarnation;
    LeaseRequest lease;
    lease.ask = true;
    lease.entries.push_back(
        {{LeaseKey::Kind::account, raw(account)}, 1, 4'000'000'000 * unit, 0, 0, 0});
    NX_ASSERT(ledger.lease(PopId{1}, incarnation, lease, 1).has_value());
    const auto batch_records = static_cast<std::uint64_t>(state.range(0));
    std::uint64_t sequence = 0;
    ChainHash chain;
    for ([[maybe_unused]] auto _ : state) {
        state.PauseTiming();
        ShipRequest request{sequence + 1, chain, {}};
        for (std::uint64_t i = 0; i < batch_records; ++i) {
            storage::Settlement settlement;
            ++sequence;
            std::memcpy(settlement.request_id.octets.data(), &sequence, sizeof sequence);
            std::memcpy(settlement.idempotency.octets.data(), &sequence, sizeof sequence);
            settlement.account = account;
            settlement.key = KeyId{1};
            settlement.reservation = {1'000'000, 1, 0, 1};
            settlement.amount = 700'000;
            request.records.push_back(storage::encode(settlement));
            chain = next_chain(chain, request.records.back());
        }
        state.ResumeTiming();
        NX_ASSERT(ledger.ship(PopId{1}, incarnation, request, static_cast<std::int64_t>(sequence))
                      ->applied == sequence);
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(sequence));
}

void ledger_in_memory(benchmark::State& state) {
    MemoryLedgerStore store;
    settle_batches(state, store);
}
BENCHMARK(ledger_in_memory)->Arg(1)->Arg(32)->Arg(256);

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
BENCHMARK(ledger_on_rocksdb)->Arg(1)->Arg(32)->Arg(256)->UseRealTime();

}  // namespace
}  // namespace nodex::replication

BENCHMARK_MAIN();
