// Queries: sessions and requests of an account: what ran, what it cost, where its bodies are.
#include "edge/base/limits.h"
#include "replication/central/queries.h"

namespace nodex::replication {
namespace {

void write_body(const char* kind, const storage::SealedBody& body, JsonWriter& result) {
    if (body.id.is_zero()) return result.null(kind);
    result.open_object(kind);
    result.string("body", to_hex(body.id.view()));
    result.integer("sealed_bytes", static_cast<std::int64_t>(body.bytes));
    result.string("sha256", to_hex(body.digest.view()));
    result.integer("key_version", body.kek_version);
    result.integer("expires", body.expires_ms / 1'000);
    result.close_object();
}

void write_reference(const ledger::Reference& reference,
                     const std::map<std::uint32_t, std::string>& models, JsonWriter& result) {
    result.string("request_id", to_hex(reference.request.view()));
    result.integer("account", static_cast<std::int64_t>(raw(reference.account)));
    result.integer("key_id", static_cast<std::int64_t>(raw(reference.key)));
    result.string("session", to_hex(reference.session.view()));
    const auto model = models.find(reference.model);
    result.string("model", model == models.end() ? Bytes("unknown") : Bytes(model->second));
    result.integer("status", reference.status);
    result.amount("amount", reference.charged);
    result.integer("created", reference.created_ms / 1'000);
    result.integer("settled", reference.settled_ms / 1'000);
    result.integer("pop", raw(reference.pop));
    result.integer("incarnation", reference.incarnation);
    result.boolean("deleted", reference.deleted);
    write_body("request", reference.sent, result);
    write_body("answer", reference.answer, result);
}

// 16 octets in hex.
template <class Id>
std::optional<Id> id_argument(const JsonObject& args, Bytes name) {
    const std::optional<Bytes> text = args.string(name);
    const std::optional<std::string> octets = text ? from_hex(*text) : std::nullopt;
    if (!octets || octets->size() != Id::size) return std::nullopt;
    return Id::from(*octets);
}

}  // namespace

Result<std::map<std::uint32_t, std::string>> Queries::model_ids() {
    Result<std::vector<ledger::Model>> models = ledger_.models();
    if (!models) return models.error();
    std::map<std::uint32_t, std::string> ids;
    for (const ledger::Model& model : *models) ids.emplace(model.entry.number, model.entry.id);
    return ids;
}

// One line a session: of the requests on this page, so a session that a page cuts has two.
CommandResult Queries::session_list(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account", "cursor"})) return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    Result<Ledger::ReferencePage> page = ledger_.references(
        *id, std::nullopt, std::string(args.string("cursor").value_or("")), limits::page_rows_max);
    if (!page && page.error().source == ErrorSource::client)
        return bad_argument("cursor", "next_cursor of an earlier page");
    if (!page) return refusal(page.error());
    result.open_array("sessions");
    for (std::size_t i = 0; i < page->references.size();) {
        const SessionId session = page->references[i].session;
        std::int64_t requests = 0, first_ms = INT64_MAX, last_ms = 0;
        Nano charged = 0;
        for (; i < page->references.size() && page->references[i].session == session; ++i) {
            const ledger::Reference& reference = page->references[i];
            ++requests;
            charged += reference.charged;
            first_ms = std::min(first_ms, reference.created_ms);
            last_ms = std::max(last_ms, reference.settled_ms);
        }
        result.open_object();
        result.string("session", to_hex(session.view()));
        result.integer("requests", requests);
        result.amount("amount", charged);
        result.integer("first", first_ms / 1'000);
        result.integer("last", last_ms / 1'000);
        result.close_object();
    }
    result.close_array();
    result.string_or_null("next_cursor", page->cursor);
    return std::nullopt;
}

CommandResult Queries::session_show(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"account", "session", "cursor"})) return unknown;
    const std::optional<AccountId> id = account_argument(args);
    if (!id) return bad_argument("account", "an account number");
    const auto session = id_argument<SessionId>(args, "session");
    if (!session) return bad_argument("session", "32 hex digits, as session list tells");
    Result<Ledger::ReferencePage> page = ledger_.references(
        *id, session, std::string(args.string("cursor").value_or("")), limits::page_rows_default);
    if (!page && page.error().source == ErrorSource::client)
        return bad_argument("cursor", "next_cursor of an earlier page");
    if (!page) return refusal(page.error());
    const Result<std::map<std::uint32_t, std::string>> models = model_ids();
    if (!models) return refusal(models.error());
    result.open_array("requests");
    for (const ledger::Reference& reference : page->references) {
        result.open_object();
        write_reference(reference, *models, result);
        result.close_object();
    }
    result.close_array();
    result.string_or_null("next_cursor", page->cursor);
    return std::nullopt;
}

CommandResult Queries::request_show(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"request_id"})) return unknown;
    const auto request = id_argument<RequestId>(args, "request_id");
    if (!request) return bad_argument("request_id", "32 hex digits");
    Result<std::optional<ledger::Reference>> reference = ledger_.reference(*request);
    if (!reference) return refusal(reference.error());
    if (!*reference) return refusal({ErrorCode::not_found, ErrorSource::client});
    const Result<std::map<std::uint32_t, std::string>> models = model_ids();
    if (!models) return refusal(models.error());
    write_reference(**reference, *models, result);
    return std::nullopt;
}

}  // namespace nodex::replication
