// LeaseScope: lock-free counters of one (scope, generation). `available` is the only word that
// decides: it is changed by compare-and-swap where it may not go below zero and by addition where
// it can only grow; the other counters are written after it and read for requests to the centre,
// where a late value is harmless.
#include "replication/leases.h"

namespace nodex::replication {
namespace {

// Takes `amount` when at least that much is there.
bool take(std::atomic<Nano>& available, Nano amount) noexcept {
    Nano current = available.load(std::memory_order_relaxed);
    do {
        if (current < amount) return false;
    } while (!available.compare_exchange_weak(current, current - amount, std::memory_order_acq_rel,
                                              std::memory_order_relaxed));
    return true;
}

}  // namespace

// After a restart nothing is granted until the centre says so again: what was settled and returned
// before counts against that grant, so `available` starts below zero by both.
LeaseScope::LeaseScope(storage::Journal::Scope scope, std::uint32_t generation, Nano settled,
                       Nano returned) noexcept
    : scope_(scope), generation_(generation), settled_(settled), returned_(returned) {
    NX_ASSERT(settled >= 0);
    NX_ASSERT(returned >= 0);
    available_.store(-(settled + returned), std::memory_order_relaxed);
}

bool LeaseScope::try_reserve(Nano amount, Nanoseconds now_ns) noexcept {
    NX_ASSERT(amount >= 0);
    if (now_ns >= expires_ns_.load(std::memory_order_acquire)) return false;
    // Counted as reserved first: whoever adds up reserved and settled may see too much in use,
    // never too little, so a request to the centre can ask for a little too much but not forget a
    // reservation.
    reserved_.fetch_add(amount, std::memory_order_relaxed);
    if (take(available_, amount)) return true;
    reserved_.fetch_sub(amount, std::memory_order_relaxed);
    return false;
}

void LeaseScope::settle(Nano reserved, Nano actual) noexcept {
    NX_ASSERT(actual >= 0);
    NX_ASSERT(actual <= reserved);
    settled_.fetch_add(actual, std::memory_order_relaxed);
    reserved_.fetch_sub(reserved, std::memory_order_relaxed);
    available_.fetch_add(reserved - actual, std::memory_order_acq_rel);
}

void LeaseScope::release(Nano reserved) noexcept {
    settle(reserved, 0);
}

void LeaseScope::grant(Nano granted_total, Nanoseconds expires_ns) noexcept {
    const Nano before = granted_.load(std::memory_order_relaxed);
    if (granted_total > before) {
        granted_.store(granted_total, std::memory_order_relaxed);
        available_.fetch_add(granted_total - before, std::memory_order_acq_rel);
    }
    // A late reply was counted from an earlier sending: it may not shorten what a newer one gave.
    if (expires_ns > expires_ns_.load(std::memory_order_relaxed))
        expires_ns_.store(expires_ns, std::memory_order_release);
}

void LeaseScope::learn_returned(Nano returned_total) noexcept {
    const Nano before = returned_.load(std::memory_order_relaxed);
    if (returned_total <= before) return;
    available_.fetch_sub(returned_total - before, std::memory_order_acq_rel);
    returned_.store(returned_total, std::memory_order_relaxed);
}

bool LeaseScope::take_back(Nano amount) noexcept {
    NX_ASSERT(amount > 0);
    if (!take(available_, amount)) return false;
    returned_.fetch_add(amount, std::memory_order_relaxed);
    return true;
}

}  // namespace nodex::replication
