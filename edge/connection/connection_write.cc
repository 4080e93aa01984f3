// From responses to bytes: framing, early answers, the end of an exchange.
#include <array>
#include <charconv>

#include "edge/connection/connection_state.h"
#include "edge/http/response_writer.h"

namespace nodex {
namespace {

bool may_have_body(int status) noexcept {
    return status >= 200 && status != 204 && status != 304;
}

}  // namespace

// An early answer keeps the connection only if what is still to come is known and small. A client that waits
// for 100 may or may not send its body: never keep that one.
bool ServerConnection::State::keeps_open(const Response& response) const noexcept {
    if (!keep_open || draining || peer_ended) return false;
    if (format_of(response) == BodyFormat::until_close) return false;
    if (request == Request::whole) return true;
    if (expects_continue || request_chunked) return false;
    return request_remaining <= limits::drain_bytes_max;
}

BodyFormat ServerConnection::State::format_of(const Response& response) const noexcept {
    if (head_request || !may_have_body(response.status)) return BodyFormat::none;
    if (response.content_length >= 0) return BodyFormat::sized;
    return http10 ? BodyFormat::until_close : BodyFormat::chunked;
}

void ServerConnection::State::begin(const Response& response) noexcept {
    if (is_over()) return;
    NX_ASSERT(answer == Answer::awaited);
    format = format_of(response);
    keep_open = keeps_open(response);
    answer = Answer::begun;
    if (phase == Phase::reading_body) enter(Phase::responding);

    thread_local std::string head;  // copied by the channel; no connection holds one of its own
    head.clear();
    http::HeadWriter writer = http::HeadWriter::response(head, response.status);
    head.append(response.fields);
    if (format == BodyFormat::chunked) writer.field("transfer-encoding", "chunked");
    // An answer to HEAD says what GET would have: RFC 9110 section 8.6.
    const bool says_length = format == BodyFormat::sized || (head_request && may_have_body(response.status));
    if (says_length && response.content_length >= 0)
        writer.field("content-length", static_cast<std::uint64_t>(response.content_length));
    if (!keep_open)
        writer.field("connection", "close");
    else if (http10)
        writer.field("connection", "keep-alive");
    writer.end();
    content_remaining = format == BodyFormat::sized ? static_cast<std::uint64_t>(response.content_length) : 0;
    channel.write(head);
    if (!stall_watched) watch();
}

void ServerConnection::State::write(Bytes body) noexcept {
    if (is_over() || body.empty()) return;
    NX_ASSERT(answer == Answer::begun);
    switch (format) {
        case BodyFormat::none: return;
        case BodyFormat::until_close: channel.write(body); break;
        case BodyFormat::sized:
            NX_ASSERT(body.size() <= content_remaining);
            content_remaining -= body.size();
            channel.write(body);
            break;
        case BodyFormat::chunked: {
            std::array<char, 18> line;  // 16 digits, CR, LF
            char* at = std::to_chars(line.data(), line.data() + 16, body.size(), 16).ptr;
            *at++ = '\r';
            *at++ = '\n';
            channel.write(Bytes(line.data(), static_cast<std::size_t>(at - line.data())));
            channel.write(body);
            channel.write("\r\n");
            break;
        }
    }
    if (!stall_watched) watch();
}

void ServerConnection::State::finish() noexcept {
    if (is_over()) return;
    NX_ASSERT(answer == Answer::begun);
    NX_ASSERT(content_remaining == 0);
    if (format == BodyFormat::chunked) channel.write("0\r\n\r\n");
    end_exchange();
}

void ServerConnection::State::end_exchange() noexcept {
    self.exchange = nullptr;
    ++responses_sent_due;
    at_turn_end<&State::take_held>(loop, held_task, this);
    if (!keep_open || draining || peer_ended) {
        answer = Answer::none;
        return close();
    }
    if (request == Request::whole) {
        request = Request::none;
        answer = Answer::none;
        enter(Phase::reading_head);
    } else {
        answer = Answer::finished;  // the small rest of a body is still to come
        enter(Phase::reading_body);
    }
    watch();
}

void ServerConnection::State::channel_writable() noexcept {
    if (phase == Phase::responding && answer == Answer::begun) handler.response_writable(self);
}

}  // namespace nodex
