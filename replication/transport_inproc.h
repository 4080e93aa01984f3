// InprocLink: the Transport of one process: POP and centre on two threads, messages as mail between
// them. Keeps the contract of a network all the same: payloads are copied, deadlines run, an end
// that is gone answers `unavailable`. Bounded by limits::link_requests_max unanswered requests.
#pragma once
#include <memory>

#include "replication/transport.h"

namespace nodex::replication {

class InprocLink {
  public:
    explicit InprocLink(Clock& clock);
    ~InprocLink();  // both ends detached before
    [[nodiscard]] Transport& pop() noexcept;
    [[nodiscard]] TransportServer& centre() noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::replication
