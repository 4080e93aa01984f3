// Incremental response parser for what providers send.
#include "edge/http/response_parser.h"

#include "edge/base/limits.h"
#include "edge/http/body_framing.h"
#include "edge/http/head_check.h"
#include "edge/http/head_collector.h"
#include "edge/http/llhttp_machine.h"

namespace nodex::http {
namespace {

constexpr Error malformed{.code = ErrorCode::malformed, .source = ErrorSource::provider};

}  // namespace

// idle --> head <--> body --> complete --> head (begin)         any --> failed, for good
//           \\-- 1xx --/
struct ResponseParser::State final : BodySink {
    enum class Phase : std::uint8_t { idle, head, body, complete, failed };

    Phase phase = Phase::idle;
    Method method = Method::get;
    unsigned interim_count = 0;
    HeadCollector collector{
        {.start_line_bytes_max = limits::request_line_bytes_max, .blank_line_allowed = false}};
    ResponseHead head;
    LlhttpMachine machine;
    BodyFraming framing;
    ResponseEvents* events = nullptr;  // during feed()

    bool feed(Bytes bytes) noexcept;
    bool feed_head(Bytes& bytes) noexcept;
    bool end_head() noexcept;
    bool begin_body() noexcept;
    bool feed_body(Bytes& bytes) noexcept;
    void machine_body(Bytes bytes) noexcept override { events->response_body(bytes); }
};

ResponseParser::ResponseParser() : state_(std::make_unique<State>()) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;

void ResponseParser::begin(Method request_method) noexcept {
    NX_ASSERT(state_->phase == State::Phase::idle || reusable());
    state_->phase = State::Phase::head;
    state_->method = request_method;
    state_->interim_count = 0;
    state_->collector.reset();
}

Status ResponseParser::feed(Bytes bytes, ResponseEvents& events) noexcept {
    NX_ASSERT(state_->events == nullptr);
    state_->events = &events;
    const bool legal = state_->feed(bytes);
    state_->events = nullptr;
    if (legal) return {};
    state_->phase = State::Phase::failed;
    return malformed;
}

bool ResponseParser::State::feed(Bytes bytes) noexcept {
    while (!bytes.empty()) {
        switch (phase) {
            case Phase::head:
                if (!feed_head(bytes)) return false;
                break;
            case Phase::body:
                if (!feed_body(bytes)) return false;
                break;
            case Phase::idle:      // nobody asked
            case Phase::complete:  // bytes after the end: the next answer would be poisoned
            case Phase::failed: return false;
        }
    }
    return true;
}

bool ResponseParser::State::feed_head(Bytes& bytes) noexcept {
    for (;;) {
        switch (collector.take(bytes)) {
            case HeadCollector::Step::need_more: bytes = {}; return true;
            case HeadCollector::Step::start_line: {
                StatusLine ignored;
                if (!check_status_line(collector.start_line(), ignored)) return false;
                continue;
            }
            case HeadCollector::Step::complete:
                bytes.remove_prefix(collector.taken_bytes());
                return end_head();
            case HeadCollector::Step::malformed:
            case HeadCollector::Step::line_too_long:
            case HeadCollector::Step::too_large: return false;
        }
    }
}

bool ResponseParser::State::end_head() noexcept {
    if (!check_response_head(collector.head(), head)) return false;
    const bool interim = head.status < 200;
    const bool bodyless = interim || method == Method::head || head.status == 204 || head.status == 304;
    const auto body = bodyless ? LlhttpMachine::Body::skipped : LlhttpMachine::Body::as_framed;
    if (!machine.read_head(LlhttpMachine::Kind::response, collector.head(), body)) return false;
    if (machine.chunked() != head.chunked || machine.content_length() != head.content_length) return false;
    if (interim) {
        const bool framed = head.chunked || head.content_length.has_value();
        if (framed || ++interim_count > limits::informational_responses_max) return false;
        collector.reset();
        return true;
    }
    auto kind = BodyFraming::Kind::until_end;
    if (bodyless)
        kind = BodyFraming::Kind::none;
    else if (head.chunked)
        kind = BodyFraming::Kind::chunked;
    else if (head.content_length)
        kind = BodyFraming::Kind::length;
    framing.begin(kind, kind == BodyFraming::Kind::length ? *head.content_length : 0);
    phase = Phase::body;
    events->response_head(head);
    return begin_body();
}

// A body of no bytes ends with its head.
bool ResponseParser::State::begin_body() noexcept {
    const bool complete = framing.take({}).verdict == BodyFraming::Verdict::complete;
    if (machine.message_complete() != complete) return false;
    if (!complete) return true;
    phase = Phase::complete;
    events->response_complete();
    return true;
}

bool ResponseParser::State::feed_body(Bytes& bytes) noexcept {
    const BodyFraming::Step step = framing.take(bytes);
    if (step.verdict == BodyFraming::Verdict::malformed) return false;
    if (!machine.read_body(bytes.substr(0, step.taken_bytes), *this)) return false;
    bytes.remove_prefix(step.taken_bytes);
    const bool complete = step.verdict == BodyFraming::Verdict::complete;
    if (machine.message_complete() != complete) return false;
    if (!complete) return true;
    phase = Phase::complete;
    events->response_complete();
    return true;
}

Status ResponseParser::finish(ResponseEvents& events) noexcept {
    State& state = *state_;
    if (state.phase == State::Phase::complete) return {};
    if (state.phase == State::Phase::failed) return malformed;
    const bool until_end = state.framing.kind() == BodyFraming::Kind::until_end;
    if (state.phase != State::Phase::body || !until_end || !state.machine.finish()) {
        state.phase = State::Phase::failed;
        return Error{.code = ErrorCode::peer_closed, .source = ErrorSource::provider};
    }
    state.phase = State::Phase::complete;
    events.response_complete();
    return {};
}

bool ResponseParser::complete() const noexcept {
    return state_->phase == State::Phase::complete;
}

bool ResponseParser::reusable() const noexcept {
    return complete() && state_->head.keep_alive && state_->framing.kind() != BodyFraming::Kind::until_end;
}

}  // namespace nodex::http
