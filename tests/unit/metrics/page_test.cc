// Pages for Prometheus: names, labels and values as its text format wants them.
#include "edge/metrics/page.h"

#include <gtest/gtest.h>

#include <memory>

#include "edge/metrics/link_page.h"

namespace nodex::metrics {
namespace {

bool has_line(const std::string& text, const std::string& line) {
    return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

TEST(MetricsPage, TellsTypesValuesAndLabels) {
    Page page;
    page.counter("nodex_a_total", "Counted.", 3);
    page.gauge("nodex_b", "Measured.", 1.5);
    Page::Family family = page.family("nodex_c_total", "By why.", Page::Kind::counter);
    page.gauge("nodex_d", "In between.", 0);
    family.add(7, {{"why", "one"}});
    family.add(0, {{"why", "a \"quoted\" one"}});
    const std::string text = page.text();
    EXPECT_TRUE(has_line(text, "# TYPE nodex_a_total counter")) << text;
    EXPECT_TRUE(has_line(text, "nodex_a_total 3")) << text;
    EXPECT_TRUE(has_line(text, "# TYPE nodex_b gauge")) << text;
    EXPECT_TRUE(has_line(text, "nodex_b 1.5")) << text;
    EXPECT_TRUE(has_line(text, R"(nodex_c_total{why="one"} 7)")) << text;
    EXPECT_TRUE(has_line(text, R"(nodex_c_total{why="a \"quoted\" one"} 0)")) << text;
}

TEST(MetricsPage, ShowsAHistogramInSecondsWithCumulativeBuckets) {
    const auto histogram = std::make_unique<Histogram>();
    histogram->record(5'000);          // 5 µs
    histogram->record(3'000'000'000);  // 3 s
    Page page;
    page.family("nodex_x_seconds", "Time.", Page::Kind::histogram).add(*histogram, {{"s", "a"}});
    const std::string text = page.text();
    EXPECT_TRUE(has_line(text, R"(nodex_x_seconds_count{s="a"} 2)")) << text;
    EXPECT_TRUE(has_line(text, R"(nodex_x_seconds_bucket{s="a",le="1"} 1)")) << text;
    EXPECT_TRUE(has_line(text, R"(nodex_x_seconds_bucket{s="a",le="5"} 2)")) << text;
    EXPECT_TRUE(has_line(text, R"(nodex_x_seconds_bucket{s="a",le="+Inf"} 2)")) << text;
}

TEST(MetricsPage, TellsOfTheConnectionToTheNatsServer) {
    replication::LinkCounters link;
    link.connected = true;
    link.disconnects = 2;
    link.queued = 5;
    Page page;
    add_link(page, link);
    const std::string text = page.text();
    EXPECT_TRUE(has_line(text, "nodex_nats_connected 1")) << text;
    EXPECT_TRUE(has_line(text, "nodex_nats_disconnects_total 2")) << text;
    EXPECT_TRUE(has_line(text, "nodex_nats_messages_queued 5")) << text;
    EXPECT_TRUE(has_line(text, "nodex_nats_messages_dropped_total 0")) << text;
}

}  // namespace
}  // namespace nodex::metrics
