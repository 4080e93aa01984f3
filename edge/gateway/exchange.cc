// The life of an exchange: phases, the connection's callbacks, leaving.
#include "edge/gateway/exchange.h"

#include <array>

#include "edge/gateway/gateway.h"

namespace nodex::gateway {

Exchange::Exchange(Gateway& gateway, std::uint32_t slot)
    : gateway_(gateway), slot_(slot), watch_(gateway, *this) {}

Exchange::~Exchange() {
    NX_ASSERT(phase_ == Phase::idle);
}

const char* name(Exchange::Phase phase) noexcept {
    switch (phase) {
        case Exchange::Phase::idle: return "idle";
        case Exchange::Phase::reading: return "reading";
        case Exchange::Phase::querying: return "querying";
        case Exchange::Phase::reserving: return "reserving";
        case Exchange::Phase::claiming: return "claiming";
        case Exchange::Phase::running: return "running";
        case Exchange::Phase::following: return "following";
        case Exchange::Phase::answering: return "answering";
        case Exchange::Phase::leaving: return "leaving";
    }
    return "unknown";
}

bool Exchange::may_follow(Phase from, Phase to) noexcept {
    static constexpr std::array<std::array<bool, 9>, 9> table{{
        //               idle   readng query  resrv  claim  runng  follow answer leave
        /* idle */ {{false, true, false, false, false, false, false, false, false}},
        /* reading */ {{false, false, true, true, true, false, false, true, true}},
        /* querying */ {{false, false, false, false, false, false, false, true, true}},
        /* reserving */ {{false, false, false, false, true, false, false, true, true}},
        /* claiming */ {{false, false, false, true, true, true, true, true, true}},
        /* running */ {{false, false, false, false, false, false, true, true, true}},
        /* following */ {{false, false, false, true, true, false, false, true, true}},
        /* answering */ {{false, false, false, false, false, false, false, false, true}},
        /* leaving */ {{true, false, false, false, false, false, false, false, false}},
    }};
    return table[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}

void Exchange::enter(Phase next) noexcept {
    NX_ASSERT(may_follow(phase_, next));
    phase_ = next;
    stage_ns_ = gateway_.loop().now_ns();
}

std::uint64_t Exchange::begin(ServerConnection& connection,
                              const http::RequestHead& head) noexcept {
    connection_ = &connection;
    connection.exchange = this;
    enter(Phase::reading);
    began_ns_ = stage_ns_;
    directory_ = gateway_.directory();
    settings_ = gateway_.settings();
    gateway_.metrics().requests.add();
    const std::uint64_t body_bytes_max = settings_->body_bytes_max;
    read_head(head);  // an early answer ends this exchange
    return route_ == Route::chat_completions ? body_bytes_max : limits::drain_bytes_max;
}

void Exchange::body(Bytes bytes) noexcept {
    if (route_ == Route::chat_completions) body_.append(bytes);  // no other route has a use for one
}

void Exchange::body_complete() noexcept {
    body_complete_ns_ = gateway_.loop().now_ns();
    if (route_ == Route::chat_completions)
        admit();
    else
        serve_free();
}

void Exchange::writable() noexcept {
    if (phase_ == Phase::running) run_->client_writable();
    if (phase_ == Phase::following && !read_.in_flight()) follow_on();
}

void Exchange::abandoned() noexcept {
    NX_ASSERT(connection_ != nullptr);
    connection_->exchange = nullptr;
    connection_ = nullptr;
    gateway_.metrics().client_gone.add();
    if (status_ == 0) status_ = 499;  // nginx's number for a client that went away: for logs only
    leave();
}

// The response is with the connection, which serves the next request without us.
void Exchange::response_done() noexcept {
    connection_ = nullptr;
    leave();
}

// The client's side is over: ask whatever is in flight to end, join it, then return to the pool.
void Exchange::leave() noexcept {
    if (phase_ == Phase::leaving) return;
    Run* const running = phase_ == Phase::running ? run_ : nullptr;
    const bool claiming = phase_ == Phase::claiming;
    enter(Phase::leaving);
    gateway_.loop().timers().cancel(heartbeat_timer_);
    watch_.end();
    if (running != nullptr) {
        run_ = nullptr;
        running->client_gone();
    }
    // A claim under way may still be granted: claim_done() then releases it.
    if (!claiming) drop_reservation();
    leave_join();
}

void Exchange::leave_join() noexcept {
    if (phase_ != Phase::leaving) return;
    if (claim_.in_flight() || read_.in_flight() || remote_.in_flight() || ask_.in_flight() ||
        claim_ask_.in_flight() || copy_ask_.in_flight() || query_operation_.in_flight())
        return;
    if (watch_.phase() != Watch::Phase::idle) return;
    log_request();
    give_back_rates();
    enter(Phase::idle);
    reset();
    gateway_.give_back(*this);
}

// Back to the state of a new object, keeping the memory of small buffers.
void Exchange::reset() noexcept {
    constexpr std::size_t kept_bytes_max = 8'192;
    NX_ASSERT(run_ == nullptr && !reserved_);
    route_ = Route::none;
    for (std::string* text : {&path_, &query_, &request_id_hex_, &session_text_, &key_text_,
                              &model_id_, &body_, &gathered_, &outgoing_}) {
        if (text->capacity() > kept_bytes_max) std::string().swap(*text);
        text->clear();
    }
    session_ = {};
    session_given_ = key_given_ = sdk_ = sdk_retry_ = anthropic_ = false;
    directory_.reset();
    settings_.reset();
    key_ = nullptr;
    model_ = nullptr;
    on_disconnect_.reset();
    last_event_.reset();
    chat_ = {};
    amount_ = 0;
    account_lease_ = key_lease_ = nullptr;
    counted_running_ = tokens_held_ = false;
    tokens_taken_ = 0;
    rate_requests_.reset();
    rate_tokens_.reset();
    ask_when_free_ = false;
    otherwise_ = {};
    claim_attempts_ = 0;
    reader_.reset();
    answer_.reset();
    elsewhere_.reset();
    remote_.request = {};
    remote_.reply = {};
    chunk_next_ = chunks_known_ = 0;
    replay_ = joined_ = false;
    replayed_events_ = 0;
    last_was_error_ = false;
    status_ = 0;
    stream_begun_ = false;
    error_code_ = api::Code::count;
    charged_ = 0;
    bytes_out_ = 0;
    body_complete_ns_ = 0;
    claim_.outcome = {};
    read_.chunks.clear();
}

}  // namespace nodex::gateway
