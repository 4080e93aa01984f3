// PendingRequests: what one end has asked and not heard yet; each handler runs exactly once. One
// thread.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "replication/transport.h"

namespace nodex::replication {

class PendingRequests {
  public:
    // The request's number, never used again by this object.
    std::uint64_t add(Nanoseconds deadline_ns, Transport::ReplyHandler handler) {
        requests_.emplace(++last_number_, Request{deadline_ns, std::move(handler)});
        return last_number_;
    }
    // Nothing happens when its deadline was first, or another reply.
    void finish(std::uint64_t number, Result<std::string> reply) {
        const auto found = requests_.find(number);
        if (found == requests_.end()) return;
        const Transport::ReplyHandler handler = std::move(found->second.handler);
        requests_.erase(found);
        handler(std::move(reply));
    }
    void expire(Nanoseconds now_ns) {
        std::vector<std::uint64_t> late;
        for (const auto& [number, request] : requests_)
            if (request.deadline_ns <= now_ns) late.push_back(number);
        for (const std::uint64_t number : late) finish(number, link_error(ErrorCode::timed_out));
    }
    void clear() noexcept { requests_.clear(); }
    [[nodiscard]] std::size_t size() const noexcept { return requests_.size(); }

    // What a request ends with when it was not answered: timed_out or unavailable.
    static Error link_error(ErrorCode code) noexcept {
        return {code, ErrorSource::central, true, 0};
    }

  private:
    struct Request {
        Nanoseconds deadline_ns = 0;
        Transport::ReplyHandler handler;
    };
    std::map<std::uint64_t, Request> requests_;
    std::uint64_t last_number_ = 0;
};

}  // namespace nodex::replication
