// MetricsServer: see the header.
#include "replication/central/program/metrics_server.h"

#include <atomic>
#include <thread>

#include "edge/base/log.h"
#include "edge/base/thread_role.h"
#include "edge/connection/acceptor.h"
#include "edge/io/uring_loop.h"
#include "edge/metrics/metrics_handler.h"

namespace nodex::central {
namespace {

constexpr std::uint32_t connections_max = 32;  // of scrapers; one more waits
constexpr Nanoseconds stop_poll = 50 * millisecond;
constexpr Nanoseconds stop_grace = 1 * second;  // then connections are cut
// A scraper needs little; the edge's defaults are for thousands of clients.
constexpr unsigned recv_buffers = 64;

}  // namespace

struct MetricsServer::State {
    State(std::function<std::string()> text, std::function<bool()> ready)
        : handler(std::move(text), std::move(ready)) {}

    void look() noexcept;
    void serve() noexcept {
        begin_helper_thread("nodex-metrics");
        acceptor->start();
        start_timer<&State::look>(loop->timers(), timer, loop->now_ns() + stop_poll, this);
        loop->run();
    }

    metrics::MetricsHandler handler;
    std::unique_ptr<UringLoop> loop;
    std::unique_ptr<Acceptor> acceptor;
    std::string address;
    Timer timer;
    std::atomic<bool> stopping{false};
    Nanoseconds cut_at_ns = 0;  // set: draining
    std::thread thread;
};

// Whether we are to end; a wake-up from another thread would need mail for something that happens
// once.
void MetricsServer::State::look() noexcept {
    const Nanoseconds now = loop->now_ns();
    if (stopping.load(std::memory_order_acquire)) {
        if (cut_at_ns == 0) {
            cut_at_ns = now + stop_grace;
            acceptor->drain();
        } else if (now >= cut_at_ns) {
            acceptor->abort_all();
        }
        if (acceptor->drained()) return loop->stop();
    }
    start_timer<&State::look>(loop->timers(), timer, now + stop_poll, this);
}

MetricsServer::MetricsServer(std::function<std::string()> text, std::function<bool()> ready)
    : state_(std::make_unique<State>(std::move(text), std::move(ready))) {}

MetricsServer::~MetricsServer() {
    stop();
}

Status MetricsServer::start(const std::string& address) {
    State& state = *state_;
    auto listener = check_address_free(address) ? listen_on(address)
                                                : Result<int>(check_address_free(address).error());
    if (!listener) {
        log::error("listen_failed", {{"address", address}, {"errno", listener.error().os_errno}});
        return listener.error();
    }
    UringOptions options;
    options.recv_buffers_count = recv_buffers;
    auto loop = UringLoop::create(options);
    if (!loop) return loop.error();
    state.loop = std::move(*loop);
    state.address =
        address.substr(0, address.rfind(':') + 1) + std::to_string(local_port(*listener));
    AcceptorOptions limits;
    limits.connections_max = connections_max;
    state.acceptor =
        std::make_unique<Acceptor>(*state.loop, state.handler, *listener, nullptr, limits);
    state.thread = std::thread([&state] { state.serve(); });
    return {};
}

const std::string& MetricsServer::address() const noexcept {
    return state_->address;
}

void MetricsServer::stop() {
    State& state = *state_;
    if (!state.thread.joinable()) return;
    state.stopping.store(true, std::memory_order_release);
    state.thread.join();
    state.acceptor.reset();
    state.loop.reset();
}

}  // namespace nodex::central
