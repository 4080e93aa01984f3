// What the kernel says about processes.
#include "bench/load/process_usage.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace nodex::bench {
namespace {

TEST(ProcStat, AddsUserAndSystemTimeWhateverTheProcessIsCalled) {
    const char* rest = " S 1 2 3 4 5 6 7 8 9 10 110 23 4 5 20 0 1 0 100 200 300";
    EXPECT_EQ(parse_stat_ticks(std::string("42 (nginx)") + rest), 133u);
    EXPECT_EQ(parse_stat_ticks(std::string("42 (a) b) (c 1 2)") + rest), 133u);
}

TEST(ProcStat, RefusesWhatIsCutOff) {
    const char* cut_off[] = {"", "42", "42 (nginx)", "42 (nginx) S 1 2 3 4 5 6 7 8 9 10 110",
                             "42 (nginx) S 1 2 3 4 5 6 7 8 9 10 x 2"};
    for (const char* line : cut_off) EXPECT_FALSE(parse_stat_ticks(line).has_value()) << line;
}

TEST(ProcStatus, FindsTheResidentSize) {
    const char* status = "Name:\tx\nVmHWM:\t  999 kB\nVmRSS:\t    1234 kB\nRssAnon:\t1 kB\n";
    EXPECT_EQ(parse_status_rss_kib(status), 1234u);
    EXPECT_FALSE(parse_status_rss_kib("Name:\tVmRSS: 5 kB\n").has_value());  // kernel threads have none
}

TEST(ReadUsage, ReadsThisProcessAndRefusesOneThatIsNotThere) {
    const auto own = read_usage({getpid()});
    ASSERT_TRUE(own.has_value());
    EXPECT_GT(own->rss_bytes, 100'000u);
    EXPECT_EQ(read_usage({getpid(), getpid()})->rss_bytes / 2 / 1'000'000, own->rss_bytes / 1'000'000);
    EXPECT_FALSE(read_usage({getpid(), 0x7fffffff}).has_value());
    EXPECT_GT(read_own_usage().rss_bytes, 0u);
}

}  // namespace
}  // namespace nodex::bench
