// From bytes to requests: feeding the parser, read-ahead, refusals.
#include "edge/connection/connection_state.h"

namespace nodex {

void ServerConnection::State::channel_opened() noexcept {
    NX_ASSERT(phase == Phase::handshaking);
    enter(Phase::reading_head);
    if (draining) return close();
    watch();
}

void ServerConnection::State::channel_received(Bytes bytes) noexcept {
    if (phase == Phase::closing) return;
    // Bytes that wait go first, whatever has been answered meanwhile.
    if (held.empty())
        take(bytes);
    else
        hold(bytes);
    if (phase != Phase::closing) watch();
}

void ServerConnection::State::take(Bytes bytes) noexcept {
    while (!bytes.empty() && phase != Phase::closing) {
        if (input == Input::discarding) return discard(bytes.size());
        if (request == Request::whole) return hold(bytes);
        const http::RequestParser::Progress progress = parser.feed(bytes, *this);
        bytes.remove_prefix(progress.consumed);
        if (progress.refusal != http::Refusal::none && phase != Phase::closing) refuse(progress.refusal);
    }
    if (phase != Phase::reading_head || !parser.in_head() || head_wait == HeadWait::begun) return;
    head_wait =
        HeadWait::begun;  // from the first byte of a head its own deadline runs, however slowly it comes
    release_ns = INT64_MAX;
    deadline_ns = loop.now_ns() + limits::head_deadline;
}

// Read-ahead of pipelined requests: one more head at most, then the kernel's window closes.
void ServerConnection::State::hold(Bytes bytes) noexcept {
    held.append(bytes);
    if (held.size() >= limits::head_bytes_max) channel.pause();
}

void ServerConnection::State::discard(std::size_t bytes_count) noexcept {
    drained_bytes += bytes_count;
    if (drained_bytes <= limits::drain_bytes_max) return;
    if (answer == Answer::awaited || answer == Answer::begun)
        channel.pause();  // the answer is still on its way out
    else
        close();
}

// At the end of a turn in which a response was finished.
void ServerConnection::State::take_held() noexcept {
    tell_responses_sent();
    if (phase == Phase::closing || phase == Phase::idle || request == Request::whole) return;
    if (!held.empty()) {
        std::string bytes;
        bytes.swap(held);
        channel.resume();
        take(bytes);
    }
    if (phase == Phase::closing) return;
    if (peer_ended && answer == Answer::none) return close();  // half a head, and the rest will never come
    watch();
}

void ServerConnection::State::tell_responses_sent() noexcept {
    for (; responses_sent_due > 0; --responses_sent_due) handler.response_sent(self);
}

std::uint64_t ServerConnection::State::request_head(const http::RequestHead& head) noexcept {
    served = true;
    if (phase == Phase::closing) return 0;
    NX_ASSERT(answer == Answer::none);
    request = Request::incoming;
    answer = Answer::awaited;
    head_request = head.method == http::Method::head;
    http10 = head.http10;
    keep_open = head.keep_alive;
    expects_continue = head.expect_continue;
    request_chunked = head.chunked;
    request_remaining = head.content_length.value_or(0);
    drained_bytes = 0;
    enter(Phase::reading_body);
    const std::uint64_t body_bytes_max = handler.request_head(self, head);
    const bool acceptable = head.content_length.value_or(0) <= body_bytes_max;
    if (answer == Answer::awaited && expects_continue && acceptable && phase == Phase::reading_body)
        channel.write("HTTP/1.1 100 Continue\r\n\r\n");
    // Nobody reads the body of an early answer: what it may have is decided in request_body.
    return answer == Answer::awaited ? body_bytes_max : UINT64_MAX;
}

void ServerConnection::State::request_body(Bytes bytes) noexcept {
    if (phase == Phase::closing) return;
    window_bytes += bytes.size();
    if (!request_chunked) request_remaining -= bytes.size();
    if (answer == Answer::awaited) return handler.request_body(self, bytes);
    if (input == Input::parsing) discard(bytes.size());
}

// Answers false always: what follows is looked at when this request has been answered.
bool ServerConnection::State::request_complete() noexcept {
    if (phase == Phase::closing) return false;
    NX_ASSERT(request == Request::incoming);
    if (answer == Answer::finished) {
        request = Request::none;
        answer = Answer::none;
        if (draining)
            close();
        else
            enter(Phase::reading_head);
        return false;
    }
    request = Request::whole;
    if (answer != Answer::awaited) return false;  // an early answer is still being written
    enter(Phase::responding);
    handler.request_complete(self);
    return false;
}

// The request cannot be understood, is too large or came too slowly: one error answer, then the end.
void ServerConnection::State::refuse(http::Refusal refusal) noexcept {
    input = Input::discarding;
    switch (answer) {
        case Answer::finished: return close();
        case Answer::begun: keep_open = false; return;  // the early answer goes on; nothing comes after it
        case Answer::awaited: {
            const bool late = refusal == http::Refusal::timed_out;
            const ErrorCode code = late                                       ? ErrorCode::timed_out
                                   : refusal == http::Refusal::body_too_large ? ErrorCode::limit_exceeded
                                                                              : ErrorCode::malformed;
            handler.request_abandoned(self, {.code = code, .source = ErrorSource::client});
            self.exchange = nullptr;
            break;
        }
        case Answer::none:
            head_request = false;
            http10 = false;
            break;
    }
    answer = Answer::awaited;
    keep_open = false;
    drained_bytes = 0;
    enter(Phase::responding);
    handler.request_refused(self, refusal);
}

}  // namespace nodex
