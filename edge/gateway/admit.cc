// Admit: head and key, limits, body: everything that can refuse a request before money is involved.
#include <algorithm>
#include <utility>

#include "edge/crypto/api_key.h"
#include "edge/gateway/estimate.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"

namespace nodex::gateway {
namespace {

struct Target {
    Route route;
    bool method_known;  // false: the path exists, the method does not
};

// The fixed table of paths, after /api has been taken off. No decoding: an unknown path is 404.
Target find_route(http::Method method, Bytes path) noexcept {
    using http::Method;
    const bool get = method == Method::get || method == Method::head;
    if (method == Method::head && (path == "/" || path == "/hello")) return {Route::probe, true};
    if (path == "/healthz") return {Route::healthz, get};
    if (path == "/readyz") return {Route::readyz, get};
    if (path == "/v1/models") return {Route::models, get};
    if (path.starts_with("/v1/models/") && path.size() > 11) return {Route::model, get};
    if (path == "/v1/balance") return {Route::balance, get};
    if (path == "/v1/usage") return {Route::usage, get};
    if (path == "/v1/status") return {Route::status, get};
    if (path == "/v1/chat/completions") return {Route::chat_completions, method == Method::post};
    if (path == "/v1/responses" && method == Method::get) return {Route::websocket, true};
    return {Route::none, true};
}

bool visible_ascii(Bytes text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x21 && c <= 0x7e; });
}

// %XX in a model id ("/" arrives encoded); nothing when malformed.
std::optional<std::string> percent_decode(Bytes text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            decoded.push_back(text[i]);
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const auto octet = from_hex(text.substr(i + 1, 2));
        if (!octet) return std::nullopt;
        decoded += *octet;
        i += 2;
    }
    return decoded;
}

}  // namespace

const char* name(Route route) noexcept {
    switch (route) {
        case Route::none: return "none";
        case Route::preflight: return "preflight";
        case Route::probe: return "probe";
        case Route::healthz: return "healthz";
        case Route::readyz: return "readyz";
        case Route::models: return "models";
        case Route::model: return "model";
        case Route::balance: return "balance";
        case Route::usage: return "usage";
        case Route::status: return "status";
        case Route::chat_completions: return "chat_completions";
        case Route::websocket: return "websocket";
    }
    return "unknown";
}

void Exchange::read_head(const http::RequestHead& head) noexcept {
    request_id_ = gateway_.next_request_id();
    request_id_hex_ = to_hex(request_id_.view());
    Bytes path = head.path;
    if (path.starts_with("/api/")) path.remove_prefix(4);
    path_ = path;
    query_ = head.query;
    anthropic_ = head.field("anthropic-version").has_value();
    if (head.method == http::Method::options) {
        route_ = Route::preflight;
        return;
    }
    const Target target = find_route(head.method, path);
    route_ = target.route;
    if (route_ == Route::none)
        return refuse({api::Code::not_found,
                       "There is nothing at this path. The API begins at /v1.",
                       {},
                       -1});
    if (!target.method_known)
        return refuse({api::Code::method_not_allowed,
                       std::string("This path does not answer ") + http::name(head.method) + ".",
                       {},
                       -1});
    if (route_ == Route::websocket)
        return refuse(api::Code::not_implemented);
    if (route_ == Route::probe || route_ == Route::healthz || route_ == Route::readyz ||
        route_ == Route::status)
        return;
    if (!authenticate(head)) return;
    if (route_ == Route::model) {
        auto id = percent_decode(path.substr(11));
        if (!id)
            return refuse({api::Code::invalid_request_error,
                           "The model id is not valid percent-encoding.", "model", -1});
        model_id_ = std::move(*id);
    }
    if (route_ == Route::chat_completions) (void)read_paid_fields(head);
}

