// The figures of a report, computed by hand.
#include "bench/load/report.h"

#include <gtest/gtest.h>

namespace nodex::bench::report_test {
namespace {

Outcome example(const Window& window) {
    Outcome outcome;
    outcome.measured->set_window(window);
    for (int i = 1; i <= 100; ++i) outcome.measured->answered(0, i * millisecond);
    outcome.measured->failed(Failure::error_event, 0);
    outcome.measured->status(503);
    outcome.window_s = 2;
    outcome.in_window = {.answered = 100, .events = 400};
    outcome.connections_open = 10;
    outcome.own_cpu_ns = second;
    outcome.server_cpu_ns = 500 * millisecond;
    outcome.rss_before_bytes = 1024 * 1024;
    outcome.rss_bytes = 2 * 1024 * 1024;
    return outcome;
}

constexpr Window window{.start_ns = 0, .begin_ns = 0, .end_ns = second};

TEST(JsonReport, HoldsRatesCostsAndPercentiles) {
    Options options;
    options.label = "nginx \"bare\"";
    const std::string json = json_report(options, example(window));
    const char* parts[] = {R"("label":"nginx \"bare\"")",
                           R"("requests_per_s":50.000)",
                           R"("events_per_s":200.000)",
                           R"("generator_busy":0.500)",
                           R"("server_busy":0.250)",
                           R"("server_cpu_us_per_request":5000.000)",
                           R"("server_cpu_us_per_event":1250.000)",
                           R"("server_rss_kib_per_connection":102.400)",
                           R"("call":{"count":100,"mean_us":50500.000)",
                           R"("failed":1)",
                           R"("error_event":1)"};
    for (const char* part : parts)
        EXPECT_NE(json.find(part), std::string::npos) << part << "\n" << json;
}

TEST(JsonReport, LeavesOutWhatWasNotMeasured) {
    Outcome outcome = example(window);
    outcome.server_cpu_ns.reset();
    outcome.rss_bytes.reset();
    const std::string json = json_report({}, outcome);
    EXPECT_EQ(json.find("server_"), std::string::npos);
}

TEST(TextReport, NamesFailuresAndUnexpectedStatuses) {
    const std::string text = text_report({}, example(window));
    EXPECT_NE(text.find("error_event"), std::string::npos);
    EXPECT_NE(text.find("status 503"), std::string::npos);
    EXPECT_NE(text.find("whole call"), std::string::npos);
    EXPECT_EQ(text.find("gap between events"), std::string::npos);  // there were none
}

}  // namespace
}  // namespace nodex::bench::report_test
