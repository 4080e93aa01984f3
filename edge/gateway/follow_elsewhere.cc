// Follow, across POPs: the answer is, or is being made, at another POP. Its chunks are read from
// there, or from its buddy's copies, instead of from the store here; how they are opened, cut into
// events and delivered is follow.cc, so that a client gets the same bytes wherever it asks. One
// read is under way at a time and the next one starts when the client can take more, so a slow
// client holds one reply's worth of memory.
#include <algorithm>
#include <utility>

#include "edge/base/limits.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"

namespace nodex::gateway {
namespace {

constexpr auto wait_ms = static_cast<std::uint32_t>(limits::read_wait_max / millisecond);

// A copy without an end, as the answer of a run that died there.
storage::Answer cut_answer(const replication::ReadReply& reply, std::uint32_t chunks_count) {
    storage::Answer answer;
    answer.request_id = reply.request;
    answer.session = reply.session;
    answer.status = 200;  // the head was sent before the first chunk
    answer.stream = reply.stream;
    answer.answer = reply.body;
    answer.chunks_count = chunks_count;
    return answer;
}

}  // namespace

void Exchange::follow_elsewhere(const replication::ClaimOwner& owner) noexcept {
    // `owner` may be this POP: its journal does not have it any more, but the buddy may.
    enter(Phase::following);
    replay_ = true;
    gateway_.metrics().joins_elsewhere.add();
    if (last_event_) gateway_.metrics().resumes.add();
    elsewhere_ = owner.pop;
    remote_.request = {};
    if (chat_.stream && !heartbeat_timer_.armed()) arm_heartbeat();
    read_elsewhere();
}

// The next chunks, if the client can take them. The first read does not wait: it learns what there
// is.
void Exchange::read_elsewhere() noexcept {
    if (phase_ != Phase::following || remote_.in_flight()) return;
    if (stream_begun_ && !connection_->writable()) return;
    replication::ReadRequest& request = remote_.request;
    request.owner = *elsewhere_;
    request.account = key_->account;
    request.idempotency = idempotency_;
    request.fingerprint = fingerprint_;
    request.from_chunk = chunk_next_;
    request.bytes_max = limits::read_bytes_max;
    request.wait_ms = joined_ ? wait_ms : 0;
    gateway_.shared().agent.read(remote_, gateway_.loop().mailbox(),
                                 storage::when_done<&Exchange::read_elsewhere_done>(this));
}

void Exchange::read_elsewhere_done() noexcept {
    using State = replication::ReadState;
    if (phase_ == Phase::leaving) return leave_join();
    if (phase_ != Phase::following) return;
    if (!remote_.reached) return lost_elsewhere();
    switch (remote_.reply.state) {
        case State::mismatch: return follow_failed(api::Code::idempotency_key_reused);
        case State::gone: return gone_elsewhere();
        case State::running:
        case State::finished:
        case State::cut: break;
    }
    if (!join_elsewhere() || !take_elsewhere()) return;
    deliver_gathered();
    if (phase_ != Phase::following) return;
    if (!answer_ || chunk_next_ < answer_->chunks_count) return read_elsewhere();
    if (remote_.reply.state == State::cut) {
        // What the client says it has, the copy does not: its owner delivered it and is gone.
        if (last_event_.value_or(0) > replayed_events_) return lost_elsewhere();
        gateway_.metrics().cuts_elsewhere.add();
    }
    follow_end();
}

// The first word of it: it is the session's own, and the answer is named after it.
bool Exchange::join_elsewhere() noexcept {
    const replication::ReadReply& reply = remote_.reply;
    if (!joined_ && last_event_) {
        const bool foreign = session_given_ && session_ != reply.session;
        const bool beyond =
            reply.answer && *last_event_ > reply.answer->events_count + !reply.answer->complete;
        if (foreign || beyond) {
            follow_failed(api::Code::invalid_last_event_id);
            return false;
        }
    }
    if (!joined_) {
        joined_ = true;
        if (!session_given_) session_text_ = "ses_" + to_hex(reply.session.view());
        request_id_hex_ = to_hex(reply.request.view());
        remote_.request.request = reply.request;
    }
    if (!reader_ && !reply.key_record.empty()) begin_follow(reply.body, reply.key_record);
    return phase_ == Phase::following;
}

// Opens what came; false: it failed, and the client knows.
bool Exchange::take_elsewhere() noexcept {
    replication::ReadReply& reply = remote_.reply;
    const auto chunks_end = chunk_next_ + static_cast<std::uint32_t>(reply.chunks.size());
    if (reply.state == replication::ReadState::finished) answer_ = std::move(reply.answer);
    // All that the copy has is here; the owner itself may have given more before it died.
    if (reply.state == replication::ReadState::cut && chunks_end >= reply.chunks_count)
        answer_ = cut_answer(reply, chunks_end);
    const bool missing = answer_ && reply.chunks.empty() && chunk_next_ < answer_->chunks_count;
    if (missing || (!reply.chunks.empty() && !reader_)) {
        follow_failed(api::Code::stream_expired);
        return false;
    }
    for (const std::string& sealed : reply.chunks)
        if (!take_chunk(sealed, chunk_next_++)) {
            follow_failed(api::Code::internal_error);
            return false;
        }
    reply.chunks.clear();
    return true;
}

// The owner has nothing under this key (any more), or its copies have not.
void Exchange::gone_elsewhere() noexcept {
    if (chunk_next_ > 0) return lost_elsewhere();
    const bool owner_says = !remote_.copied || *elsewhere_ == gateway_.shared().pop;
    if (owner_says && last_event_) return follow_failed(api::Code::stream_expired);
    lost_elsewhere();
}

// Neither the owner nor the copies can be reached, or the copies begin to lack what the client has
// already. It may come back: the answer is kept there.
void Exchange::lost_elsewhere() noexcept {
    if (!stream_begun_ && !last_event_)
        return refuse({api::Code::idempotency_key_in_use, {}, {}, limits::retry_after_ms});
    gateway_.metrics().positions_lost.add();
    if (stream_begun_) return follow_failed(api::Code::position_lost);
    refuse({api::Code::position_lost, {}, {}, limits::retry_after_ms});
}

}  // namespace nodex::gateway
