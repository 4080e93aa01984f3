// What the command line reads and writes as JSON.
#include "tools/nodex/json.h"

#include <gtest/gtest.h>

namespace nodex::cli {
namespace {

TEST(Json, KeepsEveryDigitOfANumber) {
    const std::optional<Json> json =
        Json::parse(R"({"nano":9007199254740993,"price":0.1000000000000000001})");
    ASSERT_TRUE(json);
    EXPECT_EQ(json->text_of("nano"), "9007199254740993");
    EXPECT_EQ(json->compact(), R"({"nano":9007199254740993,"price":0.1000000000000000001})");
}

TEST(Json, KeepsTheOrderOfMembersAndEscapesText) {
    Json object = Json::object();
    object.set("b", Json::string("line\n\"quoted\""))
        .set("a", Json::array().push(Json::boolean(true)).push({}));
    EXPECT_EQ(object.compact(), R"({"b":"line\n\"quoted\"","a":[true,null]})");
}

TEST(Json, ReplacesAMemberThatIsSetAgain) {
    Json object = Json::object();
    object.set("a", Json::number("1")).set("a", Json::number("2"));
    EXPECT_EQ(object.compact(), R"({"a":2})");
}

TEST(Json, RefusesWhatIsNotOneValue) {
    for (const char* text :
         {"", "{", "{}x", "[1,]", "{'a':1}", "nul", "01", "\"\xC3\"", "\"\xED\xA0\x80\""})
        EXPECT_FALSE(Json::parse(text)) << text;
}

TEST(Json, RefusesDepth65AndTakesDepth64) {
    const auto nested = [](std::size_t depth) {
        return std::string(depth, '[') + std::string(depth, ']');
    };
    EXPECT_TRUE(Json::parse(nested(64)));
    EXPECT_FALSE(Json::parse(nested(65)));
    EXPECT_FALSE(Json::parse(nested(1'000'000)));
}

TEST(Json, TakesDigitsAsANumberAndAnythingElseAsText) {
    EXPECT_EQ(Json::identifier("42").kind(), Json::Kind::number);
    EXPECT_EQ(Json::identifier("0").kind(), Json::Kind::number);
    for (const char* text : {"", "042", "4x", "-1", "1.5", "9999999999999999999"})
        EXPECT_EQ(Json::identifier(text).kind(), Json::Kind::string) << text;
}

TEST(Json, FindsNothingInAScalar) {
    EXPECT_EQ(Json::string("x").find("x"), nullptr);
    EXPECT_EQ(Json::string("x").text_of("x"), "");
}

}  // namespace
}  // namespace nodex::cli
