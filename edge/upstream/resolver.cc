// The resolver's thread: look-ups that somebody waits for first, refreshes of known names second.
#include "edge/upstream/resolver.h"

#include <csignal>
#include <netdb.h>
#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>

#include "edge/base/clock.h"
#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "edge/base/thread_role.h"
#include "edge/upstream/resolver_cache.h"

namespace nodex::upstream {
namespace {

constexpr Error not_found{ErrorCode::name_not_found, ErrorSource::provider, true};
constexpr Error stopped{ErrorCode::cancelled, ErrorSource::self};

Addresses look_up_system(const std::string& host) noexcept {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    Addresses addresses;
    const int status = getaddrinfo(host.c_str(), nullptr, &hints, &list);
    if (status != 0) {
        log::warning("name_not_resolved", {{"host", host}, {"reason", gai_strerror(status)}});
        return addresses;
    }
    for (const addrinfo* item = list; item != nullptr; item = item->ai_next) {
        if (addresses.size() == limits::resolved_addresses_max) break;
        if (item->ai_family != AF_INET && item->ai_family != AF_INET6) continue;
        SocketAddress address;
        std::memcpy(&address.storage, item->ai_addr, item->ai_addrlen);
        address.size = item->ai_addrlen;
        addresses.push_back(address);
    }
    freeaddrinfo(list);
    return addresses;
}

// Signals belong to the main thread.
void block_signals() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct Resolver::State {
    explicit State(LookUp function) : look_up(function) {}

    void run() noexcept;
    void answer(Resolution& resolution, const Addresses& addresses) noexcept;
    void answer_waiting(const std::string& host, Nanoseconds now_ns) noexcept;
    std::optional<std::string> next_name() noexcept;
    void wait_for_work(std::unique_lock<std::mutex>& lock) noexcept;

    const LookUp look_up;
    std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    ResolverCache cache;
    std::vector<Resolution*> waiting;  // oldest first; bounded by the number of Resolution objects
    bool running = false;
    std::thread thread;  // start() and stop() only
};

Resolution::Resolution() noexcept
    : link_(
          [](Mail& mail) noexcept {
              Resolution& resolution = static_cast<Link&>(mail).resolution;
              resolution.in_flight_ = false;
              resolution.done_(resolution.owner_);  // may start another resolution or destroy this one
          },
          *this) {}

Resolver::Resolver() : Resolver(look_up_system) {}
Resolver::Resolver(LookUp look_up) : state_(std::make_unique<State>(look_up)) {}
Resolver::~Resolver() { stop(); }

void Resolver::start() {
    NX_ASSERT(!state_->thread.joinable());
    state_->running = true;
    state_->thread = std::thread([state = state_.get()] {
        block_signals();
        begin_helper_thread("nodex-resolver");
        state->run();
    });
}

void Resolver::stop() {
    if (!state_->thread.joinable()) return;
    {
        const std::lock_guard lock(state_->mutex);
        state_->running = false;
    }
    state_->changed.notify_one();
    state_->thread.join();
    for (Resolution* resolution : state_->waiting) {
        resolution->addresses = stopped;
        resolution->reply_to_->post(resolution->link_);
    }
    state_->waiting.clear();
}

void Resolver::resolve(Resolution& resolution, const std::string& host, std::uint16_t port, Mailbox& reply_to,
                       void (*done)(void*) noexcept, void* owner) noexcept {
    NX_ASSERT(!resolution.in_flight_);
    resolution.in_flight_ = true;
    resolution.host_ = host;
    resolution.port_ = port;
    resolution.reply_to_ = &reply_to;
    resolution.done_ = done;
    resolution.owner_ = owner;
    if (const auto literal = parse_address_literal(host)) return state_->answer(resolution, {*literal});

    const std::lock_guard lock(state_->mutex);
    if (const auto known = state_->cache.find(host, system_clock().now_ns()))
        return state_->answer(resolution, *known);
    if (!state_->running) {
        resolution.addresses = stopped;
        return reply_to.post(resolution.link_);
    }
    state_->waiting.push_back(&resolution);
    state_->changed.notify_one();
}

void Resolver::State::answer(Resolution& resolution, const Addresses& addresses) noexcept {
    if (addresses.empty()) {
        resolution.addresses = not_found;
    } else {
        Addresses with_port = addresses;
        for (SocketAddress& address : with_port) set_port(address, resolution.port_);
        resolution.addresses = std::move(with_port);
    }
    resolution.reply_to_->post(resolution.link_);  // from here on it belongs to its loop
}

void Resolver::State::answer_waiting(const std::string& host, Nanoseconds now_ns) noexcept {
    std::erase_if(waiting, [&](Resolution* resolution) {
        if (resolution->host_ != host) return false;
        answer(*resolution, cache.find(host, now_ns).value_or(Addresses{}));
        return true;
    });
}

std::optional<std::string> Resolver::State::next_name() noexcept {
    if (!waiting.empty()) return waiting.front()->host_;
    return cache.due(system_clock().now_ns());
}

void Resolver::State::wait_for_work(std::unique_lock<std::mutex>& lock) noexcept {
    const auto refresh_at_ns = cache.next_refresh_ns();
    if (!refresh_at_ns) return changed.wait(lock);
    const Nanoseconds wait_ns = std::max<Nanoseconds>(*refresh_at_ns - system_clock().now_ns(), 0);
    changed.wait_for(lock, std::chrono::nanoseconds(wait_ns));
}

void Resolver::State::run() noexcept {
    std::unique_lock lock(mutex);
    while (running) {
        const auto host = next_name();
        if (!host) {
            wait_for_work(lock);
            continue;
        }
        lock.unlock();
        Addresses found = look_up(*host);
        lock.lock();
        const Nanoseconds now_ns = system_clock().now_ns();
        cache.store(*host, std::move(found), now_ns);
        answer_waiting(*host, now_ns);
    }
}

}  // namespace nodex::upstream
