// What costs nothing: models, balance, usage, status, health, CORS preflight.
#include <algorithm>

#include "edge/api/models.h"
#include "edge/base/log.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"

namespace nodex::gateway {
namespace {

// The value of `name` in a query string, undecoded; nothing when absent.
std::optional<Bytes> query_value(Bytes query, Bytes name) noexcept {
    while (!query.empty()) {
        const std::size_t end = std::min(query.find('&'), query.size());
        const Bytes pair = query.substr(0, end);
        query.remove_prefix(std::min(end + 1, query.size()));
        const std::size_t equals = pair.find('=');
        if (pair.substr(0, equals) == name)
            return equals == Bytes::npos ? Bytes() : pair.substr(equals + 1);
    }
    return std::nullopt;
}

void add_json_text(std::string& target, Bytes name, Bytes value) {
    target.append(",\"").append(name).append("\":\"");
    log::append_escaped(target, value);
    target += '"';
}

api::ModelCard card_of(const replication::ModelEntry& model) noexcept {
    return {model.id,        model.display_name,   model.owned_by,
            model.created_s, model.context_tokens, model.output_tokens_max};
}

bool usable(const replication::ModelEntry& model, const replication::KeyEntry& key) noexcept {
    return model.on_sale &&
           (key.models.empty() ||
            std::binary_search(key.models.begin(), key.models.end(), model.number));
}

}  // namespace

void Exchange::serve_free() noexcept {
    switch (route_) {
        case Route::preflight: {
            std::string fields;
            write_fields(fields, 204, {}, nullptr);
            fields +=
                "access-control-allow-methods: GET, HEAD, POST, OPTIONS\r\n"
                "access-control-allow-headers: authorization, x-api-key, content-type, "
                "idempotency-key, x-idempotency-key, x-nodex-session-id, x-nodex-on-disconnect, "
                "last-event-id, "
                // What the official SDKs add by themselves, in a browser too.
                "user-agent, x-stainless-lang, x-stainless-package-version, x-stainless-os, "
                "x-stainless-arch, x-stainless-runtime, x-stainless-runtime-version, "
                "x-stainless-retry-count, x-stainless-timeout, x-stainless-helper-method, "
                "openai-organization, openai-project, openai-beta, anthropic-version, "
                "anthropic-beta, anthropic-dangerous-direct-browser-access\r\n"
                "access-control-max-age: 86400\r\n";
            status_ = 204;
            enter(Phase::answering);
            connection_->respond(204, fields, {});
            return response_done();
        }
        case Route::probe: return respond(200, json_type, "{}");
        case Route::healthz: return respond(200, json_type, "{\"status\":\"ok\"}");
        case Route::readyz: {
            const bool ready = !gateway_.draining() && !gateway_.shared().commits.failed();
            return respond(ready ? 200 : 503, json_type,
                           ready ? "{\"status\":\"ready\"}" : "{\"status\":\"not ready\"}");
        }
        case Route::models:
        case Route::model: return serve_models();
        case Route::status: return serve_status();
        case Route::balance:
            return query_centre("balance", "{\"account\":" + std::to_string(raw(key_->account)) +
                                               ",\"key_id\":" + std::to_string(raw(key_->id)) +
                                               "}");
        case Route::usage: {
            std::string request = "{\"account\":" + std::to_string(raw(key_->account));
            for (const Bytes number : {"limit", "from", "to", "key_id"})
                if (const auto value = query_value(query_, number)) {
                    if (!parse_decimal(*value))
                        return refuse({api::Code::invalid_request_error,
                                       "'" + std::string(number) + "' must be a whole number.",
                                       std::string(number), -1});
                    request.append(",\"").append(number).append("\":").append(*value);
                }
            for (const Bytes text : {"cursor", "model"})
                if (const auto value = query_value(query_, text))
                    add_json_text(request, text, *value);
            return query_centre("usage", request + "}");
        }
        case Route::none:
        case Route::websocket:
        case Route::chat_completions: break;
    }
    NX_ASSERT(false);  // these were answered from the head
}

void Exchange::serve_models() noexcept {
    std::vector<api::ModelCard> cards;
    for (const replication::ModelEntry& model : directory_->models())
        if (usable(model, *key_)) cards.push_back(card_of(model));
    if (route_ == Route::model) {
        const replication::ModelEntry* model = directory_->find_model(model_id_);
        if (model == nullptr || !usable(*model, *key_))
            return refuse({api::Code::model_not_found,
                           "The model '" + model_id_ + "' does not exist here.", "model", -1});
        return respond(200, json_type,
                       anthropic_ ? api::anthropic_model(card_of(*model))
                                  : api::openai_model(card_of(*model)));
    }
    if (!anthropic_) return respond(200, json_type, api::openai_models(cards));
    api::ModelsPage page;
    if (const auto limit = query_value(query_, "limit"))
        page.limit = parse_decimal(*limit).value_or(0);
    page.after_id = query_value(query_, "after_id");
    page.before_id = query_value(query_, "before_id");
    auto models = api::anthropic_models(cards, page);
    if (auto* error = std::get_if<api::ApiError>(&models)) return refuse(*error);
    respond(200, json_type, std::get<std::string>(models));
}

// No secrets and no account data: anyone may ask.
void Exchange::serve_status() noexcept {
    std::string body = "{\"object\":\"status\"";
    add_json_text(body, "node", settings_->node);
    add_json_text(body, "region", settings_->region);
    add_json_text(body, "version", settings_->version);
    add_json_text(body, "central", gateway_.shared().agent.linked() ? "linked" : "unlinked");
    add_json_text(body, "storage", gateway_.shared().commits.failed() ? "failed" : "ok");
    body += gateway_.draining() ? ",\"draining\":true" : ",\"draining\":false";
    body += ",\"providers\":[";
    bool first = true;
    for (const upstream::EndpointStatus& endpoint : gateway_.upstream().status()) {
        body += first ? "{\"name\":\"" : ",{\"name\":\"";
        first = false;
        log::append_escaped(body, endpoint.name);
        body += endpoint.ejected ? "\",\"healthy\":false}" : "\",\"healthy\":true}";
    }
    respond(200, json_type, body + "]}");
}

void Exchange::query_centre(Bytes subject, std::string request) noexcept {
    enter(Phase::querying);
    query_operation_.subject = subject;
    query_operation_.request = std::move(request);
    gateway_.shared().agent.query(query_operation_, gateway_.loop().mailbox(),
                                  storage::when_done<&Exchange::query_done>(this));
}

void Exchange::query_done() noexcept {
    if (phase_ == Phase::leaving) return leave_join();
    if (query_operation_.status == 200) return respond(200, json_type, query_operation_.reply);
    if (query_operation_.status >= 400 && query_operation_.status < 500)
        return refuse({api::Code::invalid_request_error, "The query is not valid.", {}, -1});
    refuse({api::Code::budget_unavailable,
            "The central node cannot be reached right now.",
            {},
            2'000});
}

}  // namespace nodex::gateway
