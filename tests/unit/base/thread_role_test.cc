// What the kernel says about threads that have begun as something.
#include "edge/base/thread_role.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>

namespace nodex {
namespace {

struct Seen {
    std::string name;
    int policy = -1;
    int nice = -1;
    std::uint64_t slice_ns = 0;  // 0: a kernel that has no slices
};

Seen look() {
    Seen seen;
    char name[16];
    EXPECT_EQ(pthread_getname_np(pthread_self(), name, sizeof name), 0);
    seen.name = name;
    unsigned char attributes[48];  // struct sched_attr, version 0
    EXPECT_EQ(syscall(SYS_sched_getattr, 0, attributes, sizeof attributes, 0), 0);
    std::uint32_t policy;
    std::int32_t nice;
    std::memcpy(&policy, attributes + 4, sizeof policy);
    std::memcpy(&nice, attributes + 16, sizeof nice);
    std::memcpy(&seen.slice_ns, attributes + 24, sizeof seen.slice_ns);
    seen.policy = static_cast<int>(policy);
    seen.nice = nice;
    return seen;
}

template <class Body>
Seen seen_in_a_thread(Body begin) {
    Seen seen;
    std::thread([&] {
        begin();
        seen = look();
    }).join();
    return seen;
}

TEST(ThreadRole, ALoopIsOrdinaryAndEverybodyElseGivesWay) {
    const Seen loop = seen_in_a_thread([] { begin_loop_thread("a-loop"); });
    const Seen writer = seen_in_a_thread([] { begin_writer_thread("a-writer"); });
    const Seen helper = seen_in_a_thread([] { begin_helper_thread("a-helper"); });
    EXPECT_EQ(loop.name, "a-loop");
    EXPECT_EQ(loop.policy, SCHED_OTHER);
    EXPECT_EQ(writer.name, "a-writer");
    EXPECT_EQ(writer.policy, SCHED_BATCH);
    EXPECT_EQ(helper.name, "a-helper");
    EXPECT_EQ(helper.policy, SCHED_BATCH);
}

TEST(ThreadRole, LoopAndWriterHaveTheSameSliceAndAHelperALongerOne) {
    const Seen loop = seen_in_a_thread([] { begin_loop_thread("a-loop"); });
    if (loop.slice_ns == 0) GTEST_SKIP() << "this kernel has no slices (Linux 6.12)";
    const Seen writer = seen_in_a_thread([] { begin_writer_thread("a-writer"); });
    const Seen helper = seen_in_a_thread([] { begin_helper_thread("a-helper"); });
    EXPECT_EQ(writer.slice_ns, loop.slice_ns);
    EXPECT_GT(helper.slice_ns, loop.slice_ns);
}

TEST(ThreadRole, AThreadOfALibraryIsWhatItsStarterIs) {
    Seen inherited;
    Seen loop;
    std::thread([&] {
        give_way_to_loops();
        inherited = seen_in_a_thread([] {});
        loop = seen_in_a_thread([] { begin_loop_thread("a-loop"); });
    }).join();
    EXPECT_EQ(inherited.policy, SCHED_BATCH);
    EXPECT_EQ(loop.policy, SCHED_OTHER) << "a loop that a helper starts is a loop all the same";
}

TEST(ThreadRole, TheNiceValueOfAnOperatorStays) {
    const auto nicer = [] {
        EXPECT_EQ(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), 3), 0);
    };
    for (const auto begin : {&begin_loop_thread, &begin_writer_thread, &begin_helper_thread}) {
        const Seen seen = seen_in_a_thread([&] {
            nicer();
            begin("nicer");
        });
        EXPECT_EQ(seen.nice, 3);
    }
}

}  // namespace
}  // namespace nodex
