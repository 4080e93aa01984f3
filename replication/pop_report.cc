// Layouts of a POP's report and of its reply, each encoder beside its decoder.
#include "replication/pop_report.h"

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "replication/decoding.h"

namespace nodex::replication {
namespace {

Bytes cut(const std::string& text) noexcept {
    return Bytes(text).substr(0, limits::report_text_bytes_max);
}

}  // namespace

// name string version string uptime u32 applied u64 last u64 lag_ms u64 leases u32 granted i64
// settled i64 headroom i64 claims u64 copies_kept u64 copies_lag u64 count u16 [request[16]]
std::string encode(const PopReport& report) {
    NX_ASSERT(report.erased.size() <= limits::erasures_max);
    std::string target;
    ByteWriter writer(target);
    writer.string(cut(report.name));
    writer.string(cut(report.version));
    writer.integer(report.uptime_s);
    writer.integer(report.outbox_applied);
    writer.integer(report.outbox_last);
    writer.integer(report.lag_ms);
    writer.integer(report.leases_count);
    writer.integer(report.granted);
    writer.integer(report.settled);
    writer.integer(report.headroom);
    writer.integer(report.claims_asked);
    writer.integer(report.copies_kept_bytes);
    writer.integer(report.copies_lag_bytes);
    writer.integer(static_cast<std::uint16_t>(report.erased.size()));
    for (const RequestId& request : report.erased) writer.opaque(request);
    return target;
}
Result<PopReport> decode_pop_report(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    PopReport report;
    const Bytes name = reader.string(), version = reader.string();
    if (!reader.ok() || name.size() > limits::report_text_bytes_max ||
        version.size() > limits::report_text_bytes_max)
        return malformed();
    report.name = std::string(name);
    report.version = std::string(version);
    report.uptime_s = reader.integer<std::uint32_t>();
    report.outbox_applied = reader.integer<std::uint64_t>();
    report.outbox_last = reader.integer<std::uint64_t>();
    report.lag_ms = reader.integer<std::uint64_t>();
    report.leases_count = reader.integer<std::uint32_t>();
    bool valid = true;
    for (Nano* amount : {&report.granted, &report.settled, &report.headroom}) {
        *amount = reader.integer<Nano>();
        valid = valid && *amount >= 0;
    }
    report.claims_asked = reader.integer<std::uint64_t>();
    report.copies_kept_bytes = reader.integer<std::uint64_t>();
    report.copies_lag_bytes = reader.integer<std::uint64_t>();
    const auto count = reader.integer<std::uint16_t>();
    if (!reader.ok() || !valid || count > limits::erasures_max ||
        count > reader.rest().size() / RequestId::size)
        return malformed();
    for (unsigned i = 0; i < count; ++i) report.erased.push_back(reader.opaque<RequestId>());
    return report;
}

// count u16 [request[16] answer[16] sent[16]]
std::string encode(const ReportReply& reply) {
    NX_ASSERT(reply.erasures.size() <= limits::erasures_max);
    std::string target;
    ByteWriter writer(target);
    writer.integer(static_cast<std::uint16_t>(reply.erasures.size()));
    for (const ReportReply::Erasure& erasure : reply.erasures) {
        writer.opaque(erasure.request);
        writer.opaque(erasure.answer);
        writer.opaque(erasure.sent);
    }
    return target;
}
Result<ReportReply> decode_report_reply(Bytes bytes) noexcept {
    constexpr std::size_t erasure_bytes = RequestId::size + 2 * BodyId::size;
    ByteReader reader(bytes);
    ReportReply reply;
    const auto count = reader.integer<std::uint16_t>();
    if (!reader.ok() || count > limits::erasures_max ||
        count > reader.rest().size() / erasure_bytes)
        return malformed();
    reply.erasures.resize(count);
    for (ReportReply::Erasure& erasure : reply.erasures) {
        erasure.request = reader.opaque<RequestId>();
        erasure.answer = reader.opaque<BodyId>();
        erasure.sent = reader.opaque<BodyId>();
    }
    return reply;
}

}  // namespace nodex::replication
