// Loop: one thread's turn. Submit, wait, deliver mail, run continuations, expire timers, run the end-of-turn
// hooks (flushes), repeat; each step has a per-turn budget in limits.h. Mail comes first because delivering
// it also says that the loop is awake, and from there on senders need no wake-up.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

#include "edge/base/clock.h"
#include "edge/base/mailbox.h"
#include "edge/io/io.h"
#include "edge/io/timer_wheel.h"

namespace nodex {

// Work to be done once at the end of the current turn (flush a connection, hand a batch to the commit
// thread). A member of its owner; queued at most once.
class TurnTask {
  public:
    using Run = void (*)(void* owner) noexcept;
    TurnTask() = default;
    TurnTask(const TurnTask&) = delete;
    TurnTask& operator=(const TurnTask&) = delete;
    ~TurnTask();  // leaves the queue
    [[nodiscard]] bool queued() const noexcept { return queued_; }

  private:
    friend class Loop;
    Run run_ = nullptr;
    void* owner_ = nullptr;
    TurnTask* next_ = nullptr;
    TurnTask* previous_ = nullptr;
    class Loop* loop_ = nullptr;
    bool queued_ = false;
};

// What a loop tells the metrics; plain counters written by the loop's thread only, read with relaxed loads.
struct LoopStats {
    std::atomic<std::uint64_t> turns{0};
    std::atomic<std::uint64_t> completions{0};
    std::atomic<std::uint64_t> enters{0};          // io_uring_enter calls
    std::atomic<std::uint64_t> mail_delivered{0};
    std::atomic<std::uint64_t> timers_fired{0};
    std::atomic<std::uint64_t> buffers_exhausted{0};  // -ENOBUFS seen
    std::atomic<std::uint64_t> stalls{0};          // turns that took longer than limits::loop_stall_ns
};

// The base of UringLoop (io/uring_loop.h) and SimLoop (io/sim_io.h).
class Loop {
  public:
    virtual ~Loop() = default;
    virtual Io& io() noexcept = 0;
    virtual Clock& clock() noexcept = 0;

    TimerWheel& timers() noexcept { return timers_; }
    Mailbox& mailbox() noexcept { return mailbox_; }
    LoopStats& stats() noexcept { return stats_; }
    // The clock as read once at the start of this turn: cheap, good to one turn.
    [[nodiscard]] Nanoseconds now_ns() const noexcept { return now_ns_; }

    // Queues `task` for the end of this turn (once, however often it is asked for). Tasks queued by tasks
    // run in the same turn, bounded by limits::turn_tasks_max, the rest in the next turn.
    void at_turn_end(TurnTask& task, TurnTask::Run run, void* owner) noexcept;

    // Runs turns until stop() was called (by a callback or, through mail, by another thread). May be called
    // again, always by the same thread.
    virtual void run() noexcept = 0;
    void stop() noexcept { stopping_ = true; }

  protected:
    Loop(Waker& waker, Nanoseconds now_ns) noexcept : mailbox_(waker), timers_(now_ns), now_ns_(now_ns) {}
    void run_turn_tasks() noexcept;
    [[nodiscard]] bool has_turn_tasks() const noexcept { return first_task_ != nullptr; }
    static void count(std::atomic<std::uint64_t>& counter, std::uint64_t by) noexcept {
        counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }

    Mailbox mailbox_;
    TimerWheel timers_;
    LoopStats stats_;
    Nanoseconds now_ns_;
    bool stopping_ = false;

  private:
    friend class TurnTask;
    void leave(TurnTask& task) noexcept;
    TurnTask* first_task_ = nullptr;
    TurnTask* last_task_ = nullptr;
};

template <auto Method, class Owner>
void at_turn_end(Loop& loop, TurnTask& task, Owner* owner) noexcept {
    loop.at_turn_end(task, [](void* self) noexcept { (static_cast<Owner*>(self)->*Method)(); }, owner);
}

}  // namespace nodex
