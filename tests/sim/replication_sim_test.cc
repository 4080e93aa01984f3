// The seeds of every change: none may break an invariant, together they must have met every kind of
// fault, and each planted bug must be found. More of both: soak.cc and planted.cc.
#include <gtest/gtest.h>

#include <ostream>

#include "tests/sim/planted_bugs.h"

namespace nodex::replication {

void PrintTo(const Planted& planted, std::ostream* out) {
    *out << planted.name;
}

namespace {

constexpr std::uint64_t seeds_count = 200;
constexpr std::uint64_t seeds_of_a_bug = 500;  // within which each is found

TEST(ReplicationSim, HoldsItsInvariantsOnEveryFixedSeed) {
    ReplicationWorld::Counts seen, faults;
    for (std::uint64_t seed = 1; seed <= seeds_count; ++seed) {
        ReplicationWorld world(seed, PlantedBug::none, EdgeBug::none);
        ASSERT_EQ(world.run(), "") << "seed " << seed;
        for (const auto& [what, times] : world.seen()) seen[what] += times;
        for (const auto& [what, times] : world.faults()) faults[what] += times;
    }
    for (const char* what : {"refused",          "unavailable", "replayed",
                             "duplicate",        "reclaimed",   "elsewhere",
                             "proceeded",        "taken_over",  "ran_twice",
                             "reinstalled",      "late_loss",   "lost_with_a_disk",
                             "shredded",         "other_body",  "other_body_elsewhere",
                             "body_shredded",    "body_kept",   "body_key_rotated",
                             "answers_outlived", "charged_anew"})
        EXPECT_GT(seen[what], 0u) << what
                                  << " never happened: the seeds prove less than they claim";
    for (const char* what : {"pop_killed",
                             "pop_power_lost",
                             "pop_disk_lost",
                             "pop_disk_rolled_back",
                             "pop_forgets_returns",
                             "pop_clock_set",
                             "centre_clock_set",
                             "link_cut",
                             "link_cut_one_way",
                             "link_cut_until_reclaimed",
                             "link_cut_until_silent",
                             "centre_killed",
                             "centres_restarted",
                             "centre_frozen",
                             "ledger_restored",
                             "old_centre_woken",
                             "message_dropped",
                             "message_repeated",
                             "message_overtaken",
                             "message_cut"})
        EXPECT_GT(faults[what], 0u) << what << " was never done";
}

TEST(ReplicationSim, OneSeedIsRepeatable) {
    ReplicationWorld first(1, PlantedBug::none, EdgeBug::none);
    ReplicationWorld second(1, PlantedBug::none, EdgeBug::none);
    EXPECT_EQ(first.run(), second.run());
    EXPECT_EQ(first.seen(), second.seen());
    EXPECT_EQ(first.faults(), second.faults());
}

class PlantedBugs : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBugs, IsNoticedByTheCheckers) {
    EXPECT_TRUE(find_planted(GetParam(), seeds_of_a_bug));
}

INSTANTIATE_TEST_SUITE_P(ReplicationSim, PlantedBugs,
                         testing::ValuesIn(planted_bugs().begin(), planted_bugs().end()),
                         [](const auto& each) { return std::string(each.param.name); });

}  // namespace
}  // namespace nodex::replication
