// What a POP tells the centre of itself every limits::report_interval, for the eyes of operators:
// nothing of it decides about money. The reply carries orders to destroy bodies, which are repeated
// until the POP reports them done: an order is lost with no message and with no restart.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/ids.h"
#include "edge/base/money.h"
#include "edge/base/result.h"

namespace nodex::replication {

struct PopReport {
    std::string name;            // node.name; at most limits::report_text_bytes_max
    std::string version;         // of the program; same
    std::uint32_t uptime_s = 0;  // of the process
    std::uint64_t outbox_applied = 0;
    std::uint64_t outbox_last = 0;
    std::uint64_t lag_ms = 0;  // age of the oldest settlement that is not applied; 0: there is none
    // Sums over the leases of accounts, in nano-units of their currencies.
    std::uint32_t leases_count = 0;  // that were granted something or spent it
    Nano granted = 0;
    Nano settled = 0;
    Nano headroom = 0;                    // may be spent without asking
    std::uint64_t claims_asked = 0;       // messages about keys, of this process
    std::uint64_t copies_kept_bytes = 0;  // of other POPs' answers
    std::uint64_t copies_lag_bytes = 0;   // logged here and not yet at the buddy
    std::vector<RequestId> erased;        // whose bodies' keys are destroyed here, durably
};

struct ReportReply {
    // The keys of these bodies are to be destroyed, of the POP's own ones and of copies.
    struct Erasure {
        RequestId request;
        BodyId answer;  // zero: none
        BodyId sent;    // same; what the client sent
    };
    std::vector<Erasure> erasures;
};

std::string encode(const PopReport&);
std::string encode(const ReportReply&);
// malformed(central) for anything else, as all decoders of messages.
Result<PopReport> decode_pop_report(Bytes) noexcept;
Result<ReportReply> decode_report_reply(Bytes) noexcept;

}  // namespace nodex::replication
