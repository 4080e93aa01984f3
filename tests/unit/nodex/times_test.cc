// Days and times as people type them.
#include "tools/nodex/times.h"

#include <gtest/gtest.h>

namespace nodex::cli {
namespace {

TEST(Times, ReadsADayATimeAndSeconds) {
    EXPECT_EQ(unix_seconds("1970-01-01"), 0);
    EXPECT_EQ(unix_seconds("2028-02-29"), 1'835'395'200);
    EXPECT_EQ(unix_seconds("2026-11-27T09:49:19Z"), 1'795'772'959);
    EXPECT_EQ(unix_seconds("2026-11-27 09:49:19Z"), 1'795'772'959);
    EXPECT_EQ(unix_seconds("1795772959"), 1'795'772'959);
    EXPECT_EQ(unix_seconds("0"), 0);
}

TEST(Times, RefusesWhatNoCalendarHas) {
    for (const char* bad :
         {"", "-1", "2026-13-01", "2026-02-29", "2026-11-27T24:00:00Z", "2026-11-27T09:60:00Z",
          "2026-11-27T09:49:19", "2026-11-27T09:49:19+01:00", "2026-11-27x", "1969-12-31",
          "27.11.2026", "123456789012", "2026--1-01", "2026-11-27T-1:00:00Z"})
        EXPECT_FALSE(unix_seconds(bad)) << bad;
}

TEST(Times, ShowsUtcToTheSecond) {
    EXPECT_EQ(utc_text(0), "1970-01-01 00:00:00Z");
    EXPECT_EQ(utc_text(1'835'395'199), "2028-02-28 23:59:59Z");
    EXPECT_EQ(utc_text(253'402'300'799), "9999-12-31 23:59:59Z");
    EXPECT_FALSE(utc_text(253'402'300'800));
    EXPECT_FALSE(utc_text(-1));
}

TEST(Times, ReadsWhatItShows) {
    for (std::int64_t seconds = 1; seconds < 250'000'000'000; seconds = seconds * 7 + 13)
        EXPECT_EQ(unix_seconds(*utc_text(seconds)), seconds);
}

}  // namespace
}  // namespace nodex::cli
