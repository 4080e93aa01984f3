// Health of one endpoint on one core: failures in a row eject it, a single probe at a time lets it back.
// Pure: the time is passed in.
#pragma once
#include <cstdint>

#include "edge/base/clock.h"

namespace nodex::upstream {

// healthy --failures in a row--> ejected --backoff over--> probe_due --start_probe()--> ejected (probing)
//    ^------------------------------ any success ------------------------------------------'
enum class Standing : std::uint8_t { healthy, probe_due, ejected };
const char* name(Standing standing) noexcept;

class Health {
  public:
    [[nodiscard]] Standing standing(Nanoseconds now_ns) const noexcept;
    [[nodiscard]] bool ejected() const noexcept { return backoff_ns_ > 0; }

    // The endpoint answered: whatever was held against it is forgotten.
    void succeeded() noexcept;
    // The endpoint failed. While it is ejected only the probe's failure counts (it doubles the backoff):
    // requests that were already running when it was ejected say nothing new.
    void failed(Nanoseconds now_ns) noexcept;

    // The request being sent now is the probe; standing() must be probe_due. No other request is until this
    // one succeeds, fails or is given up, or until `lease_ns` has passed (its report was lost).
    void start_probe(Nanoseconds now_ns, Nanoseconds lease_ns) noexcept;
    // The probe ended without telling anything (its client went away): another one is due.
    void give_up_probe(Nanoseconds now_ns) noexcept;

  private:
    std::uint32_t failures_in_row_ = 0;
    Nanoseconds backoff_ns_ = 0;   // not zero exactly while ejected
    Nanoseconds probe_at_ns_ = 0;  // while ejected: when the next probe is due
    bool probing_ = false;         // while ejected: a probe runs, its lease ends at probe_at_ns_
};

}  // namespace nodex::upstream
