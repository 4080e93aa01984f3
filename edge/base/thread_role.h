// What a thread is called and whom it gives way to. Called by a thread for itself, first thing.
#pragma once
#include <cstdint>

namespace nodex {

// Both: `name` is shown by top, perf and gdb; at most 15 characters (asserted). Failure to set it or the
// scheduling class changes speed, never behaviour, so it is ignored.
//
// A loop: what clients wait for.
void begin_loop_thread(const char* name) noexcept;
// A thread that works for loops (commits, log, agent, centre). Scheduled as SCHED_BATCH: being woken it does
// not push a loop off the processor they share. The loop ends its turn first, and the mail of that turn is
// one batch instead of several. On an idle processor it starts as early as any other thread.
void begin_helper_thread(const char* name) noexcept;

// Lets another thread that is ready take this processor first (sched_yield(2)). For a helper between two
// parts of long work: the kernel lets it end its slice before a loop that was woken. False: who took it had
// work for more than half a millisecond. Giving way to a loop without end costs a slice each time, and the
// work would fall behind: do the rest in one go.
[[nodiscard]] bool give_way() noexcept;

// How often the calling thread has given its processor up by itself so far, to wait for a disk, a lock or an
// event; not counted is when it was taken away. A system call.
[[nodiscard]] std::uint64_t thread_waits() noexcept;

}  // namespace nodex
