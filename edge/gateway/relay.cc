// Relay: provider events are numbered, logged durably, then delivered. The provider is paused when
// the client or the disk is slower than it.
#include <utility>

#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"
#include "edge/gateway/run.h"

namespace nodex::gateway {

void Run::call_body(Bytes bytes) noexcept {
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;
    if (provider_status_ != 200) {
        if (buffer_.size() < limits::refusal_bytes_max)
            buffer_.append(bytes.substr(0, limits::refusal_bytes_max - buffer_.size()));
        return;
    }
    if (!order_.chat.stream) {
        buffer_.append(bytes);  // limits::answer_bytes_max is the connection's to keep
        return;
    }
    const bool parsed = sse_.feed(bytes, *this).has_value();
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;
    if (!parsed || unreadable_) {
        call_.cancel();
        return lose_stream(api::Code::upstream_error);
    }
    check_window();
}

void Run::server_event(const http::ServerEvent& event) noexcept {
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;  // bytes behind the end
    if (unreadable_) return;
    const api::ChatChunk chunk =
        api::read_chat_chunk(gateway_.json(), event.data, !order_.chat.include_usage);
    if (chunk.usage) usage_ = chunk.usage;
    output_text_bytes_ += chunk.output_text_bytes;
    finished_ |= chunk.finished;
    switch (chunk.kind) {
        case api::ChatChunk::Kind::done:
            provider_done_ = true;
            append_event({}, "[DONE]");
            if (phase_ == Phase::relaying) end(storage::Outcome::ok, true);  // else it is too large
            return;
        case api::ChatChunk::Kind::usage_only:
            if (order_.chat.include_usage) append_event(event.type, event.data);
            return;
        case api::ChatChunk::Kind::content:
            if (chunk.hide_size == 0) return append_event(event.type, event.data);
            hidden_.assign(event.data.substr(0, chunk.hide_offset));
            hidden_.append(event.data.substr(chunk.hide_offset + chunk.hide_size));
            return append_event(event.type, hidden_);
        case api::ChatChunk::Kind::error:
        case api::ChatChunk::Kind::malformed:
            unreadable_ = true;  // call_body() ends it: another attempt begins with this very parser
            return;
    }
}

// What the client sent, as a body of its own beside the answer: here and not in B1, because nothing
// waits for it, and no other endpoint will need the text. Its reference travels with the
// settlement.
void Run::seal_request() noexcept {
    sealed_request_ = {};
    if (gateway_.settings()->request_bodies && !order_.body.empty()) {
        auto writer = gateway_.shared().vault.create_body(
            order_.open.account, order_.open.created_ms, gateway_.random());
        if (writer) {  // else shredded meanwhile: the answer's key was here
            gateway_.append_log().add_whole(*writer, order_.body);
            sealed_request_ = writer->sealed();
        }
    }
    std::string().swap(order_.body);
}

void Run::append_event(Bytes type, Bytes data) noexcept {
    if (phase_ == Phase::dispatching) {
        enter(Phase::relaying);
        seal_request();
        if (gate_ == Gate::shut) held_since_ns_ = gateway_.loop().now_ns();
    }
    const std::size_t before = buffer_.size();
    http::append_event(buffer_, ++events_, type, data);
    logged_bytes_ += buffer_.size() - before;
    gateway_.metrics().events.add();
    at_turn_end<&Run::seal_pending>(gateway_.loop(), seal_task_, this);
    if (logged_bytes_ > limits::answer_bytes_max && phase_ == Phase::relaying) {
        call_.cancel();
        lose_stream(api::Code::gateway_error);
    }
}

// Once a turn: what has come in since is one chunk, or everything since the gate was opened. The
// last chunk of an answer is sealed by settle().
void Run::seal_pending() noexcept {
    if (phase_ != Phase::relaying || gate_ != Gate::open) return;
    while (sealed_bytes_ < buffer_.size()) {
        const Bytes piece = Bytes(buffer_).substr(sealed_bytes_, limits::stored_chunk_bytes_max);
        gateway_.append_log().add(*this, *order_.writer, piece);
        sealed_bytes_ += piece.size();
        logging_bytes_ += piece.size();
    }
}

void Run::append_done(std::size_t plaintext_bytes) noexcept {
    NX_ASSERT(plaintext_bytes <= logging_bytes_);
    logging_bytes_ -= plaintext_bytes;
    if (order_.copies_first) {
        uncopied_.push_back(plaintext_bytes);
        await_copies();
    } else {
        show_chunk(plaintext_bytes);
    }
    if (phase_ == Phase::ending) settle_when_logged();
}

// To who listens: the next chunk may be seen.
void Run::show_chunk(std::size_t plaintext_bytes) noexcept {
    NX_ASSERT(plaintext_bytes <= sealed_bytes_);
    ++chunks_durable_;
    if (client_ != nullptr) {
        head_sent_ = true;
        client_->deliver(Bytes(buffer_).substr(0, plaintext_bytes));
    }
    buffer_.erase(0, plaintext_bytes);
    sealed_bytes_ -= plaintext_bytes;
    // What a burst took is not kept while its client is slow to read it.
    if (buffer_.empty() && buffer_.capacity() > limits::outbound_low_bytes)
        std::string().swap(buffer_);
    for (Watch* watch = watches_; watch != nullptr; watch = watch->next)
        watch->publish(chunks_durable_);
    check_window();
}

// The store failed: nothing can be promised any more. What was delivered stays delivered; recovery
// settles it.
void Run::append_failed(std::size_t plaintext_bytes) noexcept {
    logging_bytes_ -= plaintext_bytes;
    if (logging_bytes_ > 0 || phase_ == Phase::releasing) return;
    uncopied_.clear();  // nobody will see them: the answer has failed
    buffer_.erase(0, std::exchange(sealed_bytes_, 0));
    if (!call_.idle()) call_.cancel();
    fail({api::Code::storage_unavailable, {}, {}, -1});
}

// Bounded memory: at most a window of undelivered bytes, and no more than the client's queue takes.
void Run::check_window() noexcept {
    if (!order_.chat.stream || call_.idle()) return;
    const bool full = buffer_.size() > limits::stream_window_bytes ||
                      (client_ != nullptr && !client_->can_take());
    if (full == paused_) return;
    paused_ = full;
    if (full)
        call_.pause();
    else
        call_.resume();
}

void Run::call_complete() noexcept {
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;  // the end came before
    if (provider_status_ != 200) return read_refusal();
    if (order_.chat.stream) {
        const bool whole = finished_.count() >= order_.chat.choices && !sse_.in_event();
        if (!whole) return lose_stream(api::Code::upstream_lost);
        append_event(
            {},
            "[DONE]");  // every choice ended and the framing is whole: only the marker is missing
        if (phase_ == Phase::relaying) end(storage::Outcome::ok, true);
        return;
    }
    const api::ChatAnswer answer = api::read_chat_answer(gateway_.json(), buffer_);
    if (!answer.valid_json)
        return attempt_failed(api::Code::gateway_error, "The provider's answer is not JSON.", -1,
                              true);
    usage_ = answer.usage;
    output_text_bytes_ = answer.output_text_bytes;
    logged_bytes_ = buffer_.size();
    end(storage::Outcome::ok, true);
}

// The provider is gone or wrong in the middle. Before anything was produced another endpoint may
// do; after it the stream ends in-protocol: sampling cannot be continued elsewhere.
void Run::lose_stream(api::Code code) noexcept {
    if (events_ == 0) {
        const bool retry = code != api::Code::upstream_timeout;
        // upstream_lost says that something was delivered and charged. Here the key will be free.
        if (code == api::Code::upstream_lost) code = api::Code::upstream_unavailable;
        return attempt_failed(code, {}, -1, retry);
    }
    end_in_error(code, code == api::Code::upstream_error ? storage::Outcome::upstream_error
                                                         : storage::Outcome::upstream_lost);
}

}  // namespace nodex::gateway
