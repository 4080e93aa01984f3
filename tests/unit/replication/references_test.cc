// References to bodies: written with the charge, found by request and by session, gone with the
// bodies; and nothing of the bodies themselves.
#include <gtest/gtest.h>

#include "replication/central/queries.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication::references_test {
namespace {

constexpr std::int64_t day_ms = 24 * 3'600'000;

storage::SealedBody body(std::uint64_t number, std::int64_t expires_ms) {
    return {numbered<BodyId>(number), 100 * number, numbered<storage::BodyDigest>(number), 65'536,
            expires_ms};
}

class ReferencesTest : public testing::Test {
  protected:
    ReferencesTest() { world.lease(world.account_scope(), 50 * unit); }
    storage::Settlement settle(std::uint64_t idempotency, std::uint64_t session,
                               std::int64_t expires_ms = start_ms + day_ms) {
        storage::Settlement settlement = world.settlement(2 * unit, unit, idempotency);
        settlement.session = numbered<SessionId>(session);
        settlement.created_ms = settlement.settled_ms = world.now_ms;
        settlement.sealed_answer = body(10 * world.next_request, expires_ms);
        settlement.sealed_request = body(10 * world.next_request + 1, expires_ms);
        EXPECT_EQ(world.settle(settlement).rejected, 0u);
        return settlement;
    }
    std::vector<ledger::Reference> list(std::optional<std::uint64_t> session = {}) {
        std::vector<ledger::Reference> all;
        std::optional<SessionId> id;
        if (session) id = numbered<SessionId>(*session);
        for (std::string cursor;;) {
            auto page = world.ledger.references(world.account, id, cursor, 2);
            EXPECT_TRUE(page);
            for (auto& each : page->references) all.push_back(std::move(each));
            cursor = page->cursor;
            if (cursor.empty()) return all;
        }
    }
    LedgerWorld world{100 * unit};
};

TEST_F(ReferencesTest, ComeWithTheChargeAndAreFoundByRequest) {
    const storage::Settlement settlement = settle(1, 7);
    const auto found = world.ledger.reference(settlement.request_id);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->account, world.account);
    EXPECT_EQ((*found)->session, settlement.session);
    EXPECT_EQ((*found)->pop, world.pop);
    EXPECT_EQ((*found)->incarnation, world.incarnation);
    EXPECT_EQ((*found)->charged, unit);
    EXPECT_EQ((*found)->answer, settlement.sealed_answer);
    EXPECT_EQ((*found)->sent, settlement.sealed_request);
    EXPECT_FALSE(*world.ledger.reference(numbered<RequestId>(999)));
    world.check();
}

TEST_F(ReferencesTest, AreListedBySessionPageByPage) {
    for (std::uint64_t i = 1; i <= 5; ++i) settle(i, i % 2);
    EXPECT_EQ(list().size(), 5u);
    EXPECT_EQ(list(0).size(), 2u);
    const auto odd = list(1);
    ASSERT_EQ(odd.size(), 3u);
    for (const auto& each : odd) EXPECT_EQ(each.session, numbered<SessionId>(1));
    EXPECT_TRUE(list(2).empty());
    EXPECT_EQ(world.ledger.references(world.account, {}, "zz", 2).error().code,
              ErrorCode::malformed);
}

TEST_F(ReferencesTest, ASecondExecutionOfAKeyHasOneOfItsOwn) {
    settle(1, 7);
    const storage::Settlement second = settle(1, 7);
    const auto found = world.ledger.reference(second.request_id);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->charged, 0);
}

TEST_F(ReferencesTest, ARecordOfBeforeHasNone) {
    EXPECT_EQ(world.settle(world.settlement(2 * unit, unit, 1)).rejected, 0u);
    EXPECT_TRUE(list().empty());
}

TEST_F(ReferencesTest, AreSweptWhenTheBodiesAreGoneAFewAtATime) {
    for (std::uint64_t i = 1; i <= 5; ++i) settle(i, i, i <= 3 ? start_ms + 1 : start_ms + day_ms);
    EXPECT_EQ(*world.ledger.sweep_references(start_ms, 100), 0u);
    EXPECT_EQ(*world.ledger.sweep_references(start_ms + 1, 2), 2u);
    EXPECT_EQ(*world.ledger.sweep_references(start_ms + 1, 2), 1u);
    EXPECT_EQ(list().size(), 2u);
    while (*world.ledger.sweep_references(start_ms + day_ms, 2) > 0 || !list().empty()) {
    }
    (void)world.store.scan(LedgerTable::reference, {}, {}, [](Bytes, Bytes) {
        ADD_FAILURE() << "a row is left";
        return false;
    });
}

TEST_F(ReferencesTest, AnOperatorSeesSessionsAndTheirRequests) {
    const storage::Settlement settlement = settle(1, 7);
    settle(2, 7);
    SeededRandom random{3};
    const crypto::SecretKey secret = crypto::SecretKey::generate(random);
    Queries queries(world.ledger, random, secret);
    const auto ask = [&](const std::string& command, const std::string& args, int status = 200) {
        const QueryReply reply =
            queries.admin(R"({"command":")" + command + R"(","args":)" + args + "}", start_ms);
        EXPECT_EQ(reply.status, status) << reply.json;
        return reply.json;
    };
    const std::string session = to_hex(settlement.session.view());
    const std::string sessions = ask("session.list", R"({"account":1})");
    EXPECT_NE(sessions.find(R"("session":")" + session + R"(","requests":2,"amount":"2")"),
              std::string::npos)
        << sessions;
    const std::string requests =
        ask("session.show", R"({"account":1,"session":")" + session + R"("})");
    const std::string digest = to_hex(settlement.sealed_answer.digest.view());
    EXPECT_NE(requests.find(R"("sha256":")" + digest), std::string::npos) << requests;
    const std::string id = to_hex(settlement.request_id.view());
    EXPECT_NE(ask("request.show", R"({"request_id":")" + id + R"("})").find(digest),
              std::string::npos);
    ask("request.show", R"({"request_id":"00"})", 400);
    ask("request.show", R"({"request_id":")" + std::string(32, '0') + R"("})", 404);
}

}  // namespace
}  // namespace nodex::replication::references_test
