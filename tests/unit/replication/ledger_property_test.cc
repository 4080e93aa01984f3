// Random entries from a seed, with repeats, gaps, late and forged ones; every invariant after every
// step, and the same entries into a second ledger give the same bytes.
#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "edge/base/random.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

constexpr unsigned steps_count = 120;

class Play {
  public:
    explicit Play(std::uint64_t seed) : random_(seed), world_(20 * unit, 8 * unit) {}

    void step() {
        switch (random_.below(11)) {
            case 0: return lease(world_.account_scope(), account_generation_);
            case 1: return lease(world_.key_scope(), key_generation_);
            case 2:
            case 3: return add_settlement();
            case 4:
            case 5: return ship();
            case 6: return pass_time();
            case 7: return operate();
            case 8:
            case 9: return claim();
            default: return reship_old();
        }
    }
    void finish() {
        if (!world_.outbox.records.empty()) world_.ship(applied_ + 1, limits::ship_records_max);
    }
    LedgerWorld& world() { return world_; }

  private:
    Nano amount(Nano most) {
        return static_cast<Nano>(random_.below(static_cast<std::uint64_t>(most) + 1));
    }
    void lease(const LeaseKey& scope, std::uint32_t& generation) {
        const LeaseReply::Entry entry =
            world_.lease(scope, amount(12 * unit), random_.below(2) == 0, generation,
                         amount(2 * unit) * static_cast<Nano>(random_.below(2)));
        generation = entry.generation;
    }
    void add_settlement() {
        const Nano reserved = amount(3 * unit);
        const std::uint32_t account_generation =
            account_generation_ - (random_.below(8) == 0 ? 1 : 0);
        storage::Settlement settlement =
            world_.settlement(reserved, amount(reserved + unit / 10), random_.below(12),
                              account_generation, random_.below(2) == 0 ? key_generation_ : 0);
        settlement.overrun = random_.below(5) == 0 ? amount(unit) : 0;
        world_.outbox.add(settlement);
    }
    void ship() {
        if (world_.outbox.records.empty()) return;
        const std::uint64_t first = 1 + random_.below(world_.outbox.records.size());
        applied_ = world_.ship(first, 1 + random_.below(5)).applied;
    }
    void reship_old() {
        if (applied_ == 0) return;
        const ShipReply reply = world_.ship(1 + random_.below(applied_), 3);
        EXPECT_GE(reply.applied, applied_);
        applied_ = reply.applied;
    }
    void pass_time() {
        world_.now_ms += static_cast<std::int64_t>(random_.below(1'200'000));
        ASSERT_TRUE(
            world_.ledger.reclaim(world_.now_ms, 1 + static_cast<unsigned>(random_.below(3))));
    }
    // Of keys that settlements use too: claims must never change what is charged.
    void claim() {
        ClaimRequest request{1 + random_.below(20),
                             100'000 + static_cast<std::uint32_t>(random_.below(3'000'000)),
                             {}};
        for (std::uint64_t i = 0; i <= random_.below(4); ++i)
            request.entries.push_back({static_cast<ClaimOp>(random_.below(4)), world_.account,
                                       numbered<IdempotencyId>(1 + random_.below(12)),
                                       numbered<Fingerprint>(1 + random_.below(2)),
                                       numbered<RequestId>(1 + random_.below(40)),
                                       static_cast<std::uint16_t>(random_.below(3))});
        const Result<ClaimReply> reply =
            world_.ledger.claim(world_.pop, world_.incarnation, request, world_.now_ms);
        ASSERT_TRUE(reply);
        ASSERT_EQ(reply->entries.size(), request.entries.size());
        ASSERT_TRUE(
            world_.ledger.sweep_claims(world_.now_ms, 1 + static_cast<unsigned>(random_.below(3))));
    }
    void operate() {
        const std::string reference = "ref-" + std::to_string(random_.below(6));
        (void)world_.ledger.top_up(world_.account, 1 + amount(2 * unit), reference, world_.now_ms);
        (void)world_.ledger.adjust(world_.account, amount(4 * unit) - 2 * unit, "fix",
                                   world_.now_ms);
    }

    SeededRandom random_;
    LedgerWorld world_;
    std::uint32_t account_generation_ = 1;
    std::uint32_t key_generation_ = 1;
    std::uint64_t applied_ = 0;
};

// What the ledger must have charged, counted by a second, simpler bookkeeping: at most once per
// key, and each business request's money accounted for somewhere.
void check_charges(LedgerWorld& world) {
    std::map<std::string, unsigned> charges;
    ASSERT_TRUE(world.store.scan(LedgerTable::row, {}, {}, [&](Bytes, Bytes value) {
        ledger::Row row;
        EXPECT_TRUE(ledger::decode(value, row));
        if (row.kind == ledger::RowKind::charge) ++charges[to_hex(row.request.view())];
        return true;
    }));
    std::map<std::string, unsigned> per_key;
    for (const std::string& record : world.outbox.records) {
        const storage::Settlement settlement = *storage::decode_settlement(record);
        const unsigned count = charges[to_hex(settlement.request_id.view())];
        EXPECT_LE(count, 1u);
        if (!settlement.idempotency.is_zero())
            per_key[to_hex(settlement.idempotency.view())] += count;
    }
    for (const auto& [key, count] : per_key) EXPECT_LE(count, 1u) << key;
}

TEST(LedgerProperties, HoldAfterEveryStepOfRandomHistories) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Play play(seed);
        for (unsigned i = 0; i < steps_count; ++i) {
            play.step();
            ASSERT_NO_FATAL_FAILURE(play.world().check());
        }
        play.finish();
        ASSERT_NO_FATAL_FAILURE(play.world().check());
        ASSERT_NO_FATAL_FAILURE(check_charges(play.world()));
        if (testing::Test::HasFailure()) return;
    }
}

TEST(LedgerProperties, EqualEntriesMakeEqualBytes) {
    Play first(4711);
    Play second(4711);
    for (unsigned i = 0; i < steps_count; ++i) {
        first.step();
        second.step();
        ASSERT_TRUE(first.world().store == second.world().store) << i;
    }
}

}  // namespace
}  // namespace nodex::replication
