// RetryTimer: how long an answer is worth waiting for before the request is sent again, from the
// round trips that were seen: RFC 6298, sections 2 and 5. One thread.
//
// It doubles in a silence only. RFC 6298 doubles at each loss (5.5), because one sender's losses
// are all of one road that is too full. Here every request may go to another process of the centre
// (a queue group), and one that is frozen swallows its share for as long as it stands, while the
// others answer at once: the next try is worth as much as the first, and waiting longer for it
// helps nobody. What tells the two apart is what was sent later: was it answered, then the road is
// open and somebody is there, and what was lost says nothing about either (the same evidence by
// which RFC 8985 takes a segment for lost). When the centre or the road is only slow nothing that
// was sent later is answered in time either, and each wait is twice the one before. Requests that
// waited beside each other in one silence double it once: RFC 6298 has one timer, not one a
// segment.
//
// Rejected: a count of its own for each request that is repeated. The unluckiest, whom a client
// waits for, would wait longest, and all others would go on asking a centre that answers nobody.
// The shipper, which repeats the largest messages, has one beside this that slows it to half its
// pace.
#pragma once
#include <algorithm>
#include <limits>

#include "edge/base/clock.h"

namespace nodex::replication {

class RetryTimer {
  public:
    // A second look costs the centre a read; a first one that is given up early costs a client its
    // time. RFC 6298 takes a second for both ends of a path it knows nothing about; here the far
    // end answers at once.
    static constexpr Nanoseconds shortest = 500 * millisecond;
    static constexpr Nanoseconds longest = 8 * second;
    static constexpr Nanoseconds unmeasured = 1 * second;  // section 2.1

    // So often a request is repeated at the same pace while others are answered; then at half of
    // it, in case that the centre is slow in this alone.
    static constexpr unsigned repetitions_free = 2;

    // What was sent then got its answer now. Each repetition has a number of its own, so that an
    // answer that comes late is measured too (Karn's rule is for those that cannot be told apart).
    void answered(Nanoseconds sent_ns, Nanoseconds now_ns) noexcept {
        measure(now_ns - sent_ns);
        newest_answered_ns_ = std::max(newest_answered_ns_, sent_ns);
        silences_ = 0;
    }
    // What was sent then was not answered until now. In a silence the next ones wait twice as long,
    // until an answer comes.
    void lost(Nanoseconds sent_ns, Nanoseconds now_ns) noexcept {
        if (sent_ns <= newest_answered_ns_ || sent_ns < doubled_ns_) return;
        silences_ = std::min(silences_ + 1, silences_max);
        doubled_ns_ = now_ns;
    }

    // Of the n-th repetition of one request that was not answered while others were.
    [[nodiscard]] Nanoseconds timeout(unsigned repetition = 0) const noexcept {
        const Nanoseconds first = smoothed_ == 0 ? unmeasured : smoothed_ + 4 * deviation_;
        const unsigned doublings = std::max(silences_, repetition < repetitions_free ? 0u : 1u);
        return std::min(std::clamp(first, shortest, longest) << doublings, longest);
    }
    [[nodiscard]] Nanoseconds smoothed() const noexcept { return smoothed_; }  // 0: none yet

  private:
    static constexpr unsigned silences_max = 5;  // beyond `longest`
    static constexpr Nanoseconds never = std::numeric_limits<Nanoseconds>::min();

    void measure(Nanoseconds round_trip) noexcept {
        if (smoothed_ == 0) {
            smoothed_ = std::max<Nanoseconds>(round_trip, 1);
            deviation_ = round_trip / 2;
        } else {
            const Nanoseconds error = smoothed_ - round_trip;
            deviation_ += ((error < 0 ? -error : error) - deviation_) / 4;
            smoothed_ += (round_trip - smoothed_) / 8;
        }
    }

    Nanoseconds smoothed_ = 0;
    Nanoseconds deviation_ = 0;
    Nanoseconds newest_answered_ns_ = never;  // when that was sent
    Nanoseconds doubled_ns_ = never;          // last
    unsigned silences_ = 0;                   // in a row
};

}  // namespace nodex::replication
