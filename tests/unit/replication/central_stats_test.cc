// What a centre counts of settlements: only what was committed, and each in its own place.
#include "replication/central/central_stats.h"

#include <gtest/gtest.h>

#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

TEST(SettlementCounts, TellChargesApartFromWhatWasToldOrRunTwice) {
    LedgerWorld world(100 * unit);
    world.lease(world.account_scope(), 50 * unit);
    const auto& counts = world.ledger.settlement_counts();
    world.settle(world.settlement(2 * unit, unit, 1));
    EXPECT_EQ(counts.charges, 1u);
    world.ship(1, 1);  // the answer was lost: sent again
    EXPECT_EQ(counts.charges, 1u);
    EXPECT_EQ(counts.repeated_records, 1u);
    world.settle(world.settlement(2 * unit, unit, 1));  // the key ran at another POP too
    EXPECT_EQ(counts.charges, 1u);
    EXPECT_EQ(counts.duplicates, 1u);
    storage::Settlement dear = world.settlement(2 * unit, 2 * unit, 2);
    dear.overrun = unit;
    world.settle(dear);
    EXPECT_EQ(counts.charges, 2u);
    EXPECT_EQ(counts.overruns, 1u);
    EXPECT_EQ(counts.late_losses, 0u);
    world.check();
}

TEST(SettlementCounts, LeaveOutARecordThatIsRefusedAndABatchThatIsNotCommitted) {
    LedgerWorld world(100 * unit);
    world.lease(world.account_scope(), 50 * unit);
    storage::Settlement stranger = world.settlement(unit, unit, 1);
    stranger.account = AccountId{99};
    world.outbox.add(world.settlement(2 * unit, unit, 2));
    world.outbox.add(stranger);
    EXPECT_EQ(world.ship(1, 2).rejected, 2u);
    const auto& counts = world.ledger.settlement_counts();
    EXPECT_EQ(counts.charges, 1u);
    world.outbox.add(world.settlement(2 * unit, unit, 3));
    EXPECT_FALSE(world.ledger.ship(world.pop, world.incarnation + 7, world.outbox.batch(3, 1),
                                   world.now_ms));
    EXPECT_EQ(counts.charges, 1u);
}

TEST(CentralStats, EveryVerbAndEveryRefusalHasAName) {
    for (std::size_t verb = 0; verb < CentralStats::verbs_count; ++verb)
        EXPECT_STRNE(CentralStats::name(static_cast<CentralStats::Verb>(verb)), "");
    for (std::size_t reason = 0; reason < CentralStats::refusals_count; ++reason)
        EXPECT_STRNE(CentralStats::name(static_cast<CentralStats::Refusal>(reason)), "");
}

}  // namespace
}  // namespace nodex::replication
