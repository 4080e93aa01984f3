// The simulated turn: the same steps as UringLoop's, with a jump in time where that one sleeps.
#include <algorithm>

#include "edge/io/sim_io.h"

namespace nodex {
namespace {

// Everything runs in one thread: nobody sleeps, so nobody is woken.
class NoWaker final : public Waker {
  public:
    void wake() noexcept override {}
};
NoWaker no_waker;

}  // namespace

SimLoop::SimLoop(std::uint64_t seed) noexcept
    : Loop(no_waker, ManualClock().now_ns()), io_(clock_, seed, stats_) {}

bool SimLoop::turn() noexcept {
    now_ns_ = clock_.now_ns();
    count(stats_.turns, 1);
    const std::uint32_t mail = mailbox_.deliver();
    const std::uint32_t completions = io_.run_round();
    const std::uint32_t fired = timers_.expire(now_ns_);
    const bool tasks = has_turn_tasks();
    run_turn_tasks();
    const std::uint32_t own_mail = mailbox_.deliver();
    if (own_mail > 0) run_turn_tasks();
    count(stats_.mail_delivered, mail + own_mail);
    count(stats_.completions, completions);
    count(stats_.timers_fired, fired);
    if (mail > 0 || completions > 0 || fired > 0 || tasks) return true;
    const Nanoseconds next_ns = std::min(timers_.next_deadline_ns(), io_.next_arrival_ns());
    if (next_ns == INT64_MAX) return false;
    clock_.advance(std::max<Nanoseconds>(next_ns - now_ns_, 0));
    return true;
}

void SimLoop::run() noexcept {
    while (!stopping_ && turn()) {
    }
    stopping_ = false;
}

}  // namespace nodex
