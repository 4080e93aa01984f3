// Follow: an answer that exists or is being made: replay, join of a running duplicate, resume. The
// follower reads the stored log (a chunk is durable before any client sees it), so it makes no
// difference whether the run is on this core, on another, or ended before a restart.
#include <algorithm>

#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"
#include "edge/http/sse.h"

namespace nodex::gateway {
namespace {

constexpr std::uint32_t chunks_per_read_max = 64;
constexpr Bytes event_end = "\n\n";

}  // namespace

void Exchange::follow_running(const storage::ClaimOutcome& outcome) noexcept {
    enter(Phase::following);
    replay_ = true;
    gateway_.metrics().joins.add();
    if (last_event_) gateway_.metrics().resumes.add();
    watch_.begin(outcome.owner);
    if (chat_.stream) arm_heartbeat();
}

// The answer is stored: all of it, or what was produced before it ended in an error.
void Exchange::follow_finished(storage::ClaimOutcome& outcome) noexcept {
    enter(Phase::following);
    const storage::Answer& answer = *outcome.answer;
    if (last_event_ && !joined_) {
        if (session_given_ && session_ != answer.session)
            return follow_failed(api::Code::invalid_last_event_id);
        const std::uint64_t events_max = answer.events_count + (answer.complete ? 0 : 1);
        if (*last_event_ > events_max) return follow_failed(api::Code::invalid_last_event_id);
    }
    if (outcome.key_record.empty()) return follow_failed(api::Code::stream_expired);
    if (!session_given_) session_text_ = "ses_" + to_hex(answer.session.view());
    request_id_hex_ = to_hex(answer.request_id.view());
    replay_ = true;
    if (!reader_) {
        gateway_.metrics().replays.add();
        if (last_event_) gateway_.metrics().resumes.add();
    }
    answer_ = std::move(*outcome.answer);
    if (!reader_) begin_follow(answer_->answer, outcome.key_record);
    if (phase_ != Phase::following) return;
    if (chat_.stream && !heartbeat_timer_.armed()) arm_heartbeat();
    follow_on();
}

void Exchange::begin_follow(BodyId answer, const std::string& key_record) noexcept {
    auto reader = gateway_.shared().vault.open_body(key_->account, answer, key_record);
    if (!reader) {
        const ErrorCode why = reader.error().code;
        if (why == ErrorCode::unavailable) return follow_failed(key_away());
        return follow_failed(why == ErrorCode::corrupt ? api::Code::internal_error
                                                       : api::Code::stream_expired);
    }
    reader_.emplace(std::move(*reader));
    answer_body_ = answer;
}

// Reads the next chunks if there are any and the client can take them.
void Exchange::follow_on() noexcept {
    if (phase_ != Phase::following || read_.in_flight()) return;
    if (elsewhere_) return read_elsewhere();
    if (stream_begun_ && !connection_->writable()) return;
    const std::uint32_t chunks_end = answer_ ? answer_->chunks_count : chunks_known_;
    // A joined non-stream answer is read when it is whole.
    if (chunk_next_ >= chunks_end || (!answer_ && !chat_.stream)) {
        if (answer_) return follow_end();
        // What a client has was in the log before: this id names an event that was never made.
        if (watch_.phase() == Watch::Phase::watching && last_event_.value_or(0) > replayed_events_)
            return follow_failed(api::Code::invalid_last_event_id);
        if (watch_.phase() == Watch::Phase::idle)
            claim(true);  // the run has finished: get its record
        return;
    }
    read_.body = answer_body_;
    read_.first = chunk_next_;
    read_.count = std::min(chunks_end - chunk_next_, chunks_per_read_max);
    read_.chunks.clear();
    gateway_.commits().submit(read_, storage::when_done<&Exchange::read_done>(this));
}

void Exchange::read_done() noexcept {
    if (phase_ == Phase::leaving) return leave_join();
    if (phase_ != Phase::following) return;
    if (!read_.status() || read_.chunks.empty()) return follow_failed(api::Code::stream_expired);
    for (const std::string& sealed : read_.chunks)
        if (!take_chunk(sealed, chunk_next_++)) return follow_failed(api::Code::internal_error);
    deliver_gathered();
    follow_on();
}

void Exchange::deliver_gathered() noexcept {
    if (outgoing_.empty()) return;
    if (!stream_begun_) begin_stream();
    connection_->write(outgoing_);
    bytes_out_ += outgoing_.size();
    last_write_ns_ = gateway_.loop().now_ns();
    outgoing_.clear();
}

// Opens one chunk; a stream's whole events behind the resume position go to outgoing_.
bool Exchange::take_chunk(Bytes sealed, std::uint32_t number) noexcept {
    const bool last = answer_ && number + 1 == answer_->chunks_count;
    bool opened = reader_->open(number, last, sealed, gathered_).has_value();
    // A log that a crash cut off has no chunk marked as the last one; its answer says that it is
    // incomplete.
    if (!opened && last && !answer_->complete)
        opened = reader_->open(number, false, sealed, gathered_).has_value();
    if (opened && chat_.stream) take_events();
    return opened;
}

void Exchange::take_events() noexcept {
    std::size_t taken = 0;
    for (std::size_t end = gathered_.find(event_end); end != std::string::npos;
         end = gathered_.find(event_end, taken)) {
        const Bytes event = Bytes(gathered_).substr(taken, end + event_end.size() - taken);
        taken = end + event_end.size();
        ++replayed_events_;
        last_was_error_ = event.find("\ndata: {\"error\":{") != Bytes::npos;
        if (replayed_events_ > last_event_.value_or(0)) outgoing_ += event;
    }
    gathered_.erase(0, taken);
}

void Exchange::follow_end() noexcept {
    if (!chat_.stream) {
        if (!answer_->complete) return refuse({api::Code::upstream_lost, {}, {}, -1});
        return respond(answer_->status, answer_->content_type, gathered_);
    }
    const bool closes = !answer_->complete && !last_was_error_;  // with an event that is not stored
    const std::uint64_t closing_event = replayed_events_ + 1;
    if (last_event_.value_or(0) > replayed_events_ + (closes ? 1 : 0))
        return follow_failed(api::Code::invalid_last_event_id);
    if (!stream_begun_) begin_stream();
    if (closes && closing_event > last_event_.value_or(0)) {
        http::append_event(
            outgoing_, closing_event, {},
            api::error_body({api::Code::upstream_lost, {}, {}, -1}, request_id_hex_));
        connection_->write(outgoing_);
        bytes_out_ += outgoing_.size();
        outgoing_.clear();
    }
    finish_response();
}

// Nothing sensible can follow: an error answer, or a visible cut once the stream has begun.
void Exchange::follow_failed(const api::ApiError& error) noexcept {
    if (!stream_begun_) return refuse(error);
    error_code_ = error.code;
    http::append_event(outgoing_, 0, {}, api::error_body(error, request_id_hex_));
    connection_->write(outgoing_);
    outgoing_.clear();
    finish_response();
}

void Exchange::watch_progress() noexcept {
    if (phase_ != Phase::following) return;
    if (!joined_ && !join()) return;
    chunks_known_ = watch_.chunks_durable();
    if (!reader_ && chat_.stream && chunks_known_ > 0)
        begin_follow(watch_.answer(), watch_.key_record());
    follow_on();
}

// The first word of the run: it is the session's own, and the answer is named after it.
bool Exchange::join() noexcept {
    if (last_event_ && session_given_ && session_ != watch_.session()) {
        follow_failed(api::Code::invalid_last_event_id);
        return false;
    }
    joined_ = true;
    if (!session_given_) session_text_ = "ses_" + to_hex(watch_.session().view());
    request_id_hex_ = to_hex(watch_.request_id().view());
    return true;
}

// The run ended without an answer, and nothing of it was delivered: this request runs anew.
void Exchange::watch_gone() noexcept {
    if (phase_ != Phase::following) return;
    if (++claim_attempts_ > limits::claim_attempts_max) return follow_failed(api::Code::overloaded);
    replay_ = joined_ = false;
    if (stream_begun_) {
        session_ = watch_.session();  // as the client was told
    } else {
        request_id_hex_ = to_hex(request_id_.view());
        if (!session_given_) session_text_ = "ses_" + to_hex(session_.view());
    }
    if (last_event_) return claim(true);
    reserve_place();
}

void Exchange::watch_released() noexcept {
    leave_join();
}

}  // namespace nodex::gateway
