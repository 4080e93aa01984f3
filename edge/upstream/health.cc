// The ejection rules.
#include "edge/upstream/health.h"

#include <algorithm>

#include "edge/base/limits.h"
#include "edge/base/result.h"

namespace nodex::upstream {

const char* name(Standing standing) noexcept {
    switch (standing) {
        case Standing::healthy: return "healthy";
        case Standing::probe_due: return "probe_due";
        case Standing::ejected: return "ejected";
    }
    return "unknown";
}

Standing Health::standing(Nanoseconds now_ns) const noexcept {
    if (!ejected()) return Standing::healthy;
    return now_ns >= probe_at_ns_ ? Standing::probe_due : Standing::ejected;
}

void Health::succeeded() noexcept { *this = Health{}; }

void Health::failed(Nanoseconds now_ns) noexcept {
    if (ejected()) {
        if (!probing_) return;
        probing_ = false;
        backoff_ns_ = std::min(backoff_ns_ * 2, limits::ejection_backoff_max);
        probe_at_ns_ = now_ns + backoff_ns_;
        return;
    }
    if (++failures_in_row_ < limits::ejection_failures) return;
    backoff_ns_ = limits::ejection_backoff_min;
    probe_at_ns_ = now_ns + backoff_ns_;
}

void Health::start_probe(Nanoseconds now_ns, Nanoseconds lease_ns) noexcept {
    NX_ASSERT(standing(now_ns) == Standing::probe_due);
    probing_ = true;
    probe_at_ns_ = now_ns + lease_ns;
}

void Health::give_up_probe(Nanoseconds now_ns) noexcept {
    if (!probing_) return;  // it was reported, or the endpoint recovered meanwhile
    probing_ = false;
    probe_at_ns_ = now_ns;
}

}  // namespace nodex::upstream
