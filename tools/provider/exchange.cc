// Delivering an answer and its faults over a ServerConnection.
#include "tools/provider/exchange.h"

#include <algorithm>

#include "edge/api/json_text.h"
#include "edge/http/response_writer.h"

namespace nodex::provider {
namespace {

// What was written before a reset has to leave first.
constexpr Nanoseconds reset_delay = 20 * millisecond;

bool is_cut(const Directives& directives) noexcept {
    return directives.cut_after.has_value() || directives.cut_bytes.has_value();
}

Nanoseconds from_ms(std::uint64_t ms) noexcept { return static_cast<Nanoseconds>(ms) * millisecond; }

// The next chunk of a stream that will be cut, framed; false where the cut is. `payload_bytes` counts what is
// inside of the frames.
bool append_cut_part(Answer& answer, std::uint64_t& payload_bytes, std::string& target) {
    const Directives& directives = answer.plan().directives;
    if (directives.cut_after && answer.events_count() >= *directives.cut_after) return false;
    if (directives.cut_bytes && payload_bytes >= *directives.cut_bytes) return false;
    std::string event;
    if (!answer.next_event(event)) return false;
    if (directives.cut_bytes)
        event.resize(std::min<std::size_t>(event.size(), *directives.cut_bytes - payload_bytes));
    payload_bytes += event.size();
    http::append_chunk(target, event);
    return true;
}

}  // namespace

void Exchange::enter(Phase phase) noexcept {
    NX_ASSERT((phase == Phase::idle) == (connection_ == nullptr));
    phase_ = phase;
}

void Exchange::wait_until(Phase phase, Nanoseconds deadline_ns) noexcept {
    enter(phase);
    start_timer<&Exchange::timer_fired>(loop_.timers(), timer_, deadline_ns, this);
}

std::uint64_t Exchange::first_token_ms() const noexcept {
    return directives().first_token_ms.value_or(defaults_.first_token_ms);
}
std::uint64_t Exchange::pace_ms() const noexcept { return directives().pace_ms.value_or(defaults_.pace_ms); }

void Exchange::start(ServerConnection& connection, AnswerPlan plan) noexcept {
    NX_ASSERT(phase_ == Phase::idle);
    connection_ = &connection;
    answer_.emplace(std::move(plan));
    pending_.clear();
    written_ = 0;
    payload_bytes_ = 0;
    silence_kept_ = false;
    if (directives().hang) return enter(Phase::stuck);
    std::uint64_t wait_ms = directives().slow_head.value_or(first_token_ms());
    const std::uint64_t tokens = answer_->plan().tokens_count;
    if (!answer_->plan().stream && tokens > 1) wait_ms += pace_ms() * (tokens - 1);
    if (directives().status || directives().redirect || directives().bad_status_line)
        wait_ms = directives().slow_head.value_or(0);
    if (wait_ms > 0) return wait_until(Phase::waiting, loop_.now_ns() + from_ms(wait_ms));
    enter(Phase::waiting);
    answer();
}

void Exchange::timer_fired() noexcept {
    switch (phase_) {
        case Phase::waiting: return answer();
        case Phase::pacing: enter(Phase::streaming); return pump();
        case Phase::ending: connection_->cut(); return end(false);
        case Phase::idle:
        case Phase::streaming:
        case Phase::stuck: break;
    }
    NX_ASSERT(phase_ == Phase::pacing);  // no timer runs in the others
}

void Exchange::writable() noexcept {
    if (phase_ == Phase::streaming) pump();
}

void Exchange::abandoned() noexcept { end(false); }

void Exchange::cut() noexcept {
    connection_->cut();
    end(false);
}

void Exchange::answer() noexcept {
    if (directives().bad_status_line) return answer_with_bad_status_line();
    if (directives().redirect) return answer_with_status(307);
    if (directives().status) return answer_with_status(static_cast<int>(*directives().status));
    if (answer_->plan().stream) return begin_stream();
    answer_whole();
}

std::string Exchange::fields(Bytes content_type) const {
    std::string lines = "content-type: ";
    lines.append(directives().wrong_content_type ? Bytes("text/html") : content_type).append("\r\n");
    lines += "x-request-id: req-" + std::to_string(answer_->plan().call_number) + "\r\n";
    lines += "openai-organization: nodex-provider\r\nx-ratelimit-remaining-requests: 9999\r\n";
    if (directives().gzip_lie) lines += "content-encoding: gzip\r\n";
    if (directives().retry_after)
        lines += "retry-after: " + std::to_string(*directives().retry_after) + "\r\n";
    return lines;
}

void Exchange::answer_with_status(int status) noexcept {
    std::string message = directives().body_text.empty() ? "Failed on request." : directives().body_text;
    std::replace(message.begin(), message.end(), '_', ' ');
    std::string body = "{\"error\":{\"message\":";
    api::append_json_string(body, message);
    body += status < 500 ? ",\"type\":\"invalid_request_error\"" : ",\"type\":\"server_error\"";
    body += ",\"param\":null,\"code\":null}}";
    std::string lines = fields("application/json");
    if (directives().redirect) lines += "location: http://127.0.0.1:1/v1/chat/completions\r\n";
    connection_->respond(status, lines, body);
    end(true);
}

// The connection writes correct HTTP only. An interim answer whose fields end it early lets anything follow.
void Exchange::answer_with_bad_status_line() noexcept {
    connection_->drain();
    connection_->begin({.status = 100, .fields = "\r\nHTTP/9.9 banana split\r\n"});
    connection_->finish();
    end(true);
}

// A body whose framing is our own affair: the connection's own content-length becomes the value of a field
// without meaning, and the connection closes in an orderly way behind `total_bytes` of whatever is written.
void Exchange::begin_framed(std::string lines, std::uint64_t total_bytes) noexcept {
    lines += "x-provider-framing: ";
    connection_->drain();
    connection_->begin(
        {.status = 200, .fields = lines, .content_length = static_cast<std::int64_t>(total_bytes)});
}

void Exchange::answer_whole() noexcept {
    enter(Phase::streaming);
    pending_ = answer_->body();
    std::string lines = fields("application/json");
    if (directives().cut_bytes || directives().extra_bytes) {
        lines += "content-length: " + std::to_string(pending_.size()) + "\r\n";
        if (directives().cut_bytes && *directives().cut_bytes < pending_.size())
            pending_.resize(static_cast<std::size_t>(*directives().cut_bytes));
        pending_.append(static_cast<std::size_t>(directives().extra_bytes.value_or(0)), 'Z');
        begin_framed(std::move(lines), pending_.size());
    } else {
        connection_->begin(
            {.status = 200, .fields = lines, .content_length = static_cast<std::int64_t>(pending_.size())});
    }
    pump();
}

void Exchange::begin_stream() noexcept {
    enter(Phase::streaming);
    std::string lines = fields("text/event-stream; charset=utf-8");
    lines += "cache-control: no-cache\r\n";
    if (is_cut(directives())) {
        Answer rehearsal = *answer_;
        std::string framed;
        std::uint64_t payload_bytes = 0, total_bytes = 0;
        while (append_cut_part(rehearsal, payload_bytes, framed)) {
            total_bytes += framed.size();
            framed.clear();
        }
        lines += "transfer-encoding: chunked\r\n";
        begin_framed(std::move(lines), total_bytes);
    } else {
        connection_->begin({.status = 200, .fields = lines});
    }
    due_ns_ = loop_.now_ns() + (directives().slow_head ? from_ms(first_token_ms()) : 0);
    pump();
}

// Writes until there is nothing more to write now: the reader is slow, the pace says so, or it is the end.
void Exchange::pump() noexcept {
    while (phase_ == Phase::streaming) {
        if (written_ < pending_.size()) {
            if (!write_piece()) return;
            continue;
        }
        pending_.clear();
        written_ = 0;
        if (!answer_->plan().stream) return complete();
        if (commits_fault()) return;
        if (answer_->starts_round()) {
            if (loop_.now_ns() < due_ns_) return wait_until(Phase::pacing, due_ns_);
            due_ns_ = std::max(due_ns_ + from_ms(pace_ms()), loop_.now_ns());
        }
        if (!next_part()) return complete();
    }
}

// False: go on later. Pieces leave in turns of their own, hence in sends of their own.
bool Exchange::write_piece() noexcept {
    if (!connection_->writable()) return false;
    const std::size_t size = piece_size();
    connection_->write(Bytes(pending_).substr(written_, size));
    written_ += size;
    const bool whole = !directives().chunk_bytes && !directives().split_utf8;
    if (!whole) wait_until(Phase::pacing, loop_.now_ns());
    return whole;
}

std::size_t Exchange::piece_size() const noexcept {
    const std::size_t left = pending_.size() - written_;
    if (directives().chunk_bytes) return std::min<std::size_t>(left, *directives().chunk_bytes);
    if (!directives().split_utf8) return left;
    for (std::size_t index = written_; index < pending_.size(); ++index)
        if (static_cast<unsigned char>(pending_[index]) >= 0xc2)
            return index + 1 - written_;  // behind a lead octet
    return left;
}

bool Exchange::next_part() noexcept {
    if (is_cut(directives())) return append_cut_part(*answer_, payload_bytes_, pending_);
    return answer_->next_event(pending_);
}

bool Exchange::commits_fault() noexcept {
    const std::uint64_t events = answer_->events_count();
    if (directives().hang_after && events >= *directives().hang_after) {
        enter(Phase::stuck);
        return true;
    }
    if (directives().reset_after && events >= *directives().reset_after) {
        wait_until(Phase::ending, loop_.now_ns() + reset_delay);
        return true;
    }
    if (directives().silence_after && events == *directives().silence_after && !silence_kept_) {
        silence_kept_ = true;
        wait_until(Phase::pacing, loop_.now_ns() + from_ms(directives().silence_ms));
        return true;
    }
    return false;
}

void Exchange::complete() noexcept {
    connection_->finish();
    end(true);
}

void Exchange::end(bool finished) noexcept {
    loop_.timers().cancel(timer_);
    if (finished)
        counters_.finish();
    else
        counters_.abandon();
    connection_ = nullptr;
    answer_.reset();
    if (pending_.capacity() > 64 * 1024) std::string().swap(pending_);
    enter(Phase::idle);
    if (owner_ != nullptr) owner_->exchange_over(*this);
}

}  // namespace nodex::provider
