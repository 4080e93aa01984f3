// Random entries from a seed, with repeats, gaps, late and forged ones; every invariant after every
// step, and the same entries into a second ledger give the same bytes.
#include <gtest/gtest.h>

#include <map>

#include "edge/base/limits.h"
#include "edge/base/random.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

constexpr unsigned steps_count = 120;
constexpr std::int64_t hour_ms = limits::idempotency_ttl_min / millisecond;

class Play {
  public:
    explicit Play(std::uint64_t seed) : random_(seed), world_(20 * unit, 8 * unit) {}

    void step() {
        switch (random_.below(13)) {
            case 0: return lease(world_.account_scope(), account_generation_);
            case 1: return lease(world_.key_scope(), key_generation_);
            case 2:
            case 3: return begin();
            case 4:
            case 5: return end();
            case 6: return ship();
            case 7: return pass_time();
            case 8: return operate();
            case 9: return lie_about_claims();
            case 10: return set_clock();
            case 11: return ship_all();
            default: return reship_old();
        }
    }
    void finish() {
        if (!world_.outbox.records.empty()) ship(applied_ + 1, limits::ship_records_max, false);
    }
    LedgerWorld& world() { return world_; }
    // A request as it was, whatever its POP said of it.
    struct Truth {
        std::int64_t began_ms = 0;
        std::int64_t ended_ms = 0;
        std::int64_t kept_ms = 0;
        bool lied = false;  // somebody told wrong times, or took the key in its name
    };
    const Truth& truth(const RequestId& request) { return truths_[request]; }

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
    // Most ask the centre for their key when they begin, the others go on without.
    void begin() {
        const Nano reserved = amount(3 * unit);
        const std::uint32_t account_generation =
            account_generation_ - (random_.below(8) == 0 ? 1 : 0);
        running_.push_back(world_.settlement(reserved, amount(reserved + unit / 10),
                                             random_.below(12), account_generation,
                                             random_.below(2) == 0 ? key_generation_ : 0));
        storage::Settlement& request = running_.back();
        request.created_ms = pop_clock_ms();
        truths_[request.request_id].began_ms = world_.now_ms;
        if (request.idempotency.is_zero() || random_.below(3) == 0) return;
        claim({random_.below(6) == 0 ? ClaimOp::takeover : ClaimOp::acquire, world_.account,
               request.idempotency, numbered<Fingerprint>(1), request.request_id, 1});
    }
    void end() {
        if (running_.empty()) return;
        const auto ended =
            running_.begin() + static_cast<std::ptrdiff_t>(random_.below(running_.size()));
        storage::Settlement settlement = *ended;
        running_.erase(ended);
        Truth& truth = truths_[settlement.request_id];
        // What ran longer than any request may has been recovered after a crash: another process.
        if (world_.now_ms - truth.began_ms > limits::request_deadline / millisecond)
            restarted_ = true;
        truth.ended_ms = world_.now_ms;
        settlement.sealed_answer.id = BodyId::from(settlement.request_id.view());
        truth.kept_ms = hour_ms + static_cast<std::int64_t>(random_.below(2 * hour_ms));
        settlement.overrun = random_.below(5) == 0 ? amount(unit) : 0;
        settlement.settled_ms = pop_clock_ms();
        if (random_.below(8) != 0)  // else one that does not tell how long
            settlement.sealed_answer.expires_ms = settlement.settled_ms + truth.kept_ms;
        if (random_.below(20) == 0) {
            settlement.created_ms = settlement.settled_ms;
            settlement.sealed_answer.expires_ms = settlement.settled_ms;
            truth.lied = true;
        }
        world_.outbox.add(settlement);
    }
    [[nodiscard]] std::int64_t pop_clock_ms() const { return world_.now_ms + clock_set_by_ms_; }
    void set_clock() {
        clock_set_by_ms_ += static_cast<std::int64_t>(random_.below(12 * hour_ms)) - 6 * hour_ms;
        unsteady_until_ms_ = world_.now_ms + limits::request_deadline / millisecond;
        unsteady_ = true;
    }
    // As Shipper tells them, or a lie.
    void ship(std::uint64_t first, std::uint64_t count, bool lie) {
        if (unsteady_ || restarted_) {
            steady_from_ = world_.outbox.records.size() + 1;
            unsteady_ = unsteady_ && world_.now_ms < unsteady_until_ms_;
            restarted_ = false;
        }
        ShipRequest request = world_.outbox.batch(first, count);
        request.sent_ms = pop_clock_ms();
        request.steady_from = steady_from_;
        if (lie) {
            request.steady_from = 1;
            request.sent_ms +=
                static_cast<std::int64_t>(random_.below(24 * hour_ms)) - 12 * hour_ms;
            for (const std::string& record : request.records)
                truths_[storage::decode_settlement(record)->request_id].lied = true;
        }
        const Result<ShipReply> reply =
            world_.ledger.ship(world_.pop, world_.incarnation, request, world_.now_ms);
        ASSERT_TRUE(reply);
        EXPECT_GE(reply->applied, applied_);
        applied_ = reply->applied;
    }
    void ship() {
        if (world_.outbox.records.empty()) return;
        ship(1 + random_.below(world_.outbox.records.size()), 1 + random_.below(5),
             random_.below(16) == 0);
    }
    void ship_all() {
        if (applied_ < world_.outbox.records.size())
            ship(applied_ + 1, limits::ship_records_max, false);
    }
    void reship_old() {
        if (applied_ > 0) ship(1 + random_.below(applied_), 3, false);
    }
    void pass_time() {
        world_.now_ms += static_cast<std::int64_t>(
            random_.below(random_.below(2) == 0 ? 1'200'000 : 4 * hour_ms));
        ASSERT_TRUE(
            world_.ledger.reclaim(world_.now_ms, 1 + static_cast<unsigned>(random_.below(3))));
    }
    void claim(const ClaimRequest::Entry& entry) {
        const ClaimRequest request{1 + random_.below(20),
                                   100'000 + static_cast<std::uint32_t>(random_.below(3'000'000)),
                                   {entry}};
        const Result<ClaimReply> reply =
            world_.ledger.claim(world_.pop, world_.incarnation, request, world_.now_ms);
        ASSERT_TRUE(reply);
        ASSERT_EQ(reply->entries.size(), 1u);
        ASSERT_TRUE(
            world_.ledger.sweep_claims(world_.now_ms, 1 + static_cast<unsigned>(random_.below(3))));
    }
    // Of keys and requests that settlements use too, at any time.
    void lie_about_claims() {
        for (std::uint64_t i = 0; i <= random_.below(4); ++i) {
            const RequestId request = request_of(world_.pop, 1 + random_.below(40));
            truths_[request].lied = true;
            claim({static_cast<ClaimOp>(random_.below(4)), world_.account,
                   numbered<IdempotencyId>(1 + random_.below(12)),
                   numbered<Fingerprint>(1 + random_.below(2)), request,
                   static_cast<std::uint16_t>(random_.below(3))});
        }
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
    std::vector<storage::Settlement> running_;
    std::map<RequestId, Truth> truths_;
    std::int64_t clock_set_by_ms_ = 0;
    bool unsteady_ = false;
    bool restarted_ = false;
    std::int64_t unsteady_until_ms_ = 0;
    std::uint64_t steady_from_ = 1;
};

// What the ledger must have charged, counted by a second, simpler bookkeeping: at most once per
// execution, per key and per use. Of two charges of a key the second execution began after the time
// of the first one's answer; and whatever was lied, an hour lies between them.
void check_charges(Play& play, unsigned& charged_anew) {
    LedgerWorld& world = play.world();
    std::map<RequestId, IdempotencyId> keys;
    for (const std::string& record : world.outbox.records) {
        const storage::Settlement settlement = *storage::decode_settlement(record);
        keys.emplace(settlement.request_id, settlement.idempotency);
    }
    std::map<RequestId, unsigned> booked;
    std::map<IdempotencyId, ledger::Row> last;
    ASSERT_TRUE(world.store.scan(LedgerTable::row, {}, {}, [&](Bytes, Bytes value) {
        ledger::Row row;
        EXPECT_TRUE(ledger::decode(value, row));
        if (row.kind != ledger::RowKind::charge && row.kind != ledger::RowKind::duplicate)
            return true;
        EXPECT_EQ(++booked[row.request], 1u);
        const IdempotencyId key = keys.at(row.request);
        if (row.kind == ledger::RowKind::duplicate || key.is_zero()) return true;
        const auto [before, is_first] = last.emplace(key, row);
        if (is_first) return true;
        ++charged_anew;
        const Play::Truth& first = play.truth(before->second.request);
        const Play::Truth& second = play.truth(row.request);
        EXPECT_GE(row.time_ms, before->second.time_ms + hour_ms);
        if (!first.lied && !second.lied) {
            EXPECT_GE(second.began_ms, first.ended_ms + first.kept_ms);
        }
        before->second = row;
        return true;
    }));
}

TEST(LedgerProperties, HoldAfterEveryStepOfRandomHistories) {
    unsigned charged_anew = 0;
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Play play(seed);
        for (unsigned i = 0; i < steps_count; ++i) {
            play.step();
            ASSERT_NO_FATAL_FAILURE(play.world().check());
        }
        play.finish();
        ASSERT_NO_FATAL_FAILURE(play.world().check());
        ASSERT_NO_FATAL_FAILURE(check_charges(play, charged_anew));
        if (testing::Test::HasFailure()) return;
    }
    EXPECT_GT(charged_anew, 20u) << "hardly a key was used anew: this proves less than it claims";
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