// Exactly one credential; hashed before it is looked up, so nothing of a client's text reaches a
// table.
bool Exchange::authenticate(const http::RequestHead& head) noexcept {
    const auto refused = [this](api::Code code) {
        refuse(code);
        return false;
    };
    Bytes credential;
    if (const auto authorization = head.field("authorization")) {
        constexpr std::size_t scheme_bytes = 7;
        if (head.count("authorization") > 1 || authorization->size() <= scheme_bytes ||
            !equals_ignore_case(authorization->substr(0, scheme_bytes), "bearer "))
            return refused(api::Code::invalid_api_key);
        credential = authorization->substr(scheme_bytes);
    }
    if (const auto key = head.field("x-api-key")) {
        if (head.count("x-api-key") > 1 || (!credential.empty() && credential != *key))
            return refused(api::Code::invalid_api_key);
        credential = *key;
    }
    if (credential.empty()) return refused(api::Code::unauthenticated);
    if (!crypto::has_api_key_shape(credential)) return refused(api::Code::invalid_api_key);
    key_ =
        directory_->find_key(crypto::hash_api_key(gateway_.shared().key_hash_secret, credential));
    if (key_ == nullptr) return refused(api::Code::invalid_api_key);
    switch (key_->state) {
        case replication::KeyState::active: break;
        case replication::KeyState::suspended: return refused(api::Code::key_suspended);
        case replication::KeyState::revoked: return refused(api::Code::key_revoked);
    }
    if (key_->expires_ms != 0 && gateway_.loop().clock().wall_ms() >= key_->expires_ms)
        return refused(api::Code::key_expired);
    if (key_->account_state != replication::AccountState::active)
        return refused(api::Code::account_blocked);
    return true;
}

// The fields of a paid request that shape idempotency, resume and disconnect.
bool Exchange::read_paid_fields(const http::RequestHead& head) noexcept {
    const auto refused = [this](api::Code code, const char* message, const char* param) {
        refuse({code, message, param, -1});
        return false;
    };
    if (const auto encoding = head.field("content-encoding");
        encoding && !equals_ignore_case(*encoding, "identity"))
        return refused(api::Code::unsupported_media_type, "Send the body without Content-Encoding.",
                       "content-encoding");
    const auto type = head.field("content-type");
    if (type && !equals_ignore_case(type->substr(0, 16), "application/json"))
        return refused(api::Code::unsupported_media_type, "The body must be application/json.",
                       "content-type");

    const auto primary = head.field("x-idempotency-key");
    const auto alias = head.field("idempotency-key");
    const bool twice =
        head.count("x-idempotency-key") > 1 || head.count("idempotency-key") > 1;
    if (twice || (primary && alias && *primary != *alias))
        return refused(api::Code::idempotency_key_invalid,
                       "The idempotency key was sent more than once; send it once.",
                       "x-idempotency-key");
    if (const auto key = primary ? primary : alias) {
        if (key->empty() || key->size() > limits::idempotency_key_bytes_max || !visible_ascii(*key))
            return refused(api::Code::idempotency_key_invalid,
                           "An idempotency key is 1 to 255 visible ASCII characters.",
                           "x-idempotency-key");
        key_text_ = *key;
        key_given_ = true;
    }
    sdk_ = head.field("x-stainless-lang").has_value();
    if (const auto count = head.field("x-stainless-retry-count"))
        sdk_retry_ = parse_decimal(*count).value_or(0) > 0;

    if (const auto session = head.field("x-nodex-session-id")) {
        if (session->empty() || session->size() > 128 || !visible_ascii(*session))
            return refused(api::Code::invalid_request_error,
                           "X-Nodex-Session-Id is 1 to 128 visible ASCII characters.",
                           "x-nodex-session-id");
        session_text_ = *session;
        session_given_ = true;
    }
    if (const auto wish = head.field("x-nodex-on-disconnect")) {
        if (*wish == "drain")
            on_disconnect_ = OnDisconnect::drain;
        else if (*wish == "cancel")
            on_disconnect_ = OnDisconnect::cancel;
        else
            return refused(api::Code::invalid_request_error,
                           "X-Nodex-On-Disconnect is drain or cancel.", "x-nodex-on-disconnect");
    }
    if (const auto last = head.field("last-event-id"); last && !last->empty()) {
        const auto number = http::parse_event_id(*last);
        if (!number)
            return refused(api::Code::invalid_last_event_id,
                           "Last-Event-ID must be an id of this stream, such as evt_00042.",
                           "last-event-id");
        last_event_ = *number;
        if (!key_given_)
            return refused(
                api::Code::idempotency_key_required,
                "Resuming needs the idempotency key of the stream: send it as X-Idempotency-Key.",
                "x-idempotency-key");
    }
    return true;
}

