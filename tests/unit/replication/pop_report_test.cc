// What POPs tell of themselves: the messages, what the ledger keeps of them, what operators see.
#include "replication/pop_report.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "replication/central/queries.h"
#include "tests/unit/replication/pop_world.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication::pop_report_test {
namespace {

PopReport sample() {
    PopReport report;
    report.name = "sg";
    report.version = "0.1.0";
    report.uptime_s = 7'200;
    report.outbox_applied = 41;
    report.outbox_last = 53;
    report.lag_ms = 4'250;
    report.leases_count = 2;
    report.granted = 20 * nano_per_unit;
    report.settled = 3 * nano_per_unit;
    report.headroom = 17 * nano_per_unit;
    report.claims_asked = 7;
    report.copies_kept_bytes = 1'234'567;
    report.copies_lag_bytes = 9;
    report.erased = {RequestId::from(std::string(RequestId::size, '\7'))};
    return report;
}

TEST(PopReports, AreDecodedAsTheyWereEncoded) {
    const std::string encoded = encode(sample());
    const auto decoded = decode_pop_report(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(encode(*decoded), encoded);
    EXPECT_EQ(decoded->name, "sg");
    EXPECT_EQ(decoded->lag_ms, 4'250u);
    EXPECT_EQ(decoded->headroom, 17 * nano_per_unit);
    EXPECT_EQ(decoded->erased, sample().erased);
    ASSERT_TRUE(decode_pop_report(encoded + "a newer POP's field"));
    for (std::size_t size = 0; size < encoded.size(); ++size)
        EXPECT_FALSE(decode_pop_report(Bytes(encoded).substr(0, size))) << size;
}

TEST(PopReports, OfAmountsBelowZeroOrLongNamesAreRefused) {
    PopReport report = sample();
    report.headroom = -1;
    EXPECT_FALSE(decode_pop_report(encode(report)));
    report = sample();
    report.name = std::string(1'000, 'n');
    const auto cut = decode_pop_report(encode(report));
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut->name.size(), limits::report_text_bytes_max);
    std::string lying = encode(sample());
    lying[0] = limits::report_text_bytes_max + 1;
    EXPECT_FALSE(decode_pop_report(lying + std::string(100, 'x')));
}

TEST(PopReports, RepliesCarryOrdersAndLieAboutNoCounts) {
    ReportReply reply;
    reply.erasures.push_back(
        {RequestId::from(std::string(16, '\1')), BodyId::from(std::string(16, '\2')), BodyId{}});
    const std::string encoded = encode(reply);
    const auto decoded = decode_report_reply(encoded);
    ASSERT_TRUE(decoded);
    EXPECT_EQ(encode(*decoded), encoded);
    for (std::size_t size = 0; size < encoded.size(); ++size)
        EXPECT_FALSE(decode_report_reply(Bytes(encoded).substr(0, size))) << size;
    std::string many = encode(ReportReply{});
    many[1] = '\x7f';
    EXPECT_FALSE(decode_report_reply(many));
}

constexpr AccountId account{1};
constexpr Nano unit = nano_per_unit;

struct PopStates : testing::Test {
    PopWorld world{2};
    std::uint64_t requests = 0;

    void SetUp() override {
        world.make_account();
        ASSERT_TRUE(world.ledger.top_up(account, 100 * unit, "first", world.clock.wall_ms()));
        ASSERT_TRUE(world.served(world.start(0)));
        ASSERT_TRUE(world.served(world.start(1)));
    }
    PopWorld::Pop& pop() { return *world.pops[0]; }
    // A settlement of `settled_ms` in the journal; the money of it is of no matter here.
    void settle(std::int64_t settled_ms) {
        storage::OpenRequest open;
        ++requests;
        open.request_id = request_of(PopId{1}, requests);
        open.account = account;
        open.key = KeyId{1};
        storage::Batch batch;
        ASSERT_TRUE(pop().journal->claim(open, {}, world.clock.wall_ms(), batch).has_value());
        storage::Finish done;
        done.request_id = done.answer.request_id = open.request_id;
        storage::Settlement settlement;
        settlement.request_id = open.request_id;
        settlement.account = account;
        settlement.key = open.key;
        settlement.settled_ms = settled_ms;
        done.settlement = settlement;
        ASSERT_TRUE(pop().journal->finish(done, batch).has_value());
        ASSERT_TRUE(pop().store.write(batch, storage::Durability::power));
        pop().core->outbox_grew();
    }
    std::vector<Ledger::PopView> views() {
        auto all = world.ledger.pops(PopId{0}, 10);
        EXPECT_TRUE(all);
        return all ? *all : std::vector<Ledger::PopView>{};
    }
    bool both_reported() {
        return world.until([&] {
            const auto all = views();
            return all.size() == 2 && all[0].report && all[1].report;
        });
    }
};

TEST_F(PopStates, EveryPopIsKnownToTheLedgerSoonAfterItRegistered) {
    ASSERT_TRUE(both_reported());
    const auto all = views();
    EXPECT_EQ(all[0].pop, PopId{1});
    EXPECT_EQ(all[1].pop, PopId{2});
    EXPECT_EQ(all[0].incarnation, 1u);
    EXPECT_EQ(all[0].epoch, world.ledger.head()->epoch);
    EXPECT_EQ(all[0].report->name, "pop");
    EXPECT_LE(world.clock.wall_ms() - all[0].mark.contact_ms, 2'000);
    const auto second = world.ledger.pops(PopId{1}, 10);
    ASSERT_TRUE(second);
    ASSERT_EQ(second->size(), 1u);
    EXPECT_EQ((*second)[0].pop, PopId{2});
}

TEST_F(PopStates, TheLagIsTheAgeOfWhatWaitsAlsoWhileThePopIsCutOff) {
    EXPECT_EQ(pop().core->outbox().lag_ms(), 0);
    world.network.stop_centre();
    const std::int64_t then = world.clock.wall_ms();
    settle(then);
    settle(then + 500);
    world.until([] { return false; }, 10 * second);
    EXPECT_EQ(pop().core->outbox().last(), 2u);
    EXPECT_EQ(pop().core->outbox().applied(), 0u);
    EXPECT_EQ(pop().core->outbox().lag_ms(), world.clock.wall_ms() - then);
    world.start_centre();
    ASSERT_TRUE(world.until([&] { return pop().core->outbox().applied() == 2; }));
    EXPECT_EQ(pop().core->outbox().lag_ms(), 0);
}

TEST_F(PopStates, AStartWithoutTheCentreKnowsHowMuchWaits) {
    settle(world.clock.wall_ms());
    ASSERT_TRUE(world.until([&] { return pop().journal->outbox().applied == 1; }));
    world.network.stop_centre();
    settle(world.clock.wall_ms());
    world.start(0);
    ASSERT_TRUE(world.until([&] { return pop().core->outbox().last() == 2; }, 5 * second));
    EXPECT_EQ(pop().core->outbox().applied(), 1u);
    EXPECT_GE(pop().core->outbox().lag_ms(), 0);
}

TEST_F(PopStates, LeasesAreCountedAndShown) {
    std::optional<AskVerdict> verdict;
    pop().core->leases().ask({LeaseKey::Kind::account, 1}, {}, 2 * unit,
                             [&](AskVerdict told, LeaseScope* lease, LeaseScope*) {
                                 verdict = told;
                                 if (lease != nullptr) lease->settle(2 * unit, unit);
                             });
    ASSERT_TRUE(world.until([&] { return verdict == AskVerdict::reserved; }));
    ASSERT_TRUE(world.until([&] { return pop().core->lease_totals().settled == unit; }));
    const LeaseKeeper::Totals totals = pop().core->lease_totals();
    EXPECT_EQ(totals.leases_count, 1u);
    EXPECT_GE(totals.granted, 2 * unit);
    EXPECT_EQ(totals.headroom, totals.granted - unit);
    ASSERT_TRUE(world.until([&] { return views()[0].report->settled == unit; }));
}

// The request that had asked for the money ran elsewhere, and the POP was killed: the centre held
// the money for twenty-five minutes, and the POP that was back did not know that it had any.
TEST_F(PopStates, WhatWasGrantedAndNotSpentIsKnownAfterARestart) {
    std::optional<AskVerdict> verdict;
    pop().core->leases().ask({LeaseKey::Kind::account, 1}, {}, 2 * unit,
                             [&](AskVerdict told, LeaseScope* lease, LeaseScope*) {
                                 verdict = told;
                                 if (lease != nullptr) lease->release(2 * unit);
                             });
    ASSERT_TRUE(world.until([&] { return verdict == AskVerdict::reserved; }));
    world.step();
    world.start(0);
    const auto held = [&] { return (*world.ledger.account(account))->held; };
    ASSERT_GE(held(), 2 * unit);
    EXPECT_TRUE(
        world.until([&] { return pop().core->lease_totals().headroom == held(); }, 10 * second));
}

TEST_F(PopStates, AReportOfAnEarlierIncarnationIsRefused) {
    ASSERT_TRUE(both_reported());
    EXPECT_EQ(world.ledger.report(PopId{1}, 9, 1, sample(), world.clock.wall_ms()).error().code,
              ErrorCode::stale);
    EXPECT_EQ(world.ledger.report(PopId{7}, 1, 1, sample(), world.clock.wall_ms()).error().code,
              ErrorCode::stale);
    EXPECT_EQ(views()[0].report->name, "pop");
}

TEST_F(PopStates, AnOperatorSeesThemWithTheOutboxAsTheLedgerKnowsIt) {
    ASSERT_TRUE(both_reported());
    PopReport report = sample();
    report.outbox_applied = 0;
    report.outbox_last = 5;
    settle(world.clock.wall_ms());
    ASSERT_TRUE(world.until([&] { return views()[0].mark.applied == 1; }));
    const std::int64_t now = world.clock.wall_ms();
    ASSERT_TRUE(world.ledger.report(PopId{1}, 1, 1, report, now));
    crypto::SecretKey secret;
    Queries queries(world.ledger, world.random, secret);
    const QueryReply reply = queries.admin(R"({"command":"pop.list","args":{}})", now + 3'000);
    EXPECT_EQ(reply.status, 200);
    for (const char* part :
         {R"("pop":1,"incarnation":1,"heard_s":)", R"("name":"sg")", R"("version":"0.1.0")",
          R"("reported_s":3)", R"("lag_ms":4250)", R"("outbox_depth":4)", R"("headroom":"17")",
          R"("pop":2)", R"("has_more":false)"})
        EXPECT_NE(reply.json.find(part), std::string::npos) << part << " " << reply.json;
    EXPECT_EQ(queries.admin(R"({"command":"pop.list","args":{"after":70000}})", now).status, 400);
    EXPECT_EQ(queries.admin(R"({"command":"pop.list","args":{"aftr":1}})", now).status, 400);
}

}  // namespace
}  // namespace nodex::replication::pop_report_test
