// A centre of two processes of which one is frozen: a queue group gives it every other request, by
// chance, and it answers none, while the other answers at once.
#include "edge/base/limits.h"
#include "tests/unit/replication/paying_pop.h"
#include "tests/unit/replication/unpaid_calls.h"

namespace nodex::replication {
namespace {

// Swallows what the frozen one is given.
class FrozenHalf final : public TransportServer {
  public:
    explicit FrozenHalf(TransportServer& all) : all_(all) {}
    void attach(Mailbox* mailbox) override { all_.attach(mailbox); }
    void serve(Bytes subject, RequestHandler handler) override {
        all_.serve(subject, [this, handler = std::move(handler)](Bytes to, Bytes request,
                                                                 const Respond& respond) {
            if (!frozen || random_.below(2) == 0) handler(to, request, respond);
        });
    }
    void publish(Bytes subject, std::string payload) override {
        all_.publish(subject, std::move(payload));
    }
    bool frozen = false;

  private:
    TransportServer& all_;
    SeededRandom random_{11};
};

struct TwoCentresTest : PayingPop {
    static constexpr unsigned rounds = 200;

    void SetUp() override {
        world.heartbeat_ns = second;
        world.start_centre(half);
        PayingPop::SetUp();
        SimFaults road;
        road.delay_min = road.delay_max = 40 * millisecond;
        world.network.set_faults(road);
        for (int i = 0; i < 20; ++i) spend(unit / 1'000);
        half.frozen = true;
    }
    void TearDown() override { world.central.reset(); }
    // The centre's word on a new key, or nothing; by how long a first byte waits.
    std::optional<ClaimReply::Entry> claim() {
        ClaimRequest::Entry entry{ClaimOp::acquire, account, {}, {}, {}, 0};
        ++requests;
        entry.request = request_of(PopId{1}, requests);
        entry.idempotency.octets = entry.request.octets;
        std::optional<std::optional<ClaimReply::Entry>> told;
        pop().core->claims().ask(
            entry, [&](const std::optional<ClaimReply::Entry>& word) { told = word; });
        NX_ASSERT(world.until([&] { return told.has_value(); }));
        return *told;
    }

    FrozenHalf half{world.network.centre()};
};

TEST_F(TwoCentresTest, ASettlementIsAppliedWithinASecondOnTheWhole) {
    const Nanoseconds began_ns = world.clock.now_ns();
    Nanoseconds longest = 0;
    for (unsigned i = 0; i < rounds; ++i) {
        const Nanoseconds from_ns = world.clock.now_ns();
        spend(unit / 1'000);
        longest = std::max(longest, world.clock.now_ns() - from_ns);
    }
    const Nanoseconds took = (world.clock.now_ns() - began_ns) / rounds;
    RecordProperty("mean_ms", std::to_string(took / millisecond));
    RecordProperty("longest_ms", std::to_string(longest / millisecond));
    EXPECT_LT(took, second);
    check_ledger();
}

// One try found the living process for half of them at best: 82 of these 200 had its word.
TEST_F(TwoCentresTest, MoreThanHalfOfTheKeysHaveTheCentresWordInTime) {
    unsigned words = 0;
    Nanoseconds waited = 0;
    for (unsigned i = 0; i < rounds; ++i) {
        const Nanoseconds from_ns = world.clock.now_ns();
        if (claim()) ++words;
        waited += world.clock.now_ns() - from_ns;
        world.until([] { return false; }, 100 * millisecond);
    }
    RecordProperty("words", std::to_string(words));
    RecordProperty("mean_ms", std::to_string(waited / rounds / millisecond));
    EXPECT_GT(words, rounds * 3 / 5);
    EXPECT_LT(waited / rounds, limits::claim_deadline_min);
}

// A backlog: what follows a lost batch is sent for nothing.
TEST_F(TwoCentresTest, ABacklogIsNotSentManyTimes) {
    constexpr unsigned backlog = 2'000;
    const std::uint64_t before = pop().core->shipper().shipped_count();
    const Nanoseconds began_ns = world.clock.now_ns();
    world.network.cut(0, true);
    settle_unpaid(world, account, backlog, requests);
    world.until([] { return false; }, second);
    world.network.cut(0, false);
    ASSERT_TRUE(world.until([&] { return all_applied(); }, 20 * second));
    const std::uint64_t sent = pop().core->shipper().shipped_count() - before;
    RecordProperty("took_ms", std::to_string((world.clock.now_ns() - began_ns) / millisecond));
    RecordProperty("sent", std::to_string(sent));
    EXPECT_LT(sent, 6 * backlog);
}

}  // namespace
}  // namespace nodex::replication
