// Admit: what can refuse a request before money is involved, and what every answer says.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Admit : public GatewayWorld {
  protected:
    [[nodiscard]] Fields bearer() const { return {{"Authorization", "Bearer " + api_key_}}; }
};

TEST_F(Admit, ASessionOfTheClientsIsEchoedOnErrorsToo) {
    const Answer answer = ask(chat("{", "key-1", {{"X-Nodex-Session-Id", "mine"}}));
    EXPECT_EQ(answer.field("x-nodex-session-id"), "mine");
    EXPECT_EQ(answer.field("x-nodex-idempotency-key"), "key-1");
    EXPECT_EQ(answer.field("x-nodex-idempotent-replay"), "false");
}

TEST_F(Admit, AKeyMayComeInEitherFieldAndTwoThatDifferAreNone) {
    EXPECT_EQ(ask(request("GET", "/v1/models", {{"x-api-key", api_key_}})).status, 200);
    Fields both = bearer();
    both.emplace_back("x-api-key", api_key_);
    EXPECT_EQ(ask(request("GET", "/api/v1/models", both)).status, 200);
    both.back().second = "nxk_" + std::string(43, 'x');
    EXPECT_EQ(ask(request("GET", "/v1/models", both)).status, 401);
}

TEST_F(Admit, ProbesAndUpgradesAreAnsweredWithoutAKey) {
    EXPECT_EQ(ask(request("HEAD", "/", {})).status, 200);
    EXPECT_EQ(ask(request("HEAD", "/api/hello", {})).status, 200);
    EXPECT_EQ(ask(request("GET", "/healthz", {})).status, 200);
    const Answer upgrade = ask(request("GET", "/v1/responses", {}));
    EXPECT_EQ(upgrade.status, 426);
}

TEST_F(Admit, StatusTellsNothingOfAnyAccount) {
    const Answer answer = ask(request("GET", "/v1/status", {}));
    EXPECT_EQ(answer.status, 200);
    EXPECT_NE(answer.body.find("\"central\":\"linked\""), std::string::npos);
    EXPECT_EQ(answer.body.find("secret"), std::string::npos);
    EXPECT_EQ(answer.body.find("account"), std::string::npos);
}

TEST_F(Admit, TheBalanceIsTheCentresWord) {
    const Answer answer = ask(request("GET", "/v1/balance", bearer()));
    EXPECT_EQ(answer.status, 200);
    for (const char* name : {"balance", "currency", "total_spent", "last_updated"})
        EXPECT_NE(answer.body.find("\"" + std::string(name) + "\":"), std::string::npos);
}

}  // namespace
}  // namespace nodex::gateway
