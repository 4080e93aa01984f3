// The inside of ServerConnection, shared by its files: connection_read.cc (bytes to requests),
// connection_write.cc (responses to bytes), connection_close.cc (phases, deadlines, every way it ends).
#pragma once
#include <string>

#include "edge/base/limits.h"
#include "edge/connection/server_connection.h"
#include "edge/http/request_parser.h"

namespace nodex {

// How much of the request has come. none --> incoming --> whole --> none
enum class Request : std::uint8_t { none, incoming, whole };

// Where the answer stands.
//   none --> awaited --> begun --> none                 the usual way
//                          \--> finished --> none       an early answer: the rest of the body is drained
enum class Answer : std::uint8_t { none, awaited, begun, finished };

// What to do with received bytes. discarding: nothing after this may be believed (a refused request, a body
// nobody wants), or no further request is wanted.
enum class Input : std::uint8_t { parsing, discarding };

// What the wait for a head has come to. quiet --> released --> begun, or quiet --> begun
enum class HeadWait : std::uint8_t { quiet, released, begun };  // released: the parser's memory is given back

enum class BodyFormat : std::uint8_t { none, sized, chunked, until_close };

struct ServerConnection::State final : ChannelOwner, http::RequestEvents {
    State(ServerConnection& self_arg, Loop& loop_arg, RequestHandler& handler_arg,
          ServerConnectionOwner& owner_arg)
        : self(self_arg), loop(loop_arg), handler(handler_arg), owner(owner_arg), channel(loop_arg, *this) {}

    // connection_read.cc
    void channel_opened() noexcept override;
    void channel_received(Bytes bytes) noexcept override;
    std::uint64_t request_head(const http::RequestHead& head) noexcept override;
    void request_body(Bytes bytes) noexcept override;
    bool request_complete() noexcept override;
    void take(Bytes bytes) noexcept;
    void hold(Bytes bytes) noexcept;
    void discard(std::size_t bytes_count) noexcept;
    void refuse(http::Refusal refusal) noexcept;
    void take_held() noexcept;
    void tell_responses_sent() noexcept;

    // connection_write.cc
    void begin(const Response& response) noexcept;
    void write(Bytes body) noexcept;
    void finish() noexcept;
    void end_exchange() noexcept;
    // The client is gone; what a handler still writes in this turn has no effect.
    [[nodiscard]] bool is_over() const noexcept { return phase == Phase::closing || phase == Phase::idle; }
    void channel_writable() noexcept override;
    [[nodiscard]] bool keeps_open(const Response& response) const noexcept;
    [[nodiscard]] BodyFormat format_of(const Response& response) const noexcept;

    // connection_close.cc
    void enter(Phase next) noexcept;
    void channel_ended() noexcept override;
    void channel_closed(Error error) noexcept override;
    void close() noexcept;
    void abandon(Error reason) noexcept;
    void abort(Error reason) noexcept;
    void watch() noexcept;
    void deadline_passed() noexcept;
    void phase_deadline_passed() noexcept;
    [[nodiscard]] bool reader_stalls() noexcept;

    ServerConnection& self;
    Loop& loop;
    RequestHandler& handler;
    ServerConnectionOwner& owner;
    Channel channel;
    http::RequestParser parser;
    std::string held;    // received behind the request being answered; parsed when it is answered
    TurnTask held_task;  // queued: held is to be parsed

    Phase phase = Phase::idle;
    Request request = Request::none;
    Answer answer = Answer::none;
    HeadWait head_wait = HeadWait::quiet;  // in reading_head
    Input input = Input::parsing;
    BodyFormat format = BodyFormat::none;  // of the response that has begun
    bool served = false;                   // a request has come: from here on it is a kept connection
    Nanoseconds keep_alive = limits::keep_alive_deadline;
    bool keep_open = true;                 // after this response
    bool draining = false;                 // no further request
    bool peer_ended = false;               // FIN or close_notify came: no further request can come
    bool head_request = false;             // the answer has no body
    bool http10 = false;
    bool expects_continue = false;
    unsigned responses_sent_due = 0;      // calls of response_sent to make at the end of the turn
    std::uint64_t content_remaining = 0;  // of a sized response
    std::uint64_t request_remaining = 0;  // of a body with Content-Length
    bool request_chunked = false;
    std::uint64_t drained_bytes = 0;  // of a body nobody wants
    std::uint64_t window_bytes = 0;   // of the body, since the deadline was set

    // One timer for everything. It may fire before there is anything to do and is then set again: cheaper
    // than moving it for every request.
    Timer timer;
    Nanoseconds timer_ns = 0;             // when it fires, while armed
    Nanoseconds deadline_ns = INT64_MAX;  // of the phase
    Nanoseconds release_ns = INT64_MAX;   // when a quiet connection gives memory back
    bool stall_watched = false;           // bytes were waiting for the reader when last looked at
    Nanoseconds progress_ns = 0;          // when the reader last took some, as far as we have looked
    std::uint64_t progress_bytes = 0;     // Channel::sent_bytes() then
};

}  // namespace nodex
