// What people see of an answer.
#include "tools/nodex/render.h"

#include <gtest/gtest.h>

namespace nodex::cli {
namespace {

std::string shown(std::string_view text) {
    const std::optional<Json> json = Json::parse(text);
    EXPECT_TRUE(json) << text;
    return json ? people(*json) : std::string();
}

TEST(Render, AlignsTheColumnsOfATable) {
    EXPECT_EQ(
        shown(
            R"({"accounts":[{"account":1,"name":"acme"},{"account":22,"name":"b","state":"blocked"}]})"),
        "account  name  state\n"
        "1        acme\n"
        "22       b     blocked\n");
}

TEST(Render, ShowsAnObjectAsLinesWithNestedNames) {
    EXPECT_EQ(shown(R"({"balance":"12.5","key":{"spent":"0.1","budget":null}})"),
              "balance     12.5\n"
              "key.spent   0.1\n"
              "key.budget  none\n");
}

TEST(Render, ShowsAnAmountOnceAndAsADecimal) {
    EXPECT_EQ(shown(R"({"balance_nano":12500000000,"balance":"12.5","held_nano":7})"),
              "balance    12.5\nheld_nano  7\n");
}

TEST(Render, JoinsAListOfNamesAndSaysWhenThereIsNone) {
    EXPECT_EQ(shown(R"({"models":["a","b"],"aliases":[]})"), "models   a, b\naliases  none\n");
}

TEST(Render, ShowsWhatStandsBesideATableBelowIt) {
    EXPECT_EQ(shown(R"({"pops":[{"pop":1}],"epoch":7,"has_more":false})"), "pop\n1\n\nepoch  7\n");
}

TEST(Render, SaysHowToAskForTheNextPageAndNothingWhenThereIsNone) {
    EXPECT_EQ(shown(R"({"data":[{"id":"a"}],"has_more":true,"next_cursor":"c7"})"),
              "id\na\n\nThere is more: --cursor c7\n");
    EXPECT_EQ(shown(R"({"accounts":[{"account":3},{"account":9}],"has_more":true})"),
              "account\n3\n9\n\nThere is more: --after 9\n");
    EXPECT_EQ(shown(R"({"data":[{"id":"a"}],"has_more":false,"next_cursor":null})"), "id\na\n");
    EXPECT_EQ(shown(R"({"data":[{"id":"a"}],"next_cursor":""})"), "id\na\n");
}

TEST(Render, ShowsTimesAsDates) {
    EXPECT_EQ(shown(R"({"created":1795772959,"settled_ms":1795772977457,"expires_at":0})"),
              "created     2026-11-27 09:49:19Z\n"
              "settled     2026-11-27 09:49:37Z\n"
              "expires_at  never\n");
    EXPECT_EQ(shown(R"({"created":99999999999999999999})"), "created  99999999999999999999\n");
    EXPECT_EQ(shown(R"({"created":"soon"})"), "created  soon\n");
}

TEST(Render, SaysNoneWhereNothingLimits) {
    EXPECT_EQ(shown(R"({"rpm":60,"tpm":0,"models":[],"budget":null,"object":"key"})"),
              "rpm     60\ntpm     none\nmodels  all\nbudget  none\n");
}

TEST(Render, CutsALongCellAtACharacter) {
    const std::string text = shown(R"({"data":[{"name":")" + std::string(59, 'x') + R"(éééé"}]})");
    EXPECT_EQ(text, "name\n" + std::string(57, 'x') + "...\n");
}

TEST(Render, LetsNoTextDriveTheTerminal) {
    EXPECT_EQ(printable("a\x1b[2Jb\x7f", false), "a\xEF\xBF\xBD[2Jb\xEF\xBF\xBD");
    EXPECT_EQ(printable("\xC2\x9B"
                        "31m",
                        false),
              "\xEF\xBF\xBD"
              "31m");
    EXPECT_EQ(printable("a\nb\tc\r", true), "a\nb\tc\xEF\xBF\xBD");
    EXPECT_EQ(printable("a\nb", false),
              "a\xEF\xBF\xBD"
              "b");
    EXPECT_EQ(shown(R"({"data":[{"na\u001bme":"x\u001b]0;title\u0007"}]})").find('\x1b'),
              std::string::npos);
}

TEST(Render, ReplacesBrokenUtf8AndKeepsTheRest) {
    EXPECT_EQ(printable("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80", false),
              "gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80");
    EXPECT_EQ(printable("\xC0\xAF", false), "\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_EQ(printable("\xE2\x82", false), "\xEF\xBF\xBD\xEF\xBF\xBD");
    EXPECT_EQ(printable("\xF5\x80\x80\x80", false).substr(0, 3), "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace nodex::cli
