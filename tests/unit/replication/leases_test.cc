// LeaseScope: what is free never goes below zero, whoever takes it and whatever arrives late.
#include "replication/leases.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace nodex::replication::leases_test {
namespace {

constexpr storage::Journal::Scope scope{storage::Journal::Scope::Kind::account, 7};

TEST(LeaseScope, ReservesOnlyWhatWasGranted) {
    LeaseScope lease(scope, 1, 0, 0);
    lease.grant(100, 10 * second);
    EXPECT_TRUE(lease.try_reserve(60, second));
    EXPECT_FALSE(lease.try_reserve(41, second));
    EXPECT_TRUE(lease.try_reserve(40, second));
    EXPECT_FALSE(lease.try_reserve(1, second));
    EXPECT_EQ(lease.reserved(), 100);
    EXPECT_EQ(lease.available(), 0);
}

TEST(LeaseScope, GrantsNothingAfterExpiry) {
    LeaseScope lease(scope, 1, 0, 0);
    lease.grant(100, 10 * second);
    EXPECT_TRUE(lease.try_reserve(1, 10 * second - 1));
    EXPECT_FALSE(lease.try_reserve(1, 10 * second));
    EXPECT_EQ(lease.reserved(), 1);
}

TEST(LeaseScope, SettlingFreesTheDifference) {
    LeaseScope lease(scope, 1, 0, 0);
    lease.grant(100, 10 * second);
    ASSERT_TRUE(lease.try_reserve(80, second));
    lease.settle(80, 30);
    EXPECT_EQ(lease.available(), 70);
    EXPECT_EQ(lease.settled(), 30);
    EXPECT_EQ(lease.reserved(), 0);
    ASSERT_TRUE(lease.try_reserve(70, second));
    lease.release(70);
    EXPECT_EQ(lease.available(), 70);
}

TEST(LeaseScope, ARepeatedOrOlderGrantAddsNothing) {
    LeaseScope lease(scope, 1, 0, 0);
    lease.grant(100, 10 * second);
    lease.grant(100, 10 * second);
    lease.grant(40, 9 * second);
    EXPECT_EQ(lease.granted(), 100);
    EXPECT_EQ(lease.available(), 100);
    EXPECT_EQ(lease.expires_ns(), 10 * second);
    lease.grant(150, 11 * second);
    EXPECT_EQ(lease.available(), 150);
}

TEST(LeaseScope, ReloadedCountersComeOffTheGrant) {
    LeaseScope lease(scope, 3, 25, 15);
    EXPECT_FALSE(lease.try_reserve(0, second));  // expired until the centre answers
    lease.grant(100, 10 * second);
    EXPECT_EQ(lease.available(), 60);
}

TEST(LeaseScope, TakesBackOnlyWhatIsFree) {
    LeaseScope lease(scope, 1, 0, 0);
    lease.grant(100, 10 * second);
    ASSERT_TRUE(lease.try_reserve(70, second));
    EXPECT_FALSE(lease.take_back(31));
    EXPECT_TRUE(lease.take_back(30));
    EXPECT_EQ(lease.returned(), 30);
    EXPECT_EQ(lease.available(), 0);
}

TEST(LeaseScope, WhatTheCentreWasGivenBackIsNotFreeAgain) {
    LeaseScope lease(scope, 1, 10, 0);  // of a disk that has forgotten 60
    lease.learn_returned(60);
    lease.grant(100, 10 * second);
    EXPECT_EQ(lease.available(), 30);
    lease.learn_returned(60);
    lease.learn_returned(40);  // late
    EXPECT_EQ(lease.available(), 30);
    EXPECT_EQ(lease.returned(), 60);
}

TEST(LeaseScope, ManyThreadsReserveExactlyWhatIsThere) {
    LeaseScope lease(scope, 1, 0, 0);
    lease.grant(1'000, 10 * second);
    std::atomic<int> reserved{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int attempt = 0; attempt < 500; ++attempt)
                if (lease.try_reserve(3, second)) {
                    lease.settle(3, 1);
                    reserved.fetch_add(1);
                }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(lease.settled(), reserved.load());
    EXPECT_EQ(lease.reserved(), 0);
    EXPECT_EQ(lease.available() + lease.settled(), 1'000);
    EXPECT_GE(lease.available(), 0);
}

}  // namespace
}  // namespace nodex::replication::leases_test
