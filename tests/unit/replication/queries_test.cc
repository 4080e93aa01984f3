// The operator's commands and the customers' questions, as JSON: what they accept, refuse and
// answer.
#include "replication/central/queries.h"

#include <gtest/gtest.h>

#include "edge/crypto/api_key.h"
#include "tests/unit/replication/ledger_world.h"

namespace nodex::replication {
namespace {

class QueriesTest : public testing::Test {
  protected:
    std::string run(const std::string& command, const std::string& args, int status = 200) {
        const QueryReply reply =
            queries_.admin(R"({"command":")" + command + R"(","args":)" + args + "}", start_ms);
        EXPECT_EQ(reply.status, status) << command << " " << args << " " << reply.json;
        return reply.json;
    }
    static bool has(const std::string& json, const std::string& part) {
        const bool found = json.find(part) != std::string::npos;
        EXPECT_TRUE(found) << part << " is not in " << json;
        return found;
    }
    MemoryLedgerStore store_;
    Ledger ledger_{store_};
    SeededRandom random_{3};
    crypto::SecretKey secret_ = crypto::SecretKey::generate(random_);
    Queries queries_{ledger_, random_, secret_};
};

TEST(Amounts, AreExactBothWays) {
    EXPECT_EQ(*parse_amount("12.50"), 12'500'000'000);
    EXPECT_EQ(*parse_amount("-0.000000001"), -1);
    EXPECT_EQ(*parse_amount("9223372036.854775807"), INT64_MAX);
    for (const Bytes bad : {"", ".", "1.", ".5", "1.0000000001", "9223372036.854775808", "1e3",
                            " 1", "+1", "--1", "1,5"})
        EXPECT_FALSE(parse_amount(bad)) << bad;
    EXPECT_EQ(format_amount(12'500'000'000), "12.5");
    EXPECT_EQ(format_amount(-1), "-0.000000001");
    EXPECT_EQ(format_amount(0), "0");
    EXPECT_EQ(format_amount(INT64_MIN), "-9223372036.854775808");
}

TEST(Json, RefusesWhatIsTooDeepRepeatedOrNotAnObject) {
    EXPECT_TRUE(JsonObject::parse(R"({"a":[1,"x"],"b":{"c":null}})"));
    EXPECT_FALSE(JsonObject::parse("[]"));
    EXPECT_FALSE(JsonObject::parse("{} x"));
    EXPECT_FALSE(JsonObject::parse(R"({"a":1,"a":2})"));
    EXPECT_FALSE(JsonObject::parse(R"({"b":{"a":1,"a":2}})"));
    EXPECT_FALSE(JsonObject::parse("{\"a\":\"\xff\"}"));
    const auto nested = [](int depth) {
        return R"({"a":)" + std::string(static_cast<std::size_t>(depth - 1), '[') +
               std::string(static_cast<std::size_t>(depth - 1), ']') + "}";
    };
    EXPECT_TRUE(JsonObject::parse(nested(16)));
    EXPECT_FALSE(JsonObject::parse(nested(17)));
    EXPECT_FALSE(JsonObject::parse(nested(100'000)));
    EXPECT_TRUE(JsonObject::parse(R"({"a":"[[[[[[[[[[[[[[[[[[[[[[\""})"));
}

TEST_F(QueriesTest, AnAccountsWholeLife) {
    has(run("account.create", R"({"name":"Ada","currency":"EUR"})"), R"("account":1)");
    has(run("balance.topup", R"({"account":1,"amount":"12.50","reference":"p"})"),
        R"("applied":true)");
    has(run("balance.topup", R"({"account":1,"amount":"12.50","reference":"p"})"),
        R"("applied":false)");
    run("balance.topup", R"({"account":1,"amount":"13","reference":"p"})", 409);
    has(run("balance.adjust", R"({"account":1,"amount":"-2.5"})"),
        R"("balance":"10","balance_nano":10000000000)");
    run("balance.adjust", R"({"account":1,"amount":"-11"})", 409);
    has(run("account.show", R"({"account":1})"), R"("currency":"EUR")");
    has(run("account.list", "{}"), R"("name":"Ada")");
    has(run("account.block", R"({"account":1})"), R"("state":"blocked")");
    has(run("account.unblock", R"({"account":1})"), R"("state":"active")");
    has(run("account.show", R"({"account":1})"), R"("claims":"node")");
    has(run("account.claims", R"({"account":1,"mode":"strict"})"), R"("claims":"strict")");
    run("account.claims", R"({"account":1,"mode":"always"})", 400);
    has(run("account.shred", R"({"account":1})"), R"("shreds":1)");
    has(run("account.close", R"({"account":1})"), R"("state":"closed")");
    run("account.unblock", R"({"account":1})", 409);
    run("balance.topup", R"({"account":1,"amount":"1","reference":"q"})", 409);
    has(run("ledger.verify", "{}"), R"("sound":true)");
}

TEST_F(QueriesTest, AKeyIsShownOnceAndKeptAsItsHash) {
    run("account.create", R"({"name":"Ada"})");
    run("catalog.set",
        R"({"id":"m","context_tokens":10,"output_tokens_max":5,"prices":{"input":"1","output":"2"}})");
    const std::string args =
        R"({"account":1,"name":"k","budget":"5","budget_period":"month","policy":"required","models":["m"],"rpm":60,"expires_at":99})";
    const std::string reply = run("key.create", args);
    const auto object = JsonObject::parse(reply);
    const std::string text(*object->object("result")->string("key"));
    EXPECT_TRUE(crypto::has_api_key_shape(text));
    const auto key = *ledger_.key(KeyId{1});
    EXPECT_EQ(key->hash, crypto::hash_api_key(secret_, text));
    EXPECT_EQ(key->budget, 5 * unit);
    EXPECT_EQ(key->models, std::vector<std::uint32_t>{1});
    EXPECT_EQ(run("key.list", R"({"account":1})").find(text), std::string::npos);
    has(run("key.update", R"({"key_id":1,"budget":null,"rpm":0})"), R"("budget":null)");
    has(run("key.list", R"({"account":1})"), R"("policy":"required")");  // what was not named stays
    has(run("key.suspend", R"({"key_id":1})"), "suspended");
    has(run("key.resume", R"({"key_id":1})"), "active");
    has(run("key.revoke", R"({"key_id":1})"), "revoked");
    run("key.resume", R"({"key_id":1})", 409);
}

TEST_F(QueriesTest, PricesFillThePartsThatAreNotNamed) {
    const std::string reply = run(
        "catalog.set",
        R"({"id":"m","context_tokens":10,"output_tokens_max":5,"prices":{"input":"1.5","cached_input":"0","output":"2","image":"0.04"}})");
    has(reply, R"("cached_input":"0")");
    has(reply, R"("cache_write_5m":"1.5")");
    has(reply, R"("reasoning":"2")");
    has(reply, R"("image":"0.04")");
    const auto model = *ledger_.model("m");
    storage::Units one_image{};
    one_image[static_cast<std::size_t>(storage::Unit::image)] = 1;
    EXPECT_EQ(*price(one_image, model->entry.prices), 40'000'000);
    has(run("catalog.set", R"({"id":"m","on_sale":false})"), R"("price_version":1)");
    run("catalog.set", R"({"id":"n","context_tokens":10,"output_tokens_max":5})", 400);
    run("catalog.set",
        R"({"id":"n","context_tokens":10,"output_tokens_max":50,"prices":{"input":"1","output":"1"}})",
        400);
    run("catalog.show", R"({"id":"n"})", 404);
}

TEST_F(QueriesTest, AMisspeltArgumentIsRefusedNotIgnored) {
    run("account.create", R"({"name":"Ada"})");
    has(run("key.create", R"({"account":1,"name":"k","buget":"5"})", 400), "buget");
    run("balance.topup", R"({"account":1,"amount":12.5,"reference":"p"})", 400);
    run("balance.topup", R"({"account":1,"amount":"-1","reference":"p"})", 400);
    run("account.create", R"({"name":"Ada","currency":"usd"})", 400);
    run("no.such", "{}", 400);
    EXPECT_EQ(queries_.admin("{", start_ms).status, 400);
    EXPECT_EQ(queries_.admin(R"({"command":"account.list","args":[]})", start_ms).status, 400);
}

TEST_F(QueriesTest, AKeyOfAnotherAccountIsNotFoundInABalance) {
    run("account.create", R"({"name":"a"})");
    run("account.create", R"({"name":"b"})");
    run("key.create", R"({"account":2,"name":"k"})");
    EXPECT_EQ(queries_.balance(R"({"account":1,"key_id":1})").status, 404);
    EXPECT_EQ(queries_.balance(R"({"account":2,"key_id":1})").status, 200);
    EXPECT_EQ(queries_.usage(R"({"account":2,"limit":0})").status, 400);
    EXPECT_EQ(queries_.usage(R"({"account":2,"cursor":"zz"})").status, 400);
    has(queries_.usage(R"({"account":2})").json, R"("has_more":false,"next_cursor":null)");
}

TEST_F(QueriesTest, AFailedStoreIsNotAnsweredAsTheOperatorsMistake) {
    run("account.create", R"({"name":"a"})");
    store_.fail_next_commit();
    run("account.block", R"({"account":1})", 503);
    EXPECT_TRUE(queries_.storage_failed());
}

}  // namespace
}  // namespace nodex::replication
