// OutboxWatch: how far the ledger is behind this POP's journal, in records and in time. The journal
// is asked, once a second: the shipper reads nothing while the centre does not answer, and that is
// when the figures matter.
#pragma once
#include <cstdint>

#include "edge/base/clock.h"
#include "replication/commit_port.h"

namespace nodex::replication {

class OutboxWatch {
  public:
    OutboxWatch(CommitPort& commits, Clock& clock) : commits_(commits), clock_(clock) {}

    // `applied`: by the ledger, as far as it has told; 0 before it told anything.
    void tick(std::uint64_t applied);

    // Applied by the ledger, and newest in the journal; as they were up to a second ago.
    [[nodiscard]] std::uint64_t applied() const noexcept { return applied_; }
    [[nodiscard]] std::uint64_t last() const noexcept { return last_; }
    // Since the oldest settlement that is not applied was written, by this machine's wall clock; 0
    // when there is none. Between two looks it grows as long as that settlement waits.
    [[nodiscard]] std::int64_t lag_ms() const noexcept;

  private:
    struct Look;
    void looked(const Look& look);

    CommitPort& commits_;
    Clock& clock_;
    bool looking_ = false;
    Nanoseconds look_at_ns_ = 0;
    std::uint64_t applied_ = 0;
    std::uint64_t last_ = 0;
    std::uint64_t oldest_ = 0;    // sequence of the settlement that oldest_ms_ is of
    std::int64_t oldest_ms_ = 0;  // when it was written
    std::int64_t lag_at_look_ms_ = 0;
};

}  // namespace nodex::replication
