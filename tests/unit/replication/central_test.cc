// What the centre does for which POP: a credential that was stolen with one of them opens its
// leases and its feed, and nothing else.
#include "replication/central/central.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "edge/base/limits.h"
#include "replication/body_messages.h"
#include "replication/central/central_stats.h"
#include "tests/unit/replication/pop_world.h"
#include "tests/unit/replication/request_ids.h"

namespace nodex::replication::central_test {
namespace {

constexpr Nano unit = nano_per_unit;

struct CentralTest : testing::Test {
    PopWorld world{2};
    AccountId account{};
    std::uint64_t number = 0;  // of the last command

    void SetUp() override {
        account = world.make_account();
        ASSERT_TRUE(world.ledger.top_up(account, 10 * unit, "first", world.clock.wall_ms()));
        for (unsigned i = 0; i < 2; ++i) ASSERT_TRUE(world.served(world.start(i)));
        trusted({PopId{1}});
    }
    void trusted(std::vector<PopId> pops, Operators operators = {}) {
        world.central->replace_pops(
            {{PopId{1}, world.link_keys[0]}, {PopId{2}, world.link_keys[1]}},
            {std::move(operators), std::move(pops)});
    }
    Nano balance() { return (*world.ledger.account(account))->posted; }
    // Of that POP, as an operator at its admin socket.
    QueryReply top_up(unsigned pop, const std::string& reference) {
        ++number;
        const std::string args = R"({"account":)" + std::to_string(raw(account)) +
                                 R"(,"amount":"5","reference":")" + reference + "\"}";
        std::optional<QueryReply> reply;
        world.pops[pop]->core->link().request(
            "admin", MessageType::query_request,
            encode(QueryRequest{R"({"command":"balance.topup","args":)" + args + "}", number}),
            5 * second, [&](const Result<std::string>& payload) {
                reply = payload ? *decode_query_reply(*payload) : QueryReply{599, {}};
            });
        NX_ASSERT(world.until([&] { return reply.has_value(); }));
        return *reply;
    }
};

// Once every POP could: whoever took over one of them had all the money there is.
TEST_F(CentralTest, TakesPlainCommandsFromTrustedPopsOnly) {
    EXPECT_EQ(top_up(0, "of an operator").status, 200);
    EXPECT_EQ(balance(), 15 * unit);
    EXPECT_EQ(top_up(1, "of a thief").status, 403);
    EXPECT_EQ(balance(), 15 * unit);
    trusted({PopId{2}});
    EXPECT_EQ(top_up(0, "too late").status, 403);
    EXPECT_EQ(top_up(1, "in time").status, 200);
    EXPECT_EQ(balance(), 20 * unit);
}

// With the id of a body another POP hands over its chunks, and every POP has the keys.
TEST_F(CentralTest, TellsWhereBodiesAreToTrustedPopsOnly) {
    const RequestId settled = world.settle_with_a_body(account);
    const auto ask = [&](unsigned pop) {
        std::optional<ReferenceReply> told;
        world.pops[pop]->core->link().request("reference", MessageType::reference_request,
                                              encode(ReferenceRequest{settled}),
                                              5 * second, [&](const Result<std::string>& payload) {
                                                  told = *decode_reference_reply(*payload);
                                              });
        NX_ASSERT(world.until([&] { return told.has_value(); }));
        return *told;
    };
    EXPECT_EQ(ask(0).state, ReferenceState::known);
    EXPECT_FALSE(ask(0).refused);
    const ReferenceReply refusal = ask(1);
    EXPECT_TRUE(refusal.refused);
    EXPECT_EQ(refusal.state, ReferenceState::unknown);
    EXPECT_TRUE(refusal.answer.id.is_zero());
    trusted({PopId{2}});
    EXPECT_EQ(ask(1).state, ReferenceState::known);
}

// A correction has no reference that could tell it from its copy.
TEST_F(CentralTest, ACommandThatSomebodyKeptIsNotCarriedOutAgain) {
    const crypto::SecretKey& key = world.link_keys[0];
    const auto adjust = [&](std::uint64_t numbered) {
        const std::string json = R"({"command":"balance.adjust","args":{"account":)" +
                                 std::to_string(raw(account)) + R"(,"amount":"1"}})";
        std::uint16_t status = 0;
        world.pops[0]->transport->request(
            "nx.v1.rpc.admin",
            seal({MessageType::query_request, PopId{1}, 1, 1, 7},
                 encode(QueryRequest{json, numbered}), key),
            5 * second, [&](const Result<std::string>& reply) {
                status = decode_query_reply(open(*reply, key)->payload)->status;
            });
        NX_ASSERT(world.until([&] { return status != 0; }));
        return status;
    };
    EXPECT_EQ(adjust(1'000), 200);
    EXPECT_EQ(adjust(1'000), 409);
    EXPECT_EQ(balance(), 11 * unit);
    EXPECT_EQ(adjust(999), 200) << "one that was overtaken";
    for (std::size_t i = 1; i <= Ledger::commands_remembered; ++i)
        EXPECT_EQ(adjust(1'000 + i), 200);
    EXPECT_EQ(adjust(998), 409) << "too old to tell";
    EXPECT_EQ(adjust(1'000), 409);
    world.start_centre();
    EXPECT_EQ(adjust(1'064), 409) << "it is in the ledger";
    EXPECT_EQ(balance(), 76 * unit);
}

// Plain ones come from POPs of before, and from this one when a batch is small.
TEST_F(CentralTest, TakesBatchesPackedAndPlain) {
    std::vector<std::string> records;
    for (std::uint64_t i = 1; i <= 3; ++i) {
        storage::Settlement settlement;
        settlement.request_id = request_of(PopId{1}, i);
        settlement.account = account;
        records.push_back(storage::encode(settlement));
    }
    const std::string plain = encode(ShipRequest{1, {}, {records[0], records[1]}});
    const std::string both = encode(ShipRequest{1, {}, records});
    const auto shipped = [&](MessageType type, Bytes payload) -> std::optional<std::uint64_t> {
        std::optional<Result<ShipReply>> reply;
        world.pops[0]->core->link().request("ship", type, payload, 2 * second,
                                            [&](const Result<std::string>& answer) {
                                                reply = answer ? decode_ship_reply(*answer)
                                                               : Result<ShipReply>(answer.error());
                                            });
        NX_ASSERT(world.until([&] { return reply.has_value(); }));
        return *reply ? std::optional((*reply)->applied) : std::nullopt;
    };
    EXPECT_EQ(shipped(MessageType::ship_request, plain), 2u);
    EXPECT_EQ(shipped(MessageType::packed_ship_request, pack(both)), 3u);
    EXPECT_EQ(shipped(MessageType::packed_ship_request, both), std::nullopt);
    EXPECT_EQ(shipped(MessageType::ship_request, pack(both)), std::nullopt);
    EXPECT_EQ(shipped(MessageType::packed_ship_request, pack(both) + "x"), std::nullopt);
    const auto malformed = static_cast<std::size_t>(CentralStats::Refusal::malformed);
    EXPECT_EQ(world.central->stats().refused[malformed].load(), 3u);
}

// A flood of questions while the centre is slow: a POP that could not tell that it lives would be
// taken for dead, and its claims with it.
TEST_F(CentralTest, QuestionsLeaveRoomForHeartbeats) {
    PopLink& link = world.pops[0]->core->link();
    unsigned refused = 0, answered = 0;
    for (unsigned i = 0; i < limits::link_queries_max + 5; ++i)
        link.request("balance", MessageType::query_request, encode(QueryRequest{"{}"}), 5 * second,
                     [&](const Result<std::string>& payload) { ++(payload ? answered : refused); });
    EXPECT_EQ(refused, 5u);
    ASSERT_TRUE(world.until([&] { return answered == limits::link_queries_max; }));
    link.request("balance", MessageType::query_request, encode(QueryRequest{"{}"}), 5 * second,
                 [&](const Result<std::string>& payload) { answered += payload.has_value(); });
    ASSERT_TRUE(world.until([&] { return answered == limits::link_queries_max + 1; }));
}

// Whoever kept a reply of an earlier life could tell a restarted POP that a revoked key is good.
TEST_F(CentralTest, NoReplyToAnEarlierProcessIsOneToThis) {
    std::vector<std::uint64_t> correlations;
    world.network.centre().serve("nx.v1.rpc.reg", [&](Bytes, Bytes message, const Respond&) {
        const Result<OpenedMessage> opened = open(message, world.link_keys[0]);
        if (opened) correlations.push_back(opened->envelope.correlation);
    });
    for (std::size_t life = 1; life <= 3; ++life) {
        (void)world.start(0);
        ASSERT_TRUE(world.until([&] { return correlations.size() >= 4 * life; }));
    }
    std::sort(correlations.begin(), correlations.end());
    EXPECT_EQ(std::adjacent_find(correlations.begin(), correlations.end()), correlations.end());
}

}  // namespace
}  // namespace nodex::replication::central_test
