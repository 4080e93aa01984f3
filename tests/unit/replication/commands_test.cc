// Commands of operators through POPs that are trusted with nothing: what arrives is carried out
// once, for the one who said it, and nobody on the way learns or changes anything.
#include "replication/central/commands.h"

#include <gtest/gtest.h>

#include "edge/base/limits.h"
#include "replication/body_messages.h"
#include "replication/central/ledger_transaction.h"
#include "tests/unit/replication/pop_world.h"

namespace nodex::replication::commands_test {
namespace {

constexpr Nano unit = nano_per_unit;
constexpr std::int64_t window_ms = limits::operator_command_window / millisecond;

struct CommandsTest : testing::Test {
    PopWorld world{2};
    SeededRandom random{17};
    Operator alice{"alice", crypto::SecretKey::generate(random)};
    Operator bob{"bob", crypto::SecretKey::generate(random)};
    AccountId account{};
    std::uint64_t number = 0;  // of the last question

    void SetUp() override {
        account = world.make_account();
        ASSERT_TRUE(world.ledger.top_up(account, 10 * unit, "first", world.clock.wall_ms()));
        for (unsigned i = 0; i < 2; ++i) ASSERT_TRUE(world.served(world.start(i)));
        known({alice});
    }
    void known(Operators operators) {
        world.central->replace_pops(
            {{PopId{1}, world.link_keys[0]}, {PopId{2}, world.link_keys[1]}},
            {std::move(operators), {}});
    }
    Nano balance() { return (*world.ledger.account(account))->posted; }

