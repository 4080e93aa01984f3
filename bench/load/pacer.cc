// The pacer's thread.
#include "bench/load/pacer.h"

#include <sys/prctl.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <ctime>

namespace nodex::bench {
namespace {

// At high rates several starts share a wake-up: a wake-up costs about 5 us of the core that makes the load.
constexpr Nanoseconds wake_interval_min = 100 * microsecond;

void pause_until(Nanoseconds at_ns) noexcept {
    timespec at{};
    at.tv_sec = at_ns / second;
    at.tv_nsec = at_ns % second;
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, nullptr) == EINTR) {
    }
}

void prepare_thread() noexcept {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    prctl(PR_SET_TIMERSLACK, 1UL);  // nanosecond; the default of 50 us would show in every latency
}

}  // namespace

void Pacer::start(const Schedule& schedule) {
    schedule_ = schedule;
    thread_ = std::thread([this] {
        prepare_thread();
        run();
    });
}

void Pacer::stop() {
    stopping_.store(true, std::memory_order_relaxed);
    if (thread_.joinable()) thread_.join();
}

void Pacer::run() noexcept {
    Nanoseconds woken_ns = 0;
    std::uint64_t index = 0;
    while (!stopping_.load(std::memory_order_relaxed)) {
        const auto intended_ns = schedule_.intended_ns(index);
        if (!intended_ns) return;
        pause_until(std::max(*intended_ns, woken_ns + wake_interval_min));
        woken_ns = system_clock().now_ns();
        while (schedule_.intended_ns(index).value_or(woken_ns + 1) <= woken_ns) ++index;
        if (!wake_.posted()) mailbox_.post(wake_);
    }
}

}  // namespace nodex::bench
