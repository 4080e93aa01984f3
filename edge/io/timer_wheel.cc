// The wheel: a level is chosen by the highest bit in which a deadline differs from now, so a timer moves
// down at most four times, always when the wheel enters the block that its slot stands for.
// Invariant: a level-L slot with list holds only ticks of its own block, which lies ahead of now_tick_.
#include "edge/io/timer_wheel.h"

#include <bit>

namespace nodex {

Timer::~Timer() {
    if (wheel_ != nullptr) wheel_->cancel(*this);
}

TimerWheel::TimerWheel(Nanoseconds now_ns) noexcept
    : now_tick_(static_cast<std::uint64_t>(now_ns > 0 ? now_ns : 0) / millisecond) {}

TimerWheel::~TimerWheel() { NX_ASSERT(armed_count_ == 0); }

void TimerWheel::start(Timer& timer, Nanoseconds deadline_ns, Timer::Run run, void* owner) noexcept {
    NX_ASSERT(run != nullptr);
    NX_ASSERT(timer.wheel_ == nullptr || timer.wheel_ == this);
    if (timer.wheel_ != nullptr) cancel(timer);
    const auto deadline = static_cast<std::uint64_t>(deadline_ns > 0 ? deadline_ns : 0);
    timer.expires_tick_ = deadline / millisecond + (deadline % millisecond != 0 ? 1 : 0);  // never early
    timer.run_ = run;
    timer.owner_ = owner;
    timer.wheel_ = this;
    ++armed_count_;
    if (timer.expires_tick_ <= now_tick_)
        link(overdue_, timer);
    else
        place(timer);
}

void TimerWheel::cancel(Timer& timer) noexcept {
    if (timer.wheel_ == nullptr) return;
    NX_ASSERT(timer.wheel_ == this);
    unlink(timer);
    timer.wheel_ = nullptr;
    --armed_count_;
}

std::uint32_t TimerWheel::expire(Nanoseconds now_ns) noexcept {
    const auto target = static_cast<std::uint64_t>(now_ns > 0 ? now_ns : 0) / millisecond;
    Timer* overdue = overdue_;
    overdue_ = nullptr;
    std::uint32_t ran = run_all(overdue);
    for (;;) {
        const std::uint64_t tick = next_event_tick();
        if (tick > target) break;
        now_tick_ = tick;
        cascade(tick);
        ran += run_all(take_slot(0, tick));
    }
    if (target > now_tick_) now_tick_ = target;
    return ran;
}

Nanoseconds TimerWheel::next_deadline_ns() const noexcept {
    if (armed_count_ == 0) return INT64_MAX;
    const std::uint64_t tick = overdue_ != nullptr ? now_tick_ : next_event_tick();
    constexpr auto tick_max = static_cast<std::uint64_t>(INT64_MAX / millisecond);
    return static_cast<Nanoseconds>(tick < tick_max ? tick : tick_max) * millisecond;
}

// Callbacks may start and cancel anything, also timers further down this list: hence the member as its head.
std::uint32_t TimerWheel::run_all(Timer* list) noexcept {
    NX_ASSERT(running_ == nullptr);  // expire() is not called by a callback
    running_ = list;
    if (list != nullptr) list->link_ = &running_;
    std::uint32_t ran = 0;
    while (running_ != nullptr) {
        Timer& timer = *running_;
        const Timer::Run run = timer.run_;
        void* const owner = timer.owner_;
        cancel(timer);  // disarmed before it runs, so that the callback may start it again or destroy it
        run(owner);
        ++ran;
    }
    return ran;
}

// The wheel has entered `tick`: what waited in the higher slots that begin here moves down.
void TimerWheel::cascade(std::uint64_t tick) noexcept {
    for (std::size_t level = levels_count - 1; level > 0; --level) {
        const std::uint64_t block_mask = (std::uint64_t{1} << (slot_bits * level)) - 1;
        if ((tick & block_mask) != 0) continue;
        Timer* list = take_slot(level, tick >> (slot_bits * level));
        while (list != nullptr) {
            Timer& timer = *list;
            list = timer.next_;
            NX_ASSERT(timer.expires_tick_ >= tick);
            place(timer);
        }
    }
}

void TimerWheel::place(Timer& timer) noexcept {
    const std::uint64_t expires = timer.expires_tick_;
    NX_ASSERT(expires >= now_tick_);
    constexpr std::size_t top = levels_count - 1;
    const std::uint64_t difference = expires ^ now_tick_;
    const std::size_t level =
        difference == 0 ? 0 : (static_cast<std::size_t>(std::bit_width(difference)) - 1) / slot_bits;
    if (level < top) return push_slot(level, expires >> (slot_bits * level), timer);
    // The top level is a ring: a deadline beyond it waits in the farthest slot and is placed again there.
    const std::uint64_t now_block = now_tick_ >> (slot_bits * top);
    const std::uint64_t block = expires >> (slot_bits * top);
    const std::uint64_t rim = now_block + slots_count - 1;
    push_slot(top, block < rim ? block : rim, timer);
}

// When the next slot, of any level, begins. Lower levels lie inside the current block of the level above,
// so the first level that has anything is the answer.
std::uint64_t TimerWheel::next_event_tick() const noexcept {
    for (std::size_t level = 0; level < levels_count; ++level) {
        if (occupied_[level] == 0) continue;
        const std::uint64_t block = now_tick_ >> (slot_bits * level);
        const int index = static_cast<int>(block & (slots_count - 1));
        const auto ahead = static_cast<std::uint64_t>(std::countr_zero(std::rotr(occupied_[level], index)));
        return (block + ahead) << (slot_bits * level);
    }
    return never;
}

void TimerWheel::push_slot(std::size_t level, std::uint64_t block, Timer& timer) noexcept {
    const auto index = static_cast<std::size_t>(block & (slots_count - 1));
    link(slots_[level][index], timer);
    occupied_[level] |= std::uint64_t{1} << index;
}

Timer* TimerWheel::take_slot(std::size_t level, std::uint64_t block) noexcept {
    const auto index = static_cast<std::size_t>(block & (slots_count - 1));
    Timer* const list = slots_[level][index];
    slots_[level][index] = nullptr;
    occupied_[level] &= ~(std::uint64_t{1} << index);
    return list;
}

void TimerWheel::link(Timer*& head, Timer& timer) noexcept {
    timer.next_ = head;
    if (head != nullptr) head->link_ = &timer.next_;
    timer.link_ = &head;
    head = &timer;
}

void TimerWheel::unlink(Timer& timer) noexcept {
    Timer** const link = timer.link_;
    *link = timer.next_;
    if (timer.next_ != nullptr) timer.next_->link_ = link;
    timer.next_ = nullptr;
    timer.link_ = nullptr;
    if (*link != nullptr) return;
    // The list may be empty now; if it was a slot's, its bit goes too.
    const auto address = reinterpret_cast<std::uintptr_t>(link);
    const auto first = reinterpret_cast<std::uintptr_t>(&slots_[0][0]);
    if (address < first || address >= first + sizeof slots_) return;
    const std::size_t position = (address - first) / sizeof(Timer*);
    occupied_[position / slots_count] &= ~(std::uint64_t{1} << (position % slots_count));
}

}  // namespace nodex
