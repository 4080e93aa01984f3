// Names, scheduling classes, slices.
#include "edge/base/thread_role.h"

#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex {
namespace {

// struct sched_attr of the kernel (include/uapi/linux/sched/types.h, version 0), which glibc has
// since 2.41.
struct SchedulingAttributes {
    std::uint32_t size = sizeof(SchedulingAttributes);
    std::uint32_t policy = 0;
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime_ns = 0;  // of SCHED_OTHER and SCHED_BATCH: the slice, 0.1 to 100 ms
    std::uint64_t deadline_ns = 0;
    std::uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

// Longer than nearly every turn and every batch, so that these two do not cut each other short; far
// below the 1.4 to 2.8 ms that the kernel gives to others (700 us, more with more processors).
constexpr Nanoseconds short_slice = 200 * microsecond;
constexpr Nanoseconds kernels_own = 0;

void set_name(const char* name) noexcept {
    NX_ASSERT(pthread_setname_np(pthread_self(), name) == 0);
}

// The nice value stays what an operator made it. The class is set by a call of its own, because a
// filter may know that one only.
void schedule_as(int policy, Nanoseconds slice) noexcept {
    const sched_param none{};
    (void)pthread_setschedparam(pthread_self(), policy, &none);
    SchedulingAttributes attributes;
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return;
    attributes.flags = 0;
    attributes.runtime_ns = static_cast<std::uint64_t>(slice);
    (void)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

void begin_loop_thread(const char* name) noexcept {
    set_name(name);
    schedule_as(SCHED_OTHER, short_slice);
}

void begin_writer_thread(const char* name) noexcept {
    set_name(name);
    schedule_as(SCHED_BATCH, short_slice);
}

void begin_helper_thread(const char* name) noexcept {
    set_name(name);
    give_way_to_loops();
}

void give_way_to_loops() noexcept {
    schedule_as(SCHED_BATCH, kernels_own);
}

}  // namespace nodex
