// BodyEraser: carries out the centre's orders to destroy bodies: the keys of this POP's own ones
// and of copies, in one write each time. What is durable is told with the next report; an order
// comes again until the centre has heard so.
#pragma once
#include <cstdint>
#include <vector>

#include "replication/commit_port.h"
#include "replication/pop_report.h"

namespace nodex::replication {

class BodyEraser {
  public:
    explicit BodyEraser(CommitPort& commits) : commits_(commits) {}

    void ordered(const std::vector<ReportReply::Erasure>& orders);
    // Durably destroyed, and not known to be heard by the centre.
    [[nodiscard]] const std::vector<RequestId>& erased() const noexcept { return erased_; }
    // The centre has heard of the first `count` of them.
    void told(std::size_t count);
    // Orders that found keys here.
    [[nodiscard]] std::uint64_t destroyed_count() const noexcept { return destroyed_count_; }

  private:
    CommitPort& commits_;
    bool writing_ = false;  // one write at a time; what is ordered meanwhile is ordered again
    std::vector<RequestId> erased_;
    std::uint64_t destroyed_count_ = 0;
};

}  // namespace nodex::replication
