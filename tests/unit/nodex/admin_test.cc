// From what an operator types to what the admin interface gets.
#include "tools/nodex/admin.h"

#include <gtest/gtest.h>

#include <set>

namespace nodex::cli {
namespace {

const Field* field_of(std::string_view group, std::string_view verb, std::string_view option) {
    for (const Command& command : admin_commands()) {
        if (command.group != group || command.verb != verb) continue;
        for (const Field& field : command.fields)
            if (field.option == option) return &field;
    }
    ADD_FAILURE() << group << ' ' << verb << ' ' << option;
    return nullptr;
}

std::string args_of(const std::vector<Typed>& typed) {
    const std::variant<Json, std::string> args = admin_args(typed);
    return std::holds_alternative<Json>(args) ? std::get<Json>(args).compact()
                                              : std::get<std::string>(args);
}

TEST(AdminCommands, AreNamedOnceAndKeptTogetherByGroup) {
    std::set<std::string> names;
    std::set<std::string> groups_done;
    std::string group;
    for (const Command& command : admin_commands()) {
        EXPECT_TRUE(names.insert(std::string(command.group) + "." + command.verb).second)
            << command.verb;
        if (command.group == group) continue;
        groups_done.insert(group);
        group = command.group;
        EXPECT_FALSE(groups_done.contains(group)) << group;
    }
}

TEST(AdminCommands, SendDigitsOfAnAccountAsANumber) {
    const Field* account = field_of("balance", "topup", "ACCOUNT");
    const Field* amount = field_of("balance", "topup", "AMOUNT");
    const Field* reference = field_of("balance", "topup", "--reference");
    EXPECT_EQ(args_of({{account, {"7"}}, {amount, {"12.50"}}, {reference, {"0815"}}}),
              R"({"account":7,"amount":"12.50","reference":"0815"})");
}

TEST(AdminCommands, LeaveOutWhatWasNotTyped) {
    const Field* name = field_of("account", "create", "NAME");
    const Field* currency = field_of("account", "create", "--currency");
    EXPECT_EQ(args_of({{name, {"acme"}}, {currency, {}}}), R"({"name":"acme"})");
}

TEST(AdminCommands, GatherPricesInOneObject) {
    const Field* input = field_of("catalog", "set", "--input-price");
    const Field* output = field_of("catalog", "set", "--output-price");
    const Field* on_sale = field_of("catalog", "set", "--on-sale");
    EXPECT_EQ(args_of({{input, {"1.25"}}, {output, {"10"}}, {on_sale, {"no"}}}),
              R"({"prices":{"input":"1.25","output":"10"},"on_sale":false})");
}

TEST(AdminCommands, SendARepeatedOptionAsAList) {
    const Field* models = field_of("key", "create", "--model");
    EXPECT_EQ(args_of({{models, {"a", "b"}}}), R"({"models":["a","b"]})");
}

TEST(AdminCommands, RefuseAnAmountThatIsNone) {
    const Field* amount = field_of("balance", "adjust", "AMOUNT");
    for (const char* good : {"0", "1", "-1", "0.000000001", "-12.5"})
        EXPECT_EQ(args_of({{amount, {good}}}), std::string(R"({"amount":")") + good + "\"}");
    for (const char* bad :
         {"", "-", ".5", "1.", "1.0000000001", "1,5", "1e3", "+1", "--1", "1.2.3", "NaN"})
        EXPECT_NE(args_of({{amount, {bad}}}).find("wanted a decimal"), std::string::npos) << bad;
}

TEST(AdminCommands, TakeATimeAsADayAsATimeAndAsSeconds) {
    const Field* expiry = field_of("key", "update", "--expires-at");
    const Field* from = field_of("usage", "list", "--from");
    EXPECT_EQ(args_of({{expiry, {"2026-11-27"}}}), R"({"expires_at":1795737600})");
    EXPECT_EQ(args_of({{expiry, {"never"}}}), R"({"expires_at":0})");
    EXPECT_EQ(args_of({{from, {"2026-11-27T09:49:19Z"}}}), R"({"from":1795772959})");
    EXPECT_EQ(args_of({{from, {"1795772959"}}}), R"({"from":1795772959})");
    EXPECT_NE(args_of({{from, {"never"}}}).find("wanted a day"), std::string::npos);
    EXPECT_NE(args_of({{expiry, {"soon"}}}).find("or never"), std::string::npos);
}

TEST(AdminCommands, TakeABudgetAwayByTheWordNone) {
    const Field* budget = field_of("key", "update", "--budget");
    EXPECT_EQ(args_of({{budget, {"none"}}}), R"({"budget":null})");
    EXPECT_EQ(args_of({{budget, {"2.5"}}}), R"({"budget":"2.5"})");
    EXPECT_NE(args_of({{budget, {"nothing"}}}).find("or none"), std::string::npos);
}

TEST(AdminCommands, RefuseALimitThatIsNoWholeNumber) {
    const Field* rpm = field_of("key", "create", "--rpm");
    EXPECT_EQ(args_of({{rpm, {"60"}}}), R"({"rpm":60})");
    for (const char* bad : {"", "-1", "1.5", "many"})
        EXPECT_NE(args_of({{rpm, {bad}}}).find("wanted a whole number"), std::string::npos) << bad;
}

TEST(AdminCommands, AskForConfirmationWhereThereIsNoWayBack) {
    for (const Command& command : admin_commands()) {
        const std::string_view verb = command.verb;
        EXPECT_EQ(command.destroys, verb == "shred" || verb == "close" || verb == "raise-epoch")
            << verb;
    }
}

}  // namespace
}  // namespace nodex::cli
