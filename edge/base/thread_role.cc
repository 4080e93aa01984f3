// Names and scheduling classes.
#include "edge/base/thread_role.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex {

void begin_loop_thread(const char* name) noexcept {
    NX_ASSERT(pthread_setname_np(pthread_self(), name) == 0);
}

void begin_helper_thread(const char* name) noexcept {
    begin_loop_thread(name);
    const sched_param none{};
    (void)pthread_setschedparam(pthread_self(), SCHED_BATCH, &none);
}

bool give_way() noexcept {
    constexpr Nanoseconds lone_request_max = 500 * microsecond;
    const Nanoseconds began_ns = system_clock().now_ns();
    (void)::sched_yield();
    return system_clock().now_ns() - began_ns < lone_request_max;
}

std::uint64_t thread_waits() noexcept {
    rusage usage{};
    NX_ASSERT(::getrusage(RUSAGE_THREAD, &usage) == 0);
    return static_cast<std::uint64_t>(usage.ru_nvcsw);
}

}  // namespace nodex
