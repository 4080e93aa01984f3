// The list of POPs for people.
#include "tools/nodex/pops.h"

#include <gtest/gtest.h>

#include "tools/nodex/render.h"

namespace nodex::cli {
namespace {

Json parsed(std::string_view text) {
    const std::optional<Json> json = Json::parse(text);
    EXPECT_TRUE(json) << text;
    return json.value_or(Json());
}

TEST(Pops, ARowSaysHowAPopIsWithUnits) {
    const Json table = pops_table(parsed(
        R"({"pops":[{"pop":3,"incarnation":2,"heard_s":75,"applied":9,"name":"sg","version":"0.1.0",)"
        R"("epoch":1,"reported_s":1,"uptime_s":7200,"lag_ms":4250,"outbox_depth":12,"leases":2,)"
        R"("granted":"20.5","granted_nano":20500000000,"settled":"1","settled_nano":1000000000,)"
        R"("headroom":"19.5","headroom_nano":19500000000,"claims_asked":7,)"
        R"("copies_kept_bytes":1234567,"copies_lag_bytes":0}]})"));
    ASSERT_EQ(table.items().size(), 1u);
    const Json& row = table.items()[0];
    EXPECT_EQ(row.text_of("pop"), "3");
    EXPECT_EQ(row.text_of("name"), "sg");
    EXPECT_EQ(row.text_of("heard"), "1.2 min ago");
    EXPECT_EQ(row.text_of("up"), "2.0 h");
    EXPECT_EQ(row.text_of("lag"), "4.2 s");
    EXPECT_EQ(row.text_of("outbox"), "12");
    EXPECT_EQ(row.text_of("headroom"), "19.5");
    EXPECT_EQ(row.text_of("copies"), "1.2 MB");
}

TEST(Pops, WhatAPopHasNeverToldIsADash) {
    const Json table =
        pops_table(parsed(R"({"pops":[{"pop":1,"incarnation":1,"heard_s":400000,"applied":0}]})"));
    ASSERT_EQ(table.items().size(), 1u);
    EXPECT_EQ(table.items()[0].text_of("heard"), "4.6 d ago");
    for (const char* name : {"name", "lag", "outbox", "granted", "copies", "version"})
        EXPECT_EQ(table.items()[0].text_of(name), "-") << name;
}

TEST(Pops, AnAnswerWithoutPopsIsAnEmptyTable) {
    EXPECT_TRUE(pops_table(parsed("{}")).items().empty());
}

}  // namespace
}  // namespace nodex::cli
