// One direction of a line: see link.h.
#include "tests/lab/wan/link.h"

#include <algorithm>
#include <utility>

namespace nodex::lab {

std::optional<std::int64_t> Link::put(std::string packet, std::int64_t now_ns) {
    if (cut_) {
        ++counters_.dropped_cut;
        return std::nullopt;
    }
    if (queued_bytes_ + packet.size() > queue_bytes_max) {
        ++counters_.dropped_full;
        return std::nullopt;
    }
    const std::int64_t bits = static_cast<std::int64_t>(packet.size()) * 8;
    const std::int64_t on_wire_ns =
        shape_.bits_per_second > 0 ? bits * ns_per_second / shape_.bits_per_second : 0;
    wire_free_ns_ = std::max(now_ns, wire_free_ns_) + on_wire_ns;
    last_due_ns_ = std::max(wire_free_ns_ + shape_.delay_ns, last_due_ns_);
    queued_bytes_ += packet.size();
    packets_.push_back({last_due_ns_, std::move(packet)});
    return last_due_ns_;
}

std::optional<std::string> Link::take(std::int64_t now_ns) {
    while (!packets_.empty() && packets_.front().due_ns <= now_ns) {
        std::string octets = std::move(packets_.front().octets);
        packets_.pop_front();
        queued_bytes_ -= octets.size();
        if (cut_) {
            ++counters_.dropped_cut;
            continue;
        }
        ++counters_.passed;
        return octets;
    }
    return std::nullopt;
}

}  // namespace nodex::lab
