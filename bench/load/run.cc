// The main thread's part: it starts workers, reads clocks and /proc at the edges of the window, and waits.
#include "bench/load/run.h"

#include <netdb.h>
#include <signal.h>

#include <algorithm>
#include <cstring>

#include "bench/load/worker.h"
#include "edge/crypto/crypto.h"

namespace nodex::bench {
namespace {

constexpr Nanoseconds open_deadline = 60 * second;
constexpr Nanoseconds open_poll = 20 * millisecond;
constexpr Nanoseconds start_delay = 50 * millisecond;

using Workers = std::vector<std::unique_ptr<Worker>>;

Result<SocketAddress> resolve(const Options& options) {
    const bool redirected = !options.connect_host.empty();
    const std::string& host = redirected ? options.connect_host : options.target.host;
    const std::uint16_t port = redirected ? options.connect_port : options.target.port;
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &list) != 0)
        return Error{ErrorCode::name_not_found, ErrorSource::configuration};
    SocketAddress address;
    std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
    address.size = list->ai_addrlen;
    freeaddrinfo(list);
    return address;
}

// False when a signal asked us to end.
bool wait_until(Nanoseconds at_ns) {
    sigset_t ending;
    sigemptyset(&ending);
    sigaddset(&ending, SIGINT);
    sigaddset(&ending, SIGTERM);
    for (;;) {
        const Nanoseconds left_ns = at_ns - system_clock().now_ns();
        if (left_ns <= 0) return true;
        const timespec timeout{left_ns / second, left_ns % second};
        if (sigtimedwait(&ending, nullptr, &timeout) > 0) return false;
    }
}

Result<Workers> make_workers(const Options& options, const SocketAddress& address) {
    Workers workers;
    const std::uint64_t run_number = crypto::secure_random().next_u64();
    for (unsigned index = 0; index < options.cores; ++index) {
        const unsigned share = options.connections_count / options.cores +
                               (index < options.connections_count % options.cores ? 1 : 0);
        auto worker = Worker::create(options, address,
                                     {.index = index,
                                      .workers_count = options.cores,
                                      .connections_count = share,
                                      .run = run_number});
        if (!worker) return worker.error();
        workers.push_back(std::move(*worker));
    }
    return workers;
}

unsigned opened_count(const Workers& workers) {
    unsigned count = 0;
    for (const auto& worker : workers) count += worker->opened_count();
    return count;
}

struct Reading {
    Nanoseconds at_ns = 0;
    Totals totals;
    ProcessUsage own;
    std::optional<ProcessUsage> server;
};

Reading read(const Options& options, const Workers& workers) {
    Reading reading;
    reading.at_ns = system_clock().now_ns();
    for (const auto& worker : workers) {
        const Totals one = worker->totals();
        reading.totals.answered += one.answered;
        reading.totals.events += one.events;
    }
    reading.own = read_own_usage();
    if (!options.server_pids.empty()) reading.server = read_usage(options.server_pids);
    return reading;
}

// A listener that is briefly full is tried again; a server that is not there, or not the right one, is not.
Status open_all(const Options& options, const Workers& workers) {
    const unsigned failures_max = 5 + options.connections_count / 100;
    const Nanoseconds deadline_ns = system_clock().now_ns() + open_deadline;
    while (opened_count(workers) < options.connections_count) {
        const Nanoseconds now_ns = system_clock().now_ns();
        for (const auto& worker : workers)
            if (worker->open_failures_count() > failures_max) return worker->open_error();
        if (now_ns >= deadline_ns) return Error{ErrorCode::timed_out, ErrorSource::provider};
        if (!wait_until(now_ns + open_poll)) return Error{ErrorCode::cancelled, ErrorSource::self};
    }
    return {};
}

// Fills what the two readings tell.
Status measure(const Options& options, const Workers& workers, Outcome& outcome) {
    Window window;
    window.start_ns = system_clock().now_ns() + start_delay;
    window.begin_ns = window.start_ns + options.warmup;
    window.end_ns = window.begin_ns + options.duration;
    for (const auto& worker : workers) worker->begin(window);
    if (!wait_until(window.begin_ns)) return Error{ErrorCode::cancelled, ErrorSource::self};
    const Reading before = read(options, workers);
    if (!wait_until(window.end_ns)) return Error{ErrorCode::cancelled, ErrorSource::self};
    const Reading after = read(options, workers);
    outcome.connections_open = opened_count(workers);
    outcome.window_s = static_cast<double>(after.at_ns - before.at_ns) / second;
    outcome.in_window = {.answered = after.totals.answered - before.totals.answered,
                         .events = after.totals.events - before.totals.events};
    outcome.own_cpu_ns = after.own.cpu_ns - before.own.cpu_ns;
    if (options.server_pids.empty()) return {};
    if (!before.server || !after.server) return Error{ErrorCode::not_found, ErrorSource::configuration};
    outcome.server_cpu_ns = after.server->cpu_ns - before.server->cpu_ns;
    outcome.rss_bytes = after.server->rss_bytes;
    return {};
}

}  // namespace

Result<Outcome> run(const Options& options) {
    Outcome outcome;
    const auto address = resolve(options);
    if (!address) return address.error();
    if (!options.server_pids.empty()) {
        const auto usage = read_usage(options.server_pids);
        if (!usage) return Error{ErrorCode::not_found, ErrorSource::configuration};
        outcome.rss_before_bytes = usage->rss_bytes;
    }
    auto workers = make_workers(options, *address);
    if (!workers) return workers.error();
    for (const auto& worker : *workers) worker->start();
    Status status = open_all(options, *workers);
    if (status) status = measure(options, *workers, outcome);
    for (const auto& worker : *workers) {
        if (status)
            worker->finish();
        else
            worker->abandon();
    }
    for (const auto& worker : *workers) {
        worker->join();
        outcome.measured->merge(worker->recorder());
        outcome.unfinished += worker->unfinished_count();
    }
    if (!status) return status.error();
    return outcome;
}

}  // namespace nodex::bench
