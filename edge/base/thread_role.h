// What a thread is called and whom it gives way to. Called by a thread for itself, first thing:
// threads that it starts later begin as what it is. Only a processor that threads share feels any
// of this.
#pragma once

namespace nodex {

// All three: `name` is shown by top, perf and gdb; at most 15 characters (asserted). What the
// kernel refuses or does not know changes speed, never behaviour, so it is ignored.
//
// A loop: what clients wait for. SCHED_OTHER with a short slice (Linux 6.12; before that the slice
// is the kernel's): when something arrives it takes the processor from a helper at once. With equal
// slices it waits for the helper's to end, which is looked at once a tick of the clock (4 ms at 250
// Hz): while a memtable is flushed, each wake-up of a loop could cost that.
void begin_loop_thread(const char* name) noexcept;
// The thread that loops wait for (commits). SCHED_BATCH: being woken it does not push a loop off
// the processor they share. The loop ends its turn first, and the mail of that turn is one batch
// instead of several. Its slice is a loop's: a loop lets it finish its batch, and when the loop
// sleeps it is next, before any helper.
void begin_writer_thread(const char* name) noexcept;
// A thread that works for loops and that nobody waits for (log, agent, centre). SCHED_BATCH, the
// kernel's slice.
void begin_helper_thread(const char* name) noexcept;

// The main thread, before it starts others: those of libraries (RocksDB's flushes and merges,
// libnats's) are helpers too, and cannot say so themselves. Its name stays.
void give_way_to_loops() noexcept;

}  // namespace nodex
