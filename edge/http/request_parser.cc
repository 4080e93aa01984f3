// Incremental request parser: collect a head, check it, let llhttp agree, then pass the body on.
#include "edge/http/request_parser.h"

#include "edge/base/limits.h"
#include "edge/http/body_framing.h"
#include "edge/http/head_check.h"
#include "edge/http/head_collector.h"
#include "edge/http/llhttp_machine.h"

namespace nodex::http {

// head --> body --> head            any --> refused, until reset()
struct RequestParser::State final : BodySink {
    enum class Phase : std::uint8_t { head, body, refused };

    Phase phase = Phase::head;
    HeadCollector collector{
        {.start_line_bytes_max = limits::request_line_bytes_max, .blank_line_allowed = true}};
    RequestHead head;
    LlhttpMachine machine;
    BodyFraming framing;
    std::uint64_t body_bytes = 0;
    std::uint64_t body_bytes_max = 0;
    RequestEvents* events = nullptr;  // during feed()
    bool body_too_large = false;      // seen inside llhttp's callback

    Progress feed(Bytes bytes) noexcept;
    Refusal feed_head(Bytes& bytes) noexcept;
    Refusal begin_message(Bytes rest) noexcept;
    Refusal feed_body(Bytes& bytes, bool& complete) noexcept;
    void machine_body(Bytes bytes) noexcept override;
    void forget_message() noexcept;
};

RequestParser::RequestParser() : state_(std::make_unique<State>()) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;
RequestParser& RequestParser::operator=(RequestParser&&) noexcept = default;

RequestParser::Progress RequestParser::feed(Bytes bytes, RequestEvents& events) noexcept {
    NX_ASSERT(state_->phase != State::Phase::refused);
    NX_ASSERT(state_->events == nullptr);
    state_->events = &events;
    const Progress progress = state_->feed(bytes);
    state_->events = nullptr;
    if (progress.refusal != Refusal::none) state_->phase = State::Phase::refused;
    return progress;
}

RequestParser::Progress RequestParser::State::feed(Bytes bytes) noexcept {
    const std::size_t given_bytes = bytes.size();
    Refusal refusal = Refusal::none;
    bool more = true;
    while (more) {
        if (phase == Phase::head) {
            if (bytes.empty()) break;
            refusal = feed_head(bytes);
            if (refusal != Refusal::none || phase == Phase::head) break;
        }
        bool complete = false;
        refusal = feed_body(bytes, complete);
        if (refusal != Refusal::none || !complete) break;
        more = events->request_complete();
        forget_message();
    }
    return {given_bytes - bytes.size(), refusal};
}

// Takes bytes of a head; with the last one the phase is body.
Refusal RequestParser::State::feed_head(Bytes& bytes) noexcept {
    for (;;) {
        switch (collector.take(bytes)) {
            case HeadCollector::Step::need_more: bytes = {}; return Refusal::none;
            case HeadCollector::Step::start_line: {
                const Refusal refusal = check_request_line(collector.start_line(), head);
                if (refusal != Refusal::none) return refusal;
                continue;
            }
            case HeadCollector::Step::complete:
                bytes.remove_prefix(collector.taken_bytes());
                return begin_message(bytes);
            case HeadCollector::Step::malformed: return Refusal::malformed;
            case HeadCollector::Step::line_too_long: return Refusal::target_too_long;
            case HeadCollector::Step::too_large: return Refusal::head_too_large;
        }
    }
}

// `rest`: what follows the head in this feed. A head whose message ends within it is used where it lies; else
// it is copied before it is read, so that no view of it ever moves under the handler.
Refusal RequestParser::State::begin_message(Bytes rest) noexcept {
    Refusal refusal = check_request_head(collector.head(), head);
    if (refusal != Refusal::none) return refusal;
    if (head.chunked || head.content_length.value_or(0) > rest.size()) {
        const Bytes lent = collector.head();
        collector.keep();
        if (collector.head().data() != lent.data()) refusal = check_request_head(collector.head(), head);
        NX_ASSERT(refusal == Refusal::none);
    }
    if (!machine.read_head(LlhttpMachine::Kind::request, collector.head(), LlhttpMachine::Body::as_framed))
        return Refusal::malformed;
    // Two readers that disagree on where a body ends are what smuggling is made of.
    if (machine.chunked() != head.chunked) return Refusal::malformed;
    if (machine.content_length() != head.content_length) return Refusal::malformed;
    if (machine.message_complete() == head.has_body()) return Refusal::malformed;

    const auto kind = head.chunked ? BodyFraming::Kind::chunked : BodyFraming::Kind::length;
    framing.begin(kind, head.content_length.value_or(0));
    phase = Phase::body;
    body_bytes = 0;
    body_bytes_max = events->request_head(head);
    if (head.content_length.value_or(0) > body_bytes_max) return Refusal::body_too_large;
    return Refusal::none;
}

Refusal RequestParser::State::feed_body(Bytes& bytes, bool& complete) noexcept {
    const BodyFraming::Step step = framing.take(bytes);
    if (step.verdict == BodyFraming::Verdict::malformed) return Refusal::malformed;
    complete = step.verdict == BodyFraming::Verdict::complete;
    if (step.taken_bytes > 0) {
        const bool agreed = machine.read_body(bytes.substr(0, step.taken_bytes), *this);
        bytes.remove_prefix(step.taken_bytes);
        if (body_too_large) return Refusal::body_too_large;
        if (!agreed) return Refusal::malformed;
    }
    return machine.message_complete() == complete ? Refusal::none : Refusal::malformed;
}

void RequestParser::State::machine_body(Bytes bytes) noexcept {
    body_bytes += bytes.size();
    if (body_bytes > body_bytes_max) body_too_large = true;
    if (!body_too_large) events->request_body(bytes);
}

void RequestParser::State::forget_message() noexcept {
    phase = Phase::head;
    collector.reset();
    head.fields.clear();
}

bool RequestParser::between_requests() const noexcept {
    return state_->phase == State::Phase::head && state_->collector.empty();
}

bool RequestParser::in_head() const noexcept {
    return state_->phase == State::Phase::head && !state_->collector.empty();
}

void RequestParser::reset() noexcept {
    NX_ASSERT(state_->events == nullptr);
    state_->forget_message();
    state_->body_too_large = false;
}

void RequestParser::release_buffers() noexcept {
    NX_ASSERT(between_requests());
    state_->collector.release();
    std::vector<FieldLine>().swap(state_->head.fields);
}

}  // namespace nodex::http
