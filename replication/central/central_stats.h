// CentralStats: what a centre counts of its own work since it started. Written by the thread that
// drives the Central; read by any thread, each value for itself.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "edge/base/histogram.h"
#include "replication/central/ledger.h"
#include "replication/messages.h"

namespace nodex::replication {

struct CentralStats {
    using Counter = std::atomic<std::uint64_t>;

    // What was asked and answered: how long each took, the store included.
    enum class Verb : std::uint8_t {
        registration,
        lease,
        ship,
        feed,
        claim,
        body_keys,
        peers,
        report,
        reference,
        query,
        count
    };
    static constexpr std::size_t verbs_count = static_cast<std::size_t>(Verb::count);
    static const char* name(Verb verb) noexcept;
    // Of what is answered; anything else is refused before.
    static Verb verb_of(MessageType type) noexcept;
    std::array<Histogram, verbs_count> verb_ns;

    // Messages that were not answered.
    enum class Refusal : std::uint8_t {
        unknown_pop,  // not in [[pop]]
        wrong_mac,    // of another link key
        malformed,    // envelope or payload
        old_epoch,    // this ledger is one of before a restore
        stale,        // of an incarnation that is not the POP's newest, or not registered
        count
    };
    static constexpr std::size_t refusals_count = static_cast<std::size_t>(Refusal::count);
    static const char* name(Refusal reason) noexcept;
    std::array<Counter, refusals_count> refused{};
    Counter unanswered{0};  // the store could not be reached; the sender asks again

    // Settlements (Ledger::SettlementCounts), as they are committed.
    Counter batches{0}, charges{0}, duplicates{0}, repeated_records{0}, repeated_executions{0},
        late_losses{0}, overruns{0}, rejected{0};
    std::array<Counter, static_cast<std::size_t>(ClaimResult::last) + 1> claims{};
    Counter leases_reclaimed{0}, epoch{0}, epoch_changes{0}, feed_version{0};

    // The POPs and the sum of what their leases hold, once a second.
    void tell_pops(std::vector<Ledger::PopView> pops, std::int64_t at_ms) {
        const std::lock_guard lock(mutex_);
        pops_ = std::move(pops);
        pops_at_ms_ = at_ms;
    }
    [[nodiscard]] std::vector<Ledger::PopView> pops(std::int64_t& at_ms) const {
        const std::lock_guard lock(mutex_);
        at_ms = pops_at_ms_;
        return pops_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<Ledger::PopView> pops_;  // guarded by mutex_, as the next
    std::int64_t pops_at_ms_ = 0;
};

}  // namespace nodex::replication
