// What a centre counts, by name.
#include "replication/central/central_stats.h"

namespace nodex::replication {

const char* CentralStats::name(Verb verb) noexcept {
    switch (verb) {
        case Verb::registration: return "register";
        case Verb::lease: return "lease";
        case Verb::ship: return "ship";
        case Verb::feed: return "feed";
        case Verb::claim: return "claim";
        case Verb::body_keys: return "body_keys";
        case Verb::peers: return "peers";
        case Verb::report: return "report";
        case Verb::reference: return "reference";
        case Verb::query: return "query";
        case Verb::count: break;
    }
    NX_ASSERT(false);
    return "";
}

CentralStats::Verb CentralStats::verb_of(MessageType type) noexcept {
    switch (type) {
        case MessageType::register_request: return Verb::registration;
        case MessageType::lease_request: return Verb::lease;
        case MessageType::ship_request:
        case MessageType::packed_ship_request: return Verb::ship;
        case MessageType::feed_request: return Verb::feed;
        case MessageType::claim_request: return Verb::claim;
        case MessageType::body_key_request: return Verb::body_keys;
        case MessageType::peers_request: return Verb::peers;
        case MessageType::report_request: return Verb::report;
        case MessageType::reference_request: return Verb::reference;
        default: return Verb::query;
    }
}

const char* CentralStats::name(Refusal reason) noexcept {
    switch (reason) {
        case Refusal::unknown_pop: return "unknown_pop";
        case Refusal::wrong_mac: return "wrong_mac";
        case Refusal::malformed: return "malformed";
        case Refusal::old_epoch: return "old_epoch";
        case Refusal::stale: return "stale";
        case Refusal::count: break;
    }
    NX_ASSERT(false);
    return "";
}

}  // namespace nodex::replication
