// Cost of a paid request's two durable steps, claim and finish, through the commit thread on
// RocksDB. Sketch: about 6 rows (open put and erase, idem, outbox, lease, chunk) at 1 to 1.5 us
// each in the memtable and log, one look-up of an absent key (1 us), hashing and codecs (2 us): 10
// to 12 us of CPU a pair when batches are large; alone, two wake-ups and two log writes more: 40 to
// 60 us. Goal: below 20 us under load. CPU is the process's (both threads); wall is per pair.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <deque>
#include <thread>

#include "storage/commit_thread.h"
#include "storage/rocks_store.h"
#include "tests/unit/storage/samples.h"
#include "tests/unit/storage/temporary_directory.h"

namespace nodex::storage {
namespace {

struct SleepingWaker final : Waker {
    std::atomic<std::uint32_t> wakes{0};
    void wake() noexcept override {
        wakes.fetch_add(1, std::memory_order_release);
        wakes.notify_one();
    }
};

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// One request slot: claim, finish with one sealed chunk of 600 octets, again.
struct Client {
    void start() {
        claim.request = samples::request(++*numbers);
        commits->submit(claim, *loop, when_done<&Client::claimed>(this));
    }
    void claimed() {
        NX_ASSERT(claim.status().has_value());
        finish.finish = samples::finish(claim.request, 1);
        finish.body = claim.request.answer;
        finish.chunks.assign(1, {0, std::string(600, 's')});
        finish.key_record.assign(120, 'k');
        commits->submit(finish, *loop, when_done<&Client::finished>(this));
    }
    void finished() {
        NX_ASSERT(finish.status().has_value());
        ++*pairs;
        if (*pairs + *outstanding <= target) return start();
        --*outstanding;
    }
    CommitThread* commits = nullptr;
    Mailbox* loop = nullptr;
    std::uint64_t* numbers = nullptr;
    std::uint64_t* pairs = nullptr;
    std::uint64_t* outstanding = nullptr;
    std::uint64_t target = 0;
    ClaimOperation claim;
    FinishOperation finish;
};

void claim_and_finish(benchmark::State& state, Durability durability) {
    const auto clients_count = static_cast<std::uint64_t>(state.range(0));
    TemporaryDirectory directory;
    RocksOptions options;
    options.path = directory.path() + "/data";
    auto store = RocksStore::open(options);
    auto journal = Journal::open(**store);
    CommitThread commits(**store, **journal, system_clock(), durability);
    commits.start();
    SleepingWaker waker;
    Mailbox loop(waker);
    std::uint64_t numbers = 0, pairs = 0, outstanding = 0;
    const std::uint64_t pairs_an_iteration = clients_count * 64;
    std::deque<Client> clients(clients_count);
    const double cpu_before = cpu_seconds();
    for (auto _ : state) {
        pairs = 0;
        outstanding = clients_count;
        for (Client& client : clients) {
            client.commits = &commits;
            client.loop = &loop;
            client.numbers = &numbers;
            client.pairs = &pairs;
            client.outstanding = &outstanding;
            client.target = pairs_an_iteration;
            client.start();
        }
        while (outstanding > 0) {
            const std::uint32_t seen = waker.wakes.load(std::memory_order_acquire);
            if (loop.deliver() == 0 && loop.may_sleep())
                waker.wakes.wait(seen, std::memory_order_acquire);
        }
    }
    const auto total = static_cast<double>(numbers);
    state.counters["pairs_per_s"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
    state.counters["cpu_us_a_pair"] = (cpu_seconds() - cpu_before) * 1e6 / total;
    state.counters["operations_a_batch"] = static_cast<double>(commits.stats().operations.load()) /
                                           static_cast<double>(commits.stats().batches.load());
    commits.stop();
}

BENCHMARK_CAPTURE(claim_and_finish, process, Durability::process)
    ->Arg(1)
    ->Arg(64)
    ->Arg(512)
    ->UseRealTime();
BENCHMARK_CAPTURE(claim_and_finish, power, Durability::power)->Arg(1)->Arg(64)->UseRealTime();

}  // namespace
}  // namespace nodex::storage

BENCHMARK_MAIN();
