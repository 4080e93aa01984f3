// Leases: the part of a balance (or of a key's budget) that this POP may spend without asking.
// One LeaseScope is one (scope, generation): a new generation is a new object, so a reservation
// always returns to the counters it came from. Objects live as long as the process. All verbs are
// lock-free.
#pragma once
#include <atomic>
#include <cstdint>

#include "edge/base/clock.h"
#include "edge/base/money.h"
#include "storage/journal.h"

namespace nodex::replication {

class LeaseScope {
  public:
    LeaseScope(storage::Journal::Scope scope, std::uint32_t generation, Nano settled,
               Nano returned) noexcept;

    // Takes `amount` (>= 0) if it fits and the lease has not expired.
    [[nodiscard]] bool try_reserve(Nano amount, Nanoseconds now_ns) noexcept;
    // The request cost `actual` (<= reserved): the difference is free again.
    void settle(Nano reserved, Nano actual) noexcept;
    void release(Nano reserved) noexcept;

    // The agent only: cumulative grant from the centre; an older or equal total changes nothing but
    // the expiry.
    void grant(Nano granted_total, Nanoseconds expires_ns) noexcept;
    // The agent only: nothing is reserved here any more; what is reserved ends as it would have.
    void expire() noexcept { expires_ns_.store(0, std::memory_order_release); }
    // The agent only: what this generation gave back in all, as the centre has it; a lower or equal
    // total changes nothing. More than we know of is what our disk forgot when it went back.
    void learn_returned(Nano returned_total) noexcept;
    // The agent only: takes `amount` out of what is free, to give it back to the centre; false when
    // not free.
    [[nodiscard]] bool take_back(Nano amount) noexcept;

    [[nodiscard]] Nano available() const noexcept {
        return available_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] Nano reserved() const noexcept {
        return reserved_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] Nano settled() const noexcept { return settled_.load(std::memory_order_relaxed); }
    [[nodiscard]] Nano granted() const noexcept { return granted_.load(std::memory_order_relaxed); }
    [[nodiscard]] Nano returned() const noexcept {
        return returned_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] Nanoseconds expires_ns() const noexcept {
        return expires_ns_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] const storage::Journal::Scope& scope() const noexcept { return scope_; }
    [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }

  private:
    const storage::Journal::Scope scope_;
    const std::uint32_t generation_;
    std::atomic<Nano> available_{0};  // granted - returned - settled - reserved
    std::atomic<Nano> reserved_{0};
    std::atomic<Nano> settled_;
    std::atomic<Nano> granted_{0};
    std::atomic<Nano> returned_;
    std::atomic<Nanoseconds> expires_ns_{0};
};

}  // namespace nodex::replication
