// Routing, and turning a chat request into a plan.
#include "tools/provider/handler.h"

#include "edge/api/chat_prompt.h"
#include "edge/api/models.h"

namespace nodex::provider {
namespace {

constexpr std::uint64_t body_bytes_max = 64 * 1024 * 1024;
constexpr Bytes json_fields = "content-type: application/json\r\n";
constexpr api::ModelCard cards[] = {
    {"nodex-sim", "Nodex simulated model", "nodex", 1'790'000'000, 128'000, 16'384},
    {"nodex-sim-mini", "Nodex simulated model, small", "nodex", 1'790'000'000, 32'000, 4'096},
};

void respond_with_error(ServerConnection& connection, const api::ApiError& error) {
    connection.respond(api::status_of(error.code), json_fields, api::error_body(error, {}));
}

}  // namespace

Handler::Route Handler::route_of(const http::RequestHead& head) noexcept {
    const bool get = head.method == http::Method::get || head.method == http::Method::head;
    const bool post = head.method == http::Method::post;
    if (post && head.path == "/v1/chat/completions") return Route::chat;
    if (get && head.path == "/v1/models") return Route::models;
    if (get && (head.path == "/healthz" || head.path == "/")) return Route::health;
    if (get && head.path == "/nodex/calls") return Route::calls;
    if (post && head.path == "/nodex/reset") return Route::reset;
    return Route::unknown;
}

Handler::Slot& Handler::take_slot() {
    if (free_.empty()) {
        slots_.push_back(std::make_unique<Slot>(loop_, counters_, defaults_));
        slots_.back()->set_owner(this);
        return *slots_.back();
    }
    Slot& slot = *free_.back();
    free_.pop_back();
    return slot;
}

void Handler::give_back(Slot& slot) noexcept {
    slot.body.clear();
    if (slot.body.capacity() > 64 * 1024) std::string().swap(slot.body);
    free_.push_back(&slot);
}

void Handler::exchange_over(Exchange& exchange) noexcept { give_back(static_cast<Slot&>(exchange)); }

void Handler::cut_all() noexcept {
    for (const std::unique_ptr<Slot>& slot : slots_)
        if (!slot->over()) slot->cut();
}

std::uint64_t Handler::request_head(ServerConnection& connection, const http::RequestHead& head) noexcept {
    Slot& slot = take_slot();
    slot.route = route_of(head);
    connection.exchange = &slot;
    return body_bytes_max;
}

void Handler::request_body(ServerConnection& connection, Bytes bytes) noexcept {
    static_cast<Slot*>(connection.exchange)->body.append(bytes);
}

void Handler::request_complete(ServerConnection& connection) noexcept {
    Slot& slot = *static_cast<Slot*>(connection.exchange);
    if (slot.route == Route::chat) return chat(connection, slot);
    const Route route = slot.route;
    connection.exchange = nullptr;
    give_back(slot);
    switch (route) {
        case Route::models: return connection.respond(200, json_fields, api::openai_models(cards));
        case Route::health: return connection.respond(200, "content-type: text/plain\r\n", "ok\n");
        case Route::calls: return connection.respond(200, json_fields, counters_.json());
        case Route::reset: counters_.reset(); return connection.respond(200, json_fields, "{}");
        case Route::unknown: return respond_with_error(connection, {api::Code::not_found, {}, {}, -1});
        case Route::chat: break;
    }
}

void Handler::chat(ServerConnection& connection, Slot& slot) {
    auto parsed = api::parse_chat_request(reader_, slot.body);
    api::ApiError error;
    if (const auto* request = std::get_if<api::ChatRequest>(&parsed)) {
        AnswerPlan plan = plan_of(*request, error.message);
        if (error.message.empty()) {
            plan.call_number = counters_.begin(plan.directives.id);
            slot.body.clear();
            return slot.start(connection, std::move(plan));
        }
        error.code = api::Code::invalid_request_error;
    } else {
        error = std::get<api::ApiError>(parsed);
    }
    connection.exchange = nullptr;
    give_back(slot);
    respond_with_error(connection, error);
}

// Directives come from `user`, metadata.nodex or the last user message: the first of these that has any.
AnswerPlan Handler::plan_of(const api::ChatRequest& request, std::string& complaint) {
    const api::ChatPrompt prompt = api::read_chat_prompt(reader_);
    AnswerPlan plan;
    for (const Bytes text :
         {Bytes(request.user), Bytes(prompt.metadata_nodex), Bytes(prompt.last_user_text)}) {
        if (!has_directives(text)) continue;
        complaint = read_directives(text, plan.directives);
        break;
    }
    const Fingerprint fingerprint = api::fingerprint(reader_, "POST", "/v1/chat/completions");
    std::memcpy(&plan.seed, fingerprint.octets.data(), sizeof plan.seed);
    plan.model = request.model;
    plan.stream = request.stream;
    plan.include_usage = request.include_usage;
    plan.choices_count = request.choices;
    plan.prompt_tokens = prompt.words_count;
    plan.tokens_count = plan.directives.tokens.value_or(defaults_.tokens);
    if (request.output_tokens_max && *request.output_tokens_max < plan.tokens_count) {
        plan.tokens_count = *request.output_tokens_max;
        plan.cut_by_limit = true;
    }
    if (prompt.last_user_text.find("call tool") != std::string::npos) plan.tool_name = prompt.tool_name;
    return plan;
}

void Handler::request_refused(ServerConnection& connection, http::Refusal refusal) noexcept {
    if (connection.exchange != nullptr) {
        give_back(*static_cast<Slot*>(connection.exchange));
        connection.exchange = nullptr;
    }
    api::ApiError error;
    error.code = api::Code::invalid_request_error;
    error.message = std::string("Refused by the parser: ") + http::name(refusal) + ".";
    connection.respond(http::status_of(refusal), json_fields, api::error_body(error, {}));
}

void Handler::response_writable(ServerConnection& connection) noexcept {
    if (connection.exchange != nullptr) static_cast<Slot*>(connection.exchange)->writable();
}

void Handler::request_abandoned(ServerConnection& connection, Error) noexcept {
    if (connection.exchange == nullptr) return;
    Slot& slot = *static_cast<Slot*>(connection.exchange);
    connection.exchange = nullptr;
    if (slot.over())
        give_back(slot);  // its request was still arriving
    else
        slot.abandoned();
}

}  // namespace nodex::provider