// The body is here: JSON, ranges, model, rate, price. Then the claim.
void Exchange::admit() noexcept {
    auto parsed = api::parse_chat_request(gateway_.json(), body_);
    if (auto* error = std::get_if<api::ApiError>(&parsed)) return refuse(*error);
    chat_ = std::move(std::get<api::ChatRequest>(parsed));
    fingerprint_ = api::fingerprint(gateway_.json(), "POST", path_);

    model_ = directory_->find_model(chat_.model);
    if (model_ == nullptr || !model_->on_sale)
        return refuse({api::Code::model_not_found,
                       "The model '" + chat_.model +
                           "' does not exist here. GET /v1/models lists what you can use.",
                       "model", -1});
    if (!key_->models.empty() &&
        !std::binary_search(key_->models.begin(), key_->models.end(), model_->number))
        return refuse({api::Code::model_forbidden,
                       "This API key may not use the model '" + chat_.model + "'.", "model", -1});
    if (last_event_ && !chat_.stream)
        return refuse({api::Code::invalid_last_event_id,
                       "Only a stream can be resumed: send \"stream\": true.", "last-event-id",
                       -1});

    const auto cost = estimate(chat_, *model_, settings_->output_tokens_default);
    if (!cost)
        return refuse(
            {api::Code::invalid_request_error, "The request is too large to be priced.", {}, -1});
    amount_ = cost->amount;
    tokens_taken_ =
        cost->input_tokens / 4 + cost->output_tokens;  // four bytes a token is the usual case
    if (!name_claim()) return;
    if (!admit_rate()) return;
    gateway_.metrics().admit_ns.record(
        static_cast<std::uint64_t>(gateway_.loop().clock().now_ns() - body_complete_ns_));
    if (last_event_)
        claim(true);  // a resume never runs the model
    else
        reserve_place();
}

// A place among the key's running requests, then money. The run keeps its place when its client has
// gone. A replay or a join needs neither.
void Exchange::reserve_place() noexcept {
    const std::uint32_t places = key_->limits.concurrency;
    if (places == 0) return reserve();
    if (key_->meter->running.fetch_add(1, std::memory_order_relaxed) < places) {
        counted_running_ = true;
        return reserve();
    }
    key_->meter->running.fetch_sub(1, std::memory_order_relaxed);
    otherwise_ = {
        api::Code::rate_limited,
        "This key may have " + std::to_string(places) + " requests running at once.",
        {},
        second / millisecond};
    claim(true);
}

// Nothing runs on behalf of this request (any more), or its run has taken them over.
void Exchange::give_back_rates() noexcept {
    if (std::exchange(counted_running_, false))
        key_->meter->running.fetch_sub(1, std::memory_order_relaxed);
    if (std::exchange(tokens_held_, false))
        key_->meter->tokens.give_back(key_->limits.tokens_per_minute, tokens_taken_);
}

bool Exchange::admit_rate() noexcept {
    const replication::RateLimits& limit = key_->limits;
    const Nanoseconds now = gateway_.loop().now_ns();
    const auto refused = [this](const std::string& what, Nanoseconds retry_after_ns) {
        refuse({api::Code::rate_limited,
                what,
                {},
                std::max<std::int64_t>(1, retry_after_ns / millisecond)});
        return false;
    };
    if (limit.requests_per_minute > 0) {
        rate_requests_ = key_->meter->requests.take(limit.requests_per_minute, 1, now);
        if (!rate_requests_->allowed)
            return refused("This key may send " + std::to_string(limit.requests_per_minute) +
                               " requests a minute.",
                           rate_requests_->retry_after_ns);
    }
    if (limit.tokens_per_minute > 0) {
        rate_tokens_ = key_->meter->tokens.take(limit.tokens_per_minute, tokens_taken_, now);
        if (!rate_tokens_->allowed)
            return refused(
                "This key may use " + std::to_string(limit.tokens_per_minute) + " tokens a minute.",
                rate_tokens_->retry_after_ns);
        tokens_held_ = true;
    }
    return true;
}

}  // namespace nodex::gateway
