// One direction of a line between two places: constant delay, bandwidth, a bounded queue, cut or
// not.
#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace nodex::lab {

inline constexpr std::int64_t ns_per_second = 1'000'000'000;

// Pure: time comes in as a parameter (nanoseconds of any monotonic clock that never goes back
// between calls). Packets leave in the order in which they came. Not thread-safe.
class Link {
  public:
    struct Shape {
        std::int64_t delay_ns = 0;         // one way, added to the time on the wire
        std::int64_t bits_per_second = 0;  // 0: no limit
    };
    struct Counters {
        std::uint64_t passed = 0, dropped_cut = 0, dropped_full = 0;
    };

    // What a router would buffer in front of the line; above it the newest packet is dropped.
    static constexpr std::size_t queue_bytes_max = std::size_t{4} << 20;

    // Packets that are already on the line keep the time that they had.
    void shape(Shape shape) { shape_ = shape; }
    // A cut line drops what is put on it and what is on it, and tells nobody: a pulled cable.
    void cut(bool cut) { cut_ = cut; }
    [[nodiscard]] bool is_cut() const { return cut_; }

    // Takes a packet; the time at which it will arrive, or nothing when it was dropped.
    std::optional<std::int64_t> put(std::string packet, std::int64_t now_ns);
    // The packet that has arrived by `now_ns`, oldest first; nothing when none has, or the line was
    // cut under it.
    std::optional<std::string> take(std::int64_t now_ns);

    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] std::size_t queued_bytes() const { return queued_bytes_; }

  private:
    struct Packet {
        std::int64_t due_ns;
        std::string octets;
    };

    Shape shape_;
    bool cut_ = false;
    std::int64_t wire_free_ns_ = 0;  // when the last packet's last bit has left the sender
    std::int64_t last_due_ns_ = 0;   // keeps the order when the delay shrinks
    std::size_t queued_bytes_ = 0;
    std::deque<Packet> packets_;
    Counters counters_;
};

}  // namespace nodex::lab