    SealedCommand sealed(const Operator& by, unsigned pop, const std::string& json) {
        SealedCommand command{
            PopId{static_cast<std::uint16_t>(pop + 1)}, world.clock.wall_ms(), by.name, {}, {}};
        random.fill(command.id.octets.data(), command.id.octets.size());
        seal_command(command, by.key, json);
        return command;
    }
    std::string adjust_json() const {
        return R"({"command":"balance.adjust","args":{"account":)" + std::to_string(raw(account)) +
               R"(,"amount":"1","reason":"test"}})";
    }
    SealedCommand adjusting(const Operator& by, unsigned pop) {
        return sealed(by, pop, adjust_json());
    }
    // As that POP passes it on.
    QueryReply pass(unsigned pop, const std::string& topic, const std::string& octets) {
        ++number;
        std::optional<QueryReply> reply;
        world.pops[pop]->core->link().request(
            topic, MessageType::query_request, encode(QueryRequest{octets, number}), 5 * second,
            [&](const Result<std::string>& payload) {
                reply = payload ? *decode_query_reply(*payload) : QueryReply{599, {}};
            });
        NX_ASSERT(world.until([&] { return reply.has_value(); }));
        return *reply;
    }
    // What the operator reads; what was told openly as it is.
    QueryReply told(const Operator& by, unsigned pop, const SealedCommand& command) {
        const QueryReply reply = pass(pop, "sealed", encode(command));
        if (reply.status != 200) return reply;
        Result<QueryReply> opened = open_reply(command.id, by.key, reply.json);
        NX_ASSERT(opened.has_value());
        return std::move(*opened);
    }
};

bool has(const QueryReply& reply, const char* code) {
    return reply.json.find('"' + std::string(code) + '"') != std::string::npos;
}

TEST_F(CommandsTest, AnOperatorIsObeyedThroughAnyPopAndAPopIsNot) {
    EXPECT_EQ(told(alice, 0, adjusting(alice, 0)).status, 200);
    EXPECT_EQ(told(alice, 1, adjusting(alice, 1)).status, 200);
    EXPECT_EQ(balance(), 12 * unit);
    const QueryReply plain = pass(0, "admin", adjust_json());
    EXPECT_EQ(plain.status, 403);
    EXPECT_TRUE(has(plain, "operator_key_missing")) << plain.json;
    EXPECT_EQ(balance(), 12 * unit);
}

// Neither by the POP that passed it on, nor by another, nor to another process of the centre.
TEST_F(CommandsTest, AMessageThatWasKeptIsNotCarriedOutAgain) {
    const SealedCommand command = adjusting(alice, 0);
    EXPECT_EQ(told(alice, 0, command).status, 200);
    EXPECT_TRUE(has(told(alice, 0, command), "repeated"));
    world.start_centre();
    known({alice});
    EXPECT_TRUE(has(told(alice, 0, command), "repeated")) << "it is in the ledger";
    world.clock.advance(limits::operator_command_window + second);
    EXPECT_TRUE(has(told(alice, 0, command), "clocks_differ"));
    EXPECT_EQ(balance(), 11 * unit);
}

TEST_F(CommandsTest, AMessageForOnePopIsNotTakenFromAnother) {
    const SealedCommand command = adjusting(alice, 0);
    EXPECT_TRUE(has(told(alice, 1, command), "another_pop"));
    EXPECT_EQ(balance(), 10 * unit);
    EXPECT_EQ(told(alice, 0, command).status, 200) << "it was not used up";
}

TEST_F(CommandsTest, ClocksMayDifferByTwoMinutes) {
    const auto at = [&](std::int64_t offset_ms) {
        SealedCommand command = adjusting(alice, 0);
        command.sealed_ms += offset_ms;
        seal_command(command, alice.key, adjust_json());
        return told(alice, 0, command);
    };
    EXPECT_EQ(at(-window_ms + 5'000).status, 200);
    EXPECT_EQ(at(window_ms - 5'000).status, 200);
    for (const std::int64_t wrong : {-window_ms - 5'000, window_ms + 5'000}) {
        const QueryReply refused = at(wrong);
        EXPECT_EQ(refused.status, 409);
        EXPECT_TRUE(has(refused, "clocks_differ")) << refused.json;
    }
    EXPECT_EQ(balance(), 12 * unit);
}

// A centre whose clock is set back would find a message of yesterday a new one.
TEST_F(CommandsTest, WhatWasCarriedOutIsRememberedForAWeekAndThenForgotten) {
    const std::int64_t now_ms = world.clock.wall_ms();
    const auto note = [&](std::int64_t at_ms, std::uint8_t id) {
        CommandId command;
        command.octets.fill(id);
        return *world.ledger.note_sealed_command(at_ms, command, at_ms);
    };
    constexpr std::int64_t week_ms = limits::operator_commands_kept / millisecond;
    for (std::uint8_t id = 1; id <= 40; ++id) EXPECT_TRUE(note(now_ms, id));
    EXPECT_TRUE(note(now_ms + week_ms - 1'000, 41));
    EXPECT_FALSE(note(now_ms, 40));
    const auto rows = [&] {
        std::size_t count = 0;
        LedgerTransaction glance(world.ledger_store, LedgerAccess::read);
        EXPECT_TRUE(glance.scan(LedgerTable::mark, "x", "y", [&](Bytes, Bytes) {
            ++count;
            return true;
        }));
        return count;
    };
    EXPECT_EQ(rows(), 41u);
    for (std::uint8_t id = 42; id < 45; ++id) EXPECT_TRUE(note(now_ms + week_ms + 1'000, id));
    EXPECT_EQ(rows(), 4u) << "sixteen leave with each new one";
}

TEST_F(CommandsTest, AWrongOrAnUnknownKeyIsToldWhatToDo) {
    const Operator impostor{"alice", bob.key};
    const QueryReply wrong = told(impostor, 0, adjusting(impostor, 0));
    EXPECT_EQ(wrong.status, 403);
    EXPECT_TRUE(has(wrong, "wrong_operator_key")) << wrong.json;
    const QueryReply unknown = told(bob, 0, adjusting(bob, 0));
    EXPECT_EQ(unknown.status, 403);
    EXPECT_TRUE(has(unknown, "unknown_operator")) << unknown.json;
    EXPECT_EQ(pass(0, "sealed", "no command").status, 400);
    EXPECT_EQ(balance(), 10 * unit);
}

// Rotation: two operators for a while, then one.
TEST_F(CommandsTest, AKeyIsChangedByASecondOperator) {
    known({alice, bob});
    EXPECT_EQ(told(alice, 0, adjusting(alice, 0)).status, 200);
    EXPECT_EQ(told(bob, 1, adjusting(bob, 1)).status, 200);
    known({bob});
    EXPECT_TRUE(has(told(alice, 0, adjusting(alice, 0)), "unknown_operator"));
    EXPECT_EQ(told(bob, 0, adjusting(bob, 0)).status, 200);
    EXPECT_EQ(balance(), 13 * unit);
}

TEST_F(CommandsTest, TheSecretOfANewKeyIsReadByItsOperatorAlone) {
    const SealedCommand command =
        sealed(alice, 1,
               R"({"command":"key.create","args":{"account":)" + std::to_string(raw(account)) +
                   R"(,"name":"laptop"}})");
    const std::string octets = encode(command);
    EXPECT_EQ(octets.find("key.create"), std::string::npos);
    const QueryReply carried = pass(1, "sealed", octets);
    ASSERT_EQ(carried.status, 200);
    EXPECT_EQ(carried.json.find("nxk_"), std::string::npos);
    const Result<QueryReply> opened = open_reply(command.id, alice.key, carried.json);
    ASSERT_TRUE(opened);
    EXPECT_NE(opened->json.find("nxk_"), std::string::npos);
    EXPECT_FALSE(open_reply(command.id, bob.key, carried.json));
}

TEST_F(CommandsTest, ARefusalIsSealedToo) {
    const SealedCommand command =
        sealed(alice, 0, R"({"command":"balance.show","args":{"account":99}})");
    const QueryReply reply = told(alice, 0, command);
    EXPECT_EQ(reply.status, 404);
    EXPECT_TRUE(has(reply, "not_found")) << reply.json;
}

TEST_F(CommandsTest, AThiefsCommandsAreLoggedEverMoreSeldom) {
    testing::internal::CaptureStderr();
    for (int i = 0; i < 20; ++i) pass(1, "admin", adjust_json());
    const std::string log = testing::internal::GetCapturedStderr();
    std::size_t said = 0;
    for (std::size_t at = 0; (at = log.find("\"command_refused\"", at)) != std::string::npos; ++at)
        ++said;
    EXPECT_EQ(said, 5u) << log;  // the first, second, fourth, eighth and sixteenth
}

// With the id of a body another POP hands over its chunks, and every POP has the keys.
TEST_F(CommandsTest, WhereABodyIsIsToldOnTheWordOfAnOperatorOnceAndForThatBody) {
    const RequestId settled = world.settle_with_a_body(account);
    const auto ask = [&](const std::string& authority) {
        std::optional<ReferenceReply> reply;
        world.pops[1]->core->link().request(
            "reference", MessageType::reference_request,
            encode(ReferenceRequest{settled, authority}), 5 * second,
            [&](const Result<std::string>& payload) { reply = *decode_reference_reply(*payload); });
        NX_ASSERT(world.until([&] { return reply.has_value(); }));
        return *reply;
    };
    const auto word = [&](const RequestId& request, const char* command = "body.get") {
        return encode(sealed(alice, 1,
                             R"({"command":")" + std::string(command) +
                                 R"(","args":{"request_id":")" + to_hex(request.view()) + "\"}}"));
    };
    const ReferenceReply without = ask("");
    EXPECT_TRUE(without.refused);
    EXPECT_TRUE(without.answer.id.is_zero());
    EXPECT_TRUE(ask("no command").refused);
    EXPECT_TRUE(ask(word(RequestId{})).refused) << "of another request";
    EXPECT_TRUE(ask(word(settled, "body.status")).refused) << "for something else";
    const std::string right = word(settled);
    const ReferenceReply reply = ask(right);
    EXPECT_FALSE(reply.refused);
    EXPECT_EQ(reply.state, ReferenceState::known);
    EXPECT_TRUE(ask(right).refused) << "once";
}

}  // namespace
}  // namespace nodex::replication::commands_test
