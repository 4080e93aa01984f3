// One hierarchical timer wheel per loop: every deadline of every connection and exchange.
// Granularity 1 ms; a timer never fires early and at most one tick late when the loop is not stalled.
// Start, restart and cancel are O(1) and never allocate. Loop-thread only.
#pragma once
#include <array>
#include <cstdint>

#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex {

// A deadline: a member of its owner. Destroying an armed timer cancels it.
class Timer {
  public:
    using Run = void (*)(void* owner) noexcept;
    Timer() = default;
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;
    ~Timer();
    [[nodiscard]] bool armed() const noexcept { return wheel_ != nullptr; }

  private:
    friend class TimerWheel;
    Timer** link_ = nullptr;  // the pointer that points here: a slot's head or the neighbour's next_
    Timer* next_ = nullptr;
    class TimerWheel* wheel_ = nullptr;  // non-null exactly while armed
    std::uint64_t expires_tick_ = 0;
    Run run_ = nullptr;
    void* owner_ = nullptr;
};

class TimerWheel {
  public:
    explicit TimerWheel(Nanoseconds now_ns) noexcept;
    ~TimerWheel();  // asserts that nothing is armed

    // Arms (or re-arms) `timer` to run once at or after `deadline_ns`; a past deadline fires on the next
    // expire().
    void start(Timer& timer, Nanoseconds deadline_ns, Timer::Run run, void* owner) noexcept;
    void cancel(Timer& timer) noexcept;  // no effect when not armed
    // Runs what is due, oldest tick first; a callback may start and cancel any timer. Answers how many ran.
    std::uint32_t expire(Nanoseconds now_ns) noexcept;
    // When the loop must wake at the latest; INT64_MAX when nothing is armed.
    [[nodiscard]] Nanoseconds next_deadline_ns() const noexcept;
    [[nodiscard]] std::uint32_t armed_count() const noexcept { return armed_count_; }

  private:
    static constexpr unsigned slot_bits = 6;
    static constexpr std::size_t slots_count = 1u << slot_bits;
    static constexpr std::size_t levels_count = 5;  // 64^5 ms: 12 days; later deadlines wait at the rim
    static constexpr std::uint64_t never = UINT64_MAX;
    void place(Timer& timer) noexcept;
    void link(Timer*& head, Timer& timer) noexcept;
    void unlink(Timer& timer) noexcept;
    void push_slot(std::size_t level, std::uint64_t tick, Timer& timer) noexcept;
    Timer* take_slot(std::size_t level, std::uint64_t tick) noexcept;
    void cascade(std::uint64_t tick) noexcept;
    std::uint32_t run_all(Timer* list) noexcept;
    [[nodiscard]] std::uint64_t next_event_tick() const noexcept;

    Timer* slots_[levels_count][slots_count] = {};
    std::array<std::uint64_t, levels_count> occupied_{};  // one bit a slot: its list is not empty
    Timer* overdue_ = nullptr;  // started with a deadline that had passed: due on the next expire()
    Timer* running_ = nullptr;  // taken out to be run now; a callback may cancel what still waits here
    std::uint64_t now_tick_;    // every slot up to and including this tick has run
    std::uint32_t armed_count_ = 0;
};

template <auto Method, class Owner>
void start_timer(TimerWheel& wheel, Timer& timer, Nanoseconds deadline_ns, Owner* owner) noexcept {
    wheel.start(timer, deadline_ns,
                [](void* self) noexcept { (static_cast<Owner*>(self)->*Method)(); }, owner);
}

}  // namespace nodex
