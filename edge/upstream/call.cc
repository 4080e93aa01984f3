// One attempt at one endpoint.
#include <algorithm>
#include <utility>

#include "edge/base/limits.h"
#include "edge/upstream/request_head.h"
#include "edge/upstream/upstream_state.h"

namespace nodex::upstream {
namespace {

// A request's buffer above this size is given back instead of being kept for the next one.
constexpr std::size_t request_bytes_kept_max = 4 * 1024;

}  // namespace

struct Call::State final : Exchange {
    // idle --> refused (told at the end of the turn) --> idle
    // idle --> running --> idle
    enum class Phase : std::uint8_t { idle, refused, running };

    State(Upstream& owner, CallEvents& owner_events) noexcept
        : upstream(*owner.state_), events(owner_events) {}

    void start(std::size_t endpoint, const RequestParts& parts, Nanoseconds end_ns) noexcept;
    void refuse(Error error) noexcept;
    void refuse_done() noexcept;
    void cancel() noexcept;
    void forget() noexcept;

    Bytes request() noexcept override { return message; }
    void answer_head(const http::ResponseHead& head) noexcept override;
    void answer_body(Bytes bytes) noexcept override { events.call_body(bytes); }
    void answer_complete() noexcept override;
    void answer_failed(Error error, Delivery delivery) noexcept override;

    Upstream::State& upstream;
    CallEvents& events;
    Phase phase = Phase::idle;
    Pool* pool = nullptr;              // running: where it went; outlives its connections
    Connection* connection = nullptr;  // running
    Deadlines deadlines;               // running
    std::string message;               // running: head and body, for a second try on a fresh connection
    bool probe = false;                // running: it probes an ejected endpoint
    Error refusal;                     // refused
    TurnTask refuse_task;
};

Call::Call(Upstream& upstream, CallEvents& events) noexcept
    : state_(std::make_unique<State>(upstream, events)) {}

Call::~Call() { NX_ASSERT(idle()); }

void Call::start(std::size_t endpoint, Bytes path, Bytes body, bool stream, Bytes request_id,
                 Nanoseconds end_ns) noexcept {
    state_->start(endpoint, {.path = path, .body = body, .stream = stream, .request_id = request_id}, end_ns);
}

void Call::pause() noexcept {
    if (state_->phase == State::Phase::running) state_->connection->pause();
}

void Call::resume() noexcept {
    if (state_->phase == State::Phase::running) state_->connection->resume();
}

void Call::cancel() noexcept { state_->cancel(); }

bool Call::idle() const noexcept { return state_->phase == State::Phase::idle; }

void Call::State::start(std::size_t endpoint, const RequestParts& parts, Nanoseconds end_ns) noexcept {
    NX_ASSERT(phase == Phase::idle);
    NX_ASSERT(endpoint < upstream.slots.size());
    pool = upstream.slots[endpoint].pool.get();
    if (pool == nullptr) return refuse({ErrorCode::unavailable, ErrorSource::configuration, true});
    if (!pool->usable()) return refuse({ErrorCode::bad_configuration, ErrorSource::configuration, true});

    const EndpointConfig& config = *pool->config();
    const Nanoseconds now_ns = upstream.loop.now_ns();
    deadlines = {.connect_ns = config.connect_timeout,
                 .first_byte_ns = config.first_byte_timeout,
                 .idle_ns = config.idle_timeout,
                 .end_ns = std::min(now_ns + config.total_timeout, end_ns)};
    append_request(message, config, parts);
    connection = pool->reuse(*this, deadlines);
    if (connection == nullptr) connection = pool->open(*this, deadlines);
    if (connection == nullptr) return refuse({ErrorCode::limit_exceeded, ErrorSource::self, true});

    phase = Phase::running;
    ++pool->requests_count;
    probe = pool->health.standing(now_ns) == Standing::probe_due;
    if (probe) pool->health.start_probe(now_ns, config.connect_timeout + config.first_byte_timeout);
}

void Call::State::refuse(Error error) noexcept {
    forget();
    phase = Phase::refused;
    refusal = error;
    at_turn_end<&Call::State::refuse_done>(upstream.loop, refuse_task, this);
}
void Call::State::refuse_done() noexcept {
    if (phase != Phase::refused) return;  // cancelled meanwhile
    phase = Phase::idle;
    events.call_failed(refusal, false);
}

void Call::State::cancel() noexcept {
    if (phase == Phase::running) {
        if (probe) pool->health.give_up_probe(upstream.loop.now_ns());
        connection->abandon();
    }
    forget();
}

void Call::State::forget() noexcept {
    phase = Phase::idle;
    pool = nullptr;
    connection = nullptr;
    probe = false;
    message.clear();
    if (message.capacity() > request_bytes_kept_max) std::string().swap(message);
}

// The provider has the request, so there will be no second try: what it took is not held while a stream
// runs.
void Call::State::answer_head(const http::ResponseHead& head) noexcept {
    if (!head.content_length) std::string().swap(message);
    events.call_head(head);
}

void Call::State::answer_complete() noexcept {
    NX_ASSERT(phase == Phase::running);
    forget();
    events.call_complete();  // last: the owner may start the next attempt, or destroy this one
}

void Call::State::answer_failed(Error error, Delivery delivery) noexcept {
    NX_ASSERT(phase == Phase::running);
    // The provider had closed a pooled connection before it took a byte of this request: nobody has seen
    // it, so it goes once more, on a fresh connection (which is not `reused`: there is no third try).
    // Where the kernel did take a byte, the model may run, and only the owner may decide about a retry.
    if (connection->reused() && delivery == Delivery::impossible) {
        connection = pool->open(*this, deadlines);
        if (connection != nullptr) return;
        error = {ErrorCode::limit_exceeded, ErrorSource::self, true};
    }
    if (error.source == ErrorSource::provider || error.source == ErrorSource::tls)
        upstream.note_failure(*pool, error);
    else if (probe)
        pool->health.give_up_probe(upstream.loop.now_ns());
    forget();
    events.call_failed(error, delivery == Delivery::possible);  // last, as above
}

}  // namespace nodex::upstream
