// The futex calls behind Parker.
#include "edge/base/parker.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ctime>

namespace nodex {
namespace {

long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) noexcept {
    static_assert(sizeof word == sizeof(std::uint32_t));
    return ::syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, 0);
}

}  // namespace

void Parker::wake() noexcept {
    if (woken_.exchange(1, std::memory_order_release) == 0) futex(woken_, FUTEX_WAKE, 1, nullptr);
}

void Parker::park(Nanoseconds timeout_ns) noexcept {
    if (woken_.exchange(0, std::memory_order_acquire) != 0) return;
    if (timeout_ns <= 0) return;
    const timespec timeout{timeout_ns / second, timeout_ns % second};
    futex(woken_, FUTEX_WAIT, 0, timeout_ns == INT64_MAX ? nullptr : &timeout);
    // A wake-up that comes between the call's end and this line is taken by it: the owner looks at everything
    // after park() anyway.
    (void)woken_.exchange(0, std::memory_order_acquire);
}

}  // namespace nodex
