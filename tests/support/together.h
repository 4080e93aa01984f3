// One function on several threads at the same moment, for tests that the thread sanitizer judges.
#pragma once
#include <cstddef>
#include <latch>
#include <thread>
#include <vector>

namespace nodex::test {

// Calls work(0) ... work(count - 1), each on a thread of its own and none before all run; returns when
// all have returned.
template <class Work>
void together(std::size_t count, const Work& work) {
    std::latch gate(static_cast<std::ptrdiff_t>(count));
    std::vector<std::thread> threads;
    threads.reserve(count);
    for (std::size_t index = 0; index < count; ++index)
        threads.emplace_back([&gate, &work, index] {
            gate.arrive_and_wait();
            work(index);
        });
    for (std::thread& thread : threads) thread.join();
}

}  // namespace nodex::test
