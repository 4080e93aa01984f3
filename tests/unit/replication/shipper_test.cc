// Shipper over a link that loses answers: what the ledger has applied and nobody told.
#include "replication/shipper.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "tests/unit/replication/unpaid_calls.h"

namespace nodex::replication::shipper_test {
namespace {

struct ShipperTest : testing::Test {
    PopWorld world{1};
    AccountId account{};
    std::uint64_t requests = 0;
    bool mute = false;     // the centre applies what it gets, and nobody hears its answers
    Nanoseconds work = 0;  // that a batch is to the centre, one after the other
    Nanoseconds works_until = 0;
    std::deque<std::pair<Nanoseconds, std::function<void()>>> answers;  // when they are ready
    ShipRequest newest;                                                 // that the centre got
    MessageType newest_type{};
    std::uint16_t protocol = protocol_version;  // of the process that settles

    PopWorld::Pop& pop() { return *world.pops[0]; }
    void SetUp() override {
        account = world.make_account();
        ASSERT_TRUE(world.served(world.start(0)));
        world.network.centre().serve(
            "nx.v1.rpc.ship", [this](Bytes, Bytes message, const Respond& respond) {
                const Result<OpenedMessage> opened = open(message, world.link_keys[0]);
                NX_ASSERT(opened.has_value());
                Envelope envelope = opened->envelope;
                const bool packed = envelope.type == MessageType::packed_ship_request;
                if (packed && protocol < packed_ship_protocol) return;  // no message to it
                newest_type = envelope.type;
                newest = packed ? *decode_packed_ship_request(opened->payload)
                                : *decode_ship_request(opened->payload);
                const Result<ShipReply> reply = world.ledger.ship(
                    envelope.pop, envelope.incarnation, newest, world.clock.wall_ms());
                NX_ASSERT(reply.has_value());
                envelope.type =
                    packed ? MessageType::packed_ship_reply : MessageType::ship_reply;
                envelope.protocol = protocol;
                if (mute) return;
                works_until = std::max(works_until, world.clock.now_ns()) + work;
                answers.emplace_back(
                    works_until, [=, sealed = seal(envelope, encode(*reply), world.link_keys[0])] {
                        respond(sealed);
                    });
                answer();
            });
    }
    void answer() {
        while (!answers.empty() && answers.front().first <= world.clock.now_ns()) {
            answers.front().second();
            answers.pop_front();
        }
    }
    bool level() {
        return world.until([&] { return pop().core->shipper().idle(); });
    }
    void settle(unsigned count) { settle_unpaid(world, account, count, requests); }
    std::uint64_t applied() { return (*world.ledger.mark(PopId{1}, 1))->applied; }
};

// The window had been sent in batches that began with a small one; sent again in whole ones it
// ended before the ledger's mark, no answer told anything that was sent, and nothing was sent any
// more.
TEST_F(ShipperTest, AWindowWhoseAnswersWereAllLostIsNotTheEnd) {
    SimFaults slow;  // so that the whole window leaves before the first answer is missed
    slow.delay_min = slow.delay_max = 1'500 * millisecond;
    world.network.set_faults(slow);
    for (int i = 0; i < 20; ++i) {
        settle(1);
        ASSERT_TRUE(world.until([&] { return pop().core->shipper().idle(); }, 20 * second));
    }
    const std::uint64_t before = applied();
    mute = true;
    settle(10);
    const std::uint64_t shipped = pop().core->shipper().shipped_count();
    ASSERT_TRUE(world.until([&] { return pop().core->shipper().shipped_count() > shipped; }));
    settle(limits::outbox_window_records + 1'000);
    ASSERT_TRUE(world.until([&] { return applied() >= before + limits::outbox_window_records; },
                            20 * second));
    mute = false;
    ASSERT_TRUE(world.until([&] { return pop().core->shipper().idle(); }, 60 * second));
    EXPECT_EQ(applied(), pop().journal->outbox().last);
    settle(1);
    ASSERT_TRUE(world.until([&] { return applied() == pop().journal->outbox().last; }));
}

// The agent sleeps until then: a batch that gathers sends no mail.
TEST_F(ShipperTest, TellsWhenABatchThatGathersIsDueAndNothingElse) {
    const Shipper& shipper = pop().core->shipper();
    EXPECT_FALSE(shipper.gathers_until_ns());
    settle(2);
    const Nanoseconds began_ns = world.pop_clock.now_ns();
    EXPECT_EQ(shipper.gathers_until_ns(), began_ns + 10 * millisecond);
    pop().core->tick();
    EXPECT_EQ(shipper.gathers_until_ns(), began_ns + 10 * millisecond);  // too early
    EXPECT_EQ(newest.records.size(), 0u);
    world.clock.advance(10 * millisecond);
    pop().core->tick();
    EXPECT_FALSE(shipper.gathers_until_ns());  // what was read comes by mail
    pop().commits->run();
    EXPECT_FALSE(shipper.gathers_until_ns());  // the answer, too
    ASSERT_TRUE(world.until([&] { return applied() == 2; }));
    EXPECT_EQ(newest.records.size(), 2u);
    ASSERT_TRUE(world.until([&] { return shipper.idle(); }));
    EXPECT_FALSE(shipper.gathers_until_ns());
}

// Each batch was once given up after what one answer takes, though it waited for all before it:
// after ten minutes of cut 83,000 settlements took the centre 16 s.
TEST_F(ShipperTest, AWindowThatTheCentreWorksOffIsSentOnce) {
    settle(1);
    ASSERT_TRUE(world.until([&] { return pop().core->shipper().idle(); }));
    const std::uint64_t before = pop().core->shipper().shipped_count();
    work = 60 * millisecond;
    const unsigned backlog = 2 * limits::outbox_window_records;
    settle(backlog);
    ASSERT_TRUE(world.until(
        [&] {
            answer();
            return pop().core->shipper().idle();
        },
        20 * second));
    EXPECT_EQ(pop().core->shipper().shipped_count() - before, backlog);
}

// In settling alone: heartbeats are answered at once. What came after its own deadline was once not
// listened to, so that nothing was ever heard of a batch that took longer.
TEST_F(ShipperTest, ACentreThatIsSlowIsNotAskedAgainAndAgainWhileOthersAreAnswered) {
    settle(1);
    ASSERT_TRUE(world.until([&] { return pop().core->shipper().idle(); }));
    const std::uint64_t before = pop().core->shipper().shipped_count();
    work = 6 * second;
    settle(1);
    ASSERT_TRUE(world.until(
        [&] {
            answer();
            return pop().core->shipper().idle();
        },
        7 * second));
    EXPECT_LE(pop().core->shipper().shipped_count() - before, 8u);
}

// From one batch on the window was once doubled answer by answer, after ten minutes of cut too: 1.3
// s of the 6.5 that it took to be level.
TEST_F(ShipperTest, ARoadThatWasCutIsFilledBehindItsFirstAnswer) {
    constexpr Nanoseconds one_way = 80 * millisecond;
    constexpr Nanoseconds pace = 2 * millisecond;  // a batch is read at every step
    SimFaults road;
    road.delay_min = road.delay_max = one_way;
    world.network.set_faults(road);
    for (int i = 0; i < 20; ++i) {
        settle(1);
        ASSERT_TRUE(world.until([&] { return pop().core->shipper().idle(); }));
    }
    const std::uint64_t before = applied();
    world.network.cut(0, true);
    settle(limits::outbox_window_records);
    world.until([] { return false; }, 10 * second);
    world.network.cut(0, false);
    while (applied() == before) world.step(pace);
    EXPECT_LE(applied() - before, 32u);  // fits into what TCP sends before it has heard anything
    const Nanoseconds first_ns = world.clock.now_ns();
    while (!pop().core->shipper().idle()) world.step(pace);
    const auto batches = limits::outbox_window_records / limits::ship_records_max;
    EXPECT_LT(world.clock.now_ns() - first_ns, 4 * one_way + batches * pace);
}

// It was looked at again when the batch had been read. When something else was answered between the
// two, a small batch left and its answer did not open the window.
TEST_F(ShipperTest, WhetherTheRoadWasCutIsDecidedWhenABatchIsRead) {
    constexpr Nanoseconds one_way = 80 * millisecond;
    constexpr Nanoseconds pace = 2 * millisecond;
    SimFaults road;
    road.delay_min = road.delay_max = one_way;
    world.network.set_faults(road);
    for (int i = 0; i < 20; ++i) {
        settle(1);
        ASSERT_TRUE(level());
    }
    const std::uint64_t before = applied();
    const PopLink& link = pop().core->link();
    const auto step_without_reading = [&] {
        world.clock.advance(pace);
        world.network.step();
        pop().core->tick();
        world.central->tick();
    };
    world.network.cut(0, true);
    settle(limits::outbox_window_records);
    world.until([] { return false; }, 1'500 * millisecond);  // lost twice, not yet cut off
    const Nanoseconds cut_ns = link.last_contact_ns();
    while (world.clock.now_ns() - cut_ns < 6 * second) step_without_reading();  // lost, and asked for
    world.network.cut(0, false);
    while (link.last_contact_ns() == cut_ns) step_without_reading();
    while (applied() == before) world.step(pace);
    EXPECT_LE(applied() - before, 32u);
    const Nanoseconds first_ns = world.clock.now_ns();
    while (!pop().core->shipper().idle()) world.step(pace);
    const auto batches = limits::outbox_window_records / limits::ship_records_max;
    EXPECT_LT(world.clock.now_ns() - first_ns, 4 * one_way + batches * pace);
}

// Copies for the buddy give way then (AgentCore), and not while the centre is away: whoever lives on
// without it needs its buddy most.
TEST_F(ShipperTest, LagsWhenTheCentreIsHeardAndMoreThanAWindowBehind) {
    const Shipper& shipper = pop().core->shipper();
    settle(1);
    ASSERT_TRUE(level());
    EXPECT_FALSE(shipper.lags());
    world.network.cut(0, true);
    settle(limits::outbox_window_records + 2'000);
    world.until([] { return false; }, 10 * second);
    EXPECT_FALSE(shipper.lags());
    work = 20 * millisecond;
    world.network.cut(0, false);
    const auto lags = [&] {
        answer();
        return shipper.lags();
    };
    ASSERT_TRUE(world.until(lags, 10 * second));
    ASSERT_TRUE(world.until([&] { return !lags(); }));
    EXPECT_LE(pop().journal->outbox().last - applied(), limits::outbox_window_records);
    ASSERT_TRUE(world.until([&] {
        answer();
        return shipper.idle();
    }));
}

// A small one may be read by any centre; what was sent before was read.
TEST_F(ShipperTest, ABatchIsPackedForACentreThatKnowsItUnlessItIsSmall) {
    settle(1);
    ASSERT_TRUE(level());
    EXPECT_EQ(newest_type, MessageType::ship_request);
    settle(100);
    ASSERT_TRUE(level());
    EXPECT_EQ(newest_type, MessageType::packed_ship_request);
    EXPECT_EQ(newest.records.size(), 100u);
    EXPECT_EQ(applied(), 101u);
}

struct ShipperInOneProcess : ShipperTest {
    ShipperInOneProcess() { world.batches_packed = false; }
};
TEST_F(ShipperInOneProcess, PacksNothing) {
    settle(100);
    ASSERT_TRUE(level());
    EXPECT_EQ(newest_type, MessageType::ship_request);
    EXPECT_EQ(applied(), 100u);
}

// Its processes are upgraded one after the other: heartbeats are answered by one that is, here.
TEST_F(ShipperTest, NothingIsPackedWhileOneOfTheCentresProcessesDoesNotKnowIt) {
    protocol = packed_ship_protocol - 1;
    settle(1);
    ASSERT_TRUE(level());
    settle(100);
    ASSERT_TRUE(level());
    EXPECT_EQ(newest_type, MessageType::ship_request);
    EXPECT_EQ(applied(), 101u);
    world.step(limits::older_centre_kept / 2);
    world.until([] { return false; }, second);  // the other one's words count for nothing yet
    settle(100);
    ASSERT_TRUE(level());
    EXPECT_EQ(newest_type, MessageType::ship_request);
    protocol = protocol_version;
    world.step(limits::older_centre_kept);
    world.until([] { return false; }, second);
    settle(100);
    ASSERT_TRUE(level());
    EXPECT_EQ(newest_type, MessageType::packed_ship_request);
    EXPECT_EQ(applied(), 301u);
}

// The ledger takes the difference for a record's age.
TEST_F(ShipperTest, TellsWhenItSentAndWhichRecordsAreOfItsClock) {
    settle(1);
    ASSERT_TRUE(world.until([&] { return pop().core->shipper().idle(); }));
    EXPECT_EQ(newest.steady_from, 1u);
    EXPECT_LE(world.pop_clock.wall_ms() - newest.sent_ms, 1'000);
    mute = true;
    settle(2);
    ASSERT_TRUE(world.until([&] { return applied() == 3; }));
    mute = false;
    world.start(0);  // another process: it does not know how the clock was set before
    ASSERT_TRUE(world.until([&] { return pop().core->shipper().idle(); }));
    settle(1);
    ASSERT_TRUE(world.until([&] { return applied() == 4; }));
    EXPECT_EQ(newest.steady_from, 4u);
}

TEST_F(ShipperTest, AfterAClockWasSetNoRecordIsOldBeforeEveryRequestOfThenHasEnded) {
    settle(1);
    ASSERT_TRUE(world.until([&] { return pop().core->shipper().idle(); }));
    for (const std::int64_t by_ms : {7'200'000, -7'200'000}) {
        const std::uint64_t before = applied();
        world.pop_clock.set_by(by_ms);
        settle(1);
        ASSERT_TRUE(world.until([&] { return applied() == before + 1; }));
        EXPECT_GT(newest.steady_from, applied());
        world.step(limits::request_deadline - 10 * second);
        settle(1);
        ASSERT_TRUE(world.until([&] { return applied() == before + 2; }));
        EXPECT_GT(newest.steady_from, applied());
        world.step(limits::request_deadline);
        settle(1);  // what ran then may be in the outbox since
        ASSERT_TRUE(world.until([&] { return applied() == before + 3; }));
        EXPECT_GT(newest.steady_from, applied());
        settle(1);
        ASSERT_TRUE(world.until([&] { return applied() == before + 4; }));
        EXPECT_EQ(newest.steady_from, applied());
    }
}

}  // namespace
}  // namespace nodex::replication::shipper_test
