// Admit: what can refuse a request before money is involved, and what every answer says.
#include "tests/unit/gateway/gateway_world.h"

namespace nodex::gateway {
namespace {

class Admit : public GatewayWorld {
  protected:
    [[nodiscard]] Fields bearer() const { return {{"Authorization", "Bearer " + api_key_}}; }
};

TEST_F(Admit, EveryAnswerOfAModelCallNamesRequestSessionAndNode) {
    const std::string stranger = "Bearer nxk_" + std::string(43, 'x');
    const std::vector<std::pair<int, std::string>> requests = {
        {401, request("POST", chat_path, {}, "{}")},
        {401, request("POST", chat_path, {{"Authorization", stranger}}, "{}")},
        {400, chat("{")},
        {400, chat("{\"model\":\"m\"}")},
        {404, chat(R"({"model":"no","messages":[{"role":"user"}]})")},
        {415, chat("{}", "key-1", {{"Content-Encoding", "zstd"}})},
        {400, chat(chat_body(false), "")},
        {405, request("GET", chat_path, bearer())},
    };
    for (const auto& [status, octets] : requests) {
        const Answer answer = ask(octets);
        EXPECT_EQ(answer.status, status) << answer.body;
        EXPECT_EQ(answer.field("x-nodex-request-id").size(), 32u);
        EXPECT_EQ(answer.field("x-request-id"), answer.field("x-nodex-request-id"));
        EXPECT_TRUE(answer.field("x-nodex-session-id").starts_with("ses_")) << octets;
        EXPECT_EQ(answer.field("x-nodex-node"), "pop1");
        EXPECT_EQ(answer.field("x-should-retry"), "false");
        for (const char* name : {"message", "type", "param", "code", "request_id"})
            EXPECT_NE(answer.body.find("\"" + std::string(name) + "\":"), std::string::npos);
    }
}

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

// Claude Code repeats a 401 for three minutes unless it is told not to.
TEST_F(Admit, WhetherToRetryIsToldOnRoutesThatCostNothingToo) {
    EXPECT_EQ(ask(request("GET", "/v1/models", {})).field("x-should-retry"), "false");
    EXPECT_EQ(ask(request("GET", "/v1/nothing", bearer())).field("x-should-retry"), "false");
}

TEST_F(Admit, ModelsInAnthropicsShapeFailInAnthropicsShape) {
    const Fields version{{"anthropic-version", "2023-06-01"}};
    const Answer unknown = ask(request("GET", "/v1/models", version));
    EXPECT_EQ(unknown.status, 401);
    EXPECT_TRUE(unknown.body.starts_with(
        R"({"type":"error","error":{"type":"authentication_error","message":)"))
        << unknown.body;
    EXPECT_EQ(unknown.field("request-id"), unknown.field("x-nodex-request-id"));
    EXPECT_NE(unknown.body.find("\"request_id\":\"" + unknown.field("request-id")),
              std::string::npos);
    Fields known = bearer();
    known.push_back(version[0]);
    const Answer missing = ask(request("GET", "/v1/models/no", known));
    EXPECT_EQ(missing.status, 404);
    EXPECT_NE(missing.body.find("not_found_error"), std::string::npos) << missing.body;
    EXPECT_EQ(ask(request("GET", "/v1/models/m", known)).field("request-id").size(), 32u);
}

// The official SDKs send these in a browser, too; a field that is not allowed fails the whole call.
TEST_F(Admit, ABrowserMayUseTheOfficialSdks) {
    const Answer answer = ask(request("OPTIONS", chat_path, {{"Origin", "https://example.com"}}));
    EXPECT_EQ(answer.status, 204);
    const std::string allowed = ", " + answer.field("access-control-allow-headers") + ",";
    for (const char* name :
         {"authorization", "content-type", "last-event-id", "x-stainless-lang",
          "x-stainless-package-version", "x-stainless-os", "x-stainless-arch", "x-stainless-runtime",
          "x-stainless-runtime-version", "x-stainless-retry-count", "x-stainless-timeout",
          "x-stainless-helper-method", "openai-organization", "openai-project",
          "anthropic-dangerous-direct-browser-access"})
        EXPECT_NE(allowed.find(", " + std::string(name) + ","), std::string::npos) << name;
    const std::string exposed = ", " + answer.field("access-control-expose-headers") + ",";
    for (const char* name : {"x-request-id", "retry-after", "retry-after-ms", "x-should-retry",
                             "x-ratelimit-remaining-requests", "request-id"})
        EXPECT_NE(exposed.find(", " + std::string(name) + ","), std::string::npos) << name;
}

TEST_F(Admit, AMessageThatCannotBeReadIsToldToABrowserToo) {
    const Answer answer = ask("GET /v1/models HTTP/1.1\r\nHost: a\r\nbad name: x\r\n\r\n");
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.field("access-control-allow-origin"), "*");
    EXPECT_EQ(answer.field("x-request-id"), answer.field("x-nodex-request-id"));
    EXPECT_EQ(answer.field("x-nodex-node"), "pop1");
    EXPECT_EQ(answer.field("x-should-retry"), "false");
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

TEST_F(Admit, ABalanceThatCannotBeAskedForIsToldToComeAgain) {
    network_.cut(0, true);
    const Answer answer = ask(request("GET", "/v1/balance", bearer()));
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.field("x-should-retry"), "true");
    network_.cut(0, false);
}

}  // namespace
}  // namespace nodex::gateway
