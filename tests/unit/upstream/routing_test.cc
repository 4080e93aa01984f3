// The order in which endpoints are tried.
#include "edge/upstream/routing.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "edge/base/limits.h"

namespace nodex::upstream {
namespace {

TEST(Routing, NoCandidatesGiveAnEmptyOrder) {
    SeededRandom random(1);
    EXPECT_TRUE(order_candidates({}, random).empty());
}

TEST(Routing, HealthyEndpointsComeBeforeEjectedOnes) {
    SeededRandom random(2);
    for (int round = 0; round < 200; ++round) {
        const auto order = order_candidates(
            {{0, 1'000'000, Standing::ejected}, {1, 1, Standing::healthy}, {2, 1, Standing::healthy}},
            random);
        ASSERT_EQ(order.size(), 3u);
        EXPECT_EQ(order[2], 0u);
    }
}

TEST(Routing, EjectedEndpointsAreStillTried) {
    SeededRandom random(3);
    const auto order = order_candidates({{4, 100, Standing::ejected}}, random);
    EXPECT_EQ(order, std::vector<std::size_t>{4});
}

TEST(Routing, OneDueProbeComesFirst) {
    SeededRandom random(4);
    const auto order = order_candidates(
        {{0, 100, Standing::healthy}, {1, 1, Standing::probe_due}, {2, 1, Standing::probe_due}}, random);
    EXPECT_EQ(order[0], 1u);
    EXPECT_EQ(order[1], 0u);  // the second endpoint with a due probe waits for another request
}

TEST(Routing, WeightsDecideHowOftenAnEndpointComesFirst) {
    SeededRandom random(5);
    std::array<int, 3> first{};
    constexpr int rounds = 20'000;
    for (int round = 0; round < rounds; ++round) {
        const auto order = order_candidates(
            {{0, 100, Standing::healthy}, {1, 300, Standing::healthy}, {2, 0, Standing::healthy}}, random);
        ++first[order[0]];
        ASSERT_EQ(order[2], 2u);  // weight 0: only when everything else failed
    }
    EXPECT_NEAR(first[0], rounds / 4, rounds / 50);
    EXPECT_NEAR(first[1], rounds * 3 / 4, rounds / 50);
    EXPECT_EQ(first[2], 0);
}

TEST(Routing, EndpointsOfWeightZeroShareEvenly) {
    SeededRandom random(6);
    std::array<int, 2> first{};
    for (int round = 0; round < 2'000; ++round)
        ++first[order_candidates({{0, 0, Standing::healthy}, {1, 0, Standing::healthy}}, random)[0]];
    EXPECT_NEAR(first[0], 1'000, 120);
}

TEST(Routing, OrderIsBoundedAndWithoutRepetition) {
    SeededRandom random(7);
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < 20; ++i) candidates.push_back({i, 100, Standing::healthy});
    const auto order = order_candidates(candidates, random);
    EXPECT_EQ(order.size(), limits::endpoints_chosen_max);
    EXPECT_EQ(std::set<std::size_t>(order.begin(), order.end()).size(), order.size());
}

}  // namespace
}  // namespace nodex::upstream
