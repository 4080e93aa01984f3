// Reporter: see the header.
#include "replication/reporter.h"

#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds report_timeout = 2 * second;

}  // namespace

void Reporter::tick() {
    const Nanoseconds now = clock_.now_ns();
    if (in_flight_ || now < report_at_ns_) return;
    in_flight_ = true;
    report_at_ns_ = now + limits::report_interval;
    PopReport report;
    report.name = name_;
    report.version = version_;
    report.uptime_s = static_cast<std::uint32_t>((now - began_ns_) / second);
    count_(report);
    report.erased = eraser_.erased();
    link_.request("report", MessageType::report_request, encode(report), report_timeout,
                  [this, told = report.erased.size()](const Result<std::string>& payload) {
                      in_flight_ = false;
                      if (payload) replied(told, *payload);
                  });
}

// One report at a time is answered before the next leaves, so `told` are the oldest still.
void Reporter::replied(std::size_t told, Bytes payload) {
    const Result<ReportReply> reply = decode_report_reply(payload);
    if (!reply) return;
    eraser_.told(told);
    eraser_.ordered(reply->erasures);
}

}  // namespace nodex::replication
