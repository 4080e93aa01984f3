// The lock-free counters under several cores: money and allowance are neither made nor lost.
#include <gtest/gtest.h>

#include <atomic>

#include "replication/key_meter.h"
#include "replication/leases.h"
#include "tests/support/together.h"

namespace nodex::replication::threads_test {
namespace {

constexpr storage::Journal::Scope scope{storage::Journal::Scope::Kind::account, 7};
constexpr Nanoseconds start = 1'000 * second;

TEST(LeaseScopeThreads, GrantsAndReturnsWhileCoresReserveLoseNothing) {
    constexpr std::size_t cores = 3;
    constexpr Nano grants = 500;
    LeaseScope lease(scope, 1, 0, 0);
    std::atomic<Nano> charged{0};
    Nano taken_back = 0;
    test::together(cores + 1, [&](std::size_t index) {
        if (index == cores) {  // the agent: it alone grants and takes back
            for (Nano i = 1; i <= grants; ++i) {
                lease.grant(10 * i, 10 * second);
                if (lease.take_back(3)) taken_back += 3;
            }
            return;
        }
        for (int i = 0; i < 1'000; ++i) {
            EXPECT_GE(lease.available(), 0);
            if (!lease.try_reserve(7, second)) continue;
            if (i % 3 == 0) {
                lease.release(7);
            } else {
                lease.settle(7, 2);
                charged.fetch_add(2);
            }
        }
    });
    EXPECT_EQ(lease.granted(), 10 * grants);
    EXPECT_EQ(lease.returned(), taken_back);
    EXPECT_EQ(lease.settled(), charged.load());
    EXPECT_EQ(lease.reserved(), 0);
    EXPECT_EQ(lease.available(), 10 * grants - taken_back - charged.load());
}

TEST(RateBucketThreads, ManyCoresTakeExactlyAMinutesAllowance) {
    constexpr std::uint64_t limit = 1'000;
    RateBucket bucket;
    std::atomic<std::uint64_t> allowed{0};
    test::together(4, [&](std::size_t) {
        for (std::uint64_t i = 0; i < limit / 2; ++i)
            if (bucket.take(limit, 1, start).allowed) allowed.fetch_add(1);
    });
    EXPECT_EQ(allowed.load(), limit);
}

TEST(RateBucketThreads, WhatManyCoresGiveBackCanBeTakenAgainAndNoMore) {
    constexpr std::uint64_t limit = 1'000;
    RateBucket bucket;
    std::atomic<std::uint64_t> used{0};
    test::together(4, [&](std::size_t) {
        for (int i = 0; i < 100; ++i) {
            if (!bucket.take(limit, 2, start).allowed) continue;
            bucket.give_back(limit, 1);
            used.fetch_add(1);
        }
    });
    std::uint64_t left = 0;
    while (bucket.take(limit, 1, start).allowed) ++left;
    EXPECT_EQ(used.load() + left, limit);
}

}  // namespace
}  // namespace nodex::replication::threads_test
