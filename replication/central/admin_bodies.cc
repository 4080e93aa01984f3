// Queries: the deletion of a request's bodies, and how far it has got.
#include "replication/central/queries.h"

namespace nodex::replication {
namespace {

std::optional<RequestId> request_argument(const JsonObject& args) {
    const std::optional<Bytes> text = args.string("request_id");
    const std::optional<std::string> octets = text ? from_hex(*text) : std::nullopt;
    if (!octets || octets->size() != RequestId::size) return std::nullopt;
    return RequestId::from(*octets);
}

// "kept": nobody has ordered anything. "ordered": POPs are to destroy keys that have not said so
// yet. "destroyed": every POP has said that its keys are gone, durably.
void write_erasing(const RequestId& request, const Ledger::Erasing& erasing, JsonWriter& result) {
    result.string("request_id", to_hex(request.view()));
    result.integer("pop", raw(erasing.owner));
    result.string("state", !erasing.ordered          ? "kept"
                           : erasing.waiting.empty() ? "destroyed"
                                                     : "ordered");
    result.open_array("waiting_for");
    for (const PopId pop : erasing.waiting) result.integer({}, raw(pop));
    result.close_array();
}

}  // namespace

CommandResult Queries::body_delete(const JsonObject& args, std::int64_t now_ms,
                                   JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"request_id"})) return unknown;
    const std::optional<RequestId> request = request_argument(args);
    if (!request) return bad_argument("request_id", "32 hex digits");
    const Result<Ledger::Erasing> erasing = ledger_.erase_bodies(*request, now_ms);
    if (!erasing) return body_refusal(erasing.error());
    write_erasing(*request, *erasing, result);
    return std::nullopt;
}

CommandResult Queries::body_status(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"request_id"})) return unknown;
    const std::optional<RequestId> request = request_argument(args);
    if (!request) return bad_argument("request_id", "32 hex digits");
    const Result<Ledger::Erasing> erasing = ledger_.erasing(*request);
    if (!erasing) return body_refusal(erasing.error());
    write_erasing(*request, *erasing, result);
    return std::nullopt;
}

Refusal Queries::body_refusal(Error error) {
    if (error.code == ErrorCode::not_found && error.source == ErrorSource::client)
        return {404, "not_found", "no such request, or its bodies have expired"};
    return refusal(error);
}

}  // namespace nodex::replication
