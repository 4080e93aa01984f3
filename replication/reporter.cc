// Reporter: see the header.
#include "replication/reporter.h"

#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds request_timeout = 2 * second;

}  // namespace

void Reporter::tick() {
    const Nanoseconds now = clock_.now_ns();
    if (now < report_at_ns_) return;
    report_at_ns_ = now + limits::report_interval;
    PopReport report;
    report.name = name_;
    report.version = version_;
    report.uptime_s = static_cast<std::uint32_t>((now - began_ns_) / second);
    count_(report);
    link_.request("report", MessageType::report_request, encode(report), request_timeout,
                  [this](const Result<std::string>& payload) {
                      if (payload && decode_report_reply(*payload)) ++answered_count_;
                  });
}

}  // namespace nodex::replication
