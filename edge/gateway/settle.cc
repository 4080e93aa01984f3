// Settle: usage becomes money in one durable write (B4): answer, claim's end, settlement. Only then
// does the client see the last event. Or the claim is released and nothing is charged.
#include <algorithm>
#include <utility>

#include "edge/base/log.h"
#include "edge/gateway/estimate.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"
#include "edge/gateway/run.h"

namespace nodex::gateway {

void Run::end(storage::Outcome outcome, bool complete) noexcept {
    outcome_ = outcome;
    complete_ = complete;
    enter(Phase::ending);
    if (gate_ == Gate::shut && held_since_ns_ == 0) held_since_ns_ = gateway_.loop().now_ns();
    settle_when_logged();
}

// Error text is an event of the log like any other, so that a replay ends as the original did;
// never billed.
void Run::end_in_error(api::Code code, storage::Outcome outcome) noexcept {
    gateway_.metrics().errors[static_cast<std::size_t>(code)].add();
    // The default texts advise a retry with the same key; that would only replay this stream.
    const api::ApiError error{code, api::default_message(api::Code::upstream_lost), {}, -1};
    http::append_event(buffer_, ++events_, {}, api::error_body(error, order_.request_id));
    end(outcome, false);
}

void Run::settle_when_logged() noexcept {
    if (gate_ == Gate::shut) return;   // open_gate() comes back here
    if (logging_bytes_ == 0) settle();  // else append_done() does
}

storage::Settlement Run::settlement(const storage::Units& units,
                                    storage::UsageSource source) noexcept {
    storage::Settlement settlement;
    settlement.request_id = order_.open.request_id;
    settlement.account = order_.open.account;
    settlement.key = order_.open.key;
    settlement.idempotency = order_.open.idempotency;
    settlement.reservation = order_.open.reservation;
    // The reservation is what makes the budget hard: what a provider counts above it is the house's
    // cost.
    const auto cost = replication::price(units, order_.model.prices);
    const Nano reserved = order_.open.reservation.amount;
    settlement.amount = cost ? std::min(*cost, reserved) : reserved;
    settlement.overrun = cost ? std::max<Nano>(*cost - reserved, 0) : 0;
    settlement.model = order_.open.model;
    settlement.units = units;
    settlement.usage_source = source;
    settlement.outcome = outcome_;
    settlement.status = 200;
    settlement.answer = order_.open.answer;
    settlement.answer_bytes = logged_bytes_;
    settlement.created_ms = order_.open.created_ms;
    settlement.settled_ms = gateway_.loop().clock().wall_ms();
    return settlement;
}

void Run::settle() noexcept {
    enter(Phase::settling);
    gateway_.loop().timers().cancel(grace_);
    gateway_.loop().timers().cancel(drain_);
    finish_.finish.request_id = order_.open.request_id;
    finish_.finish.settlement =
        usage_ ? settlement(usage_->units, storage::UsageSource::provider)
               : settlement(counted_units(order_.chat.input_text_bytes, output_text_bytes_),
                            storage::UsageSource::counted);

    if (!order_.body.empty()) seal_request();  // a whole answer: nothing was relayed
    finish_.body = order_.open.answer;
    finish_.chunks.clear();
    finish_.key_record =
        order_.writer->chunks_count() == 0 ? order_.writer->key_record() : std::string();
    std::size_t sealed = sealed_bytes_;  // what is in the log and waits for the buddy
    do {  // at least one chunk: the last one is marked as such, which shows that nothing was cut
          // off
        const Bytes piece = Bytes(buffer_).substr(sealed, limits::stored_chunk_bytes_max);
        sealed += piece.size();
        storage::FinishOperation::Chunk chunk{order_.writer->chunks_count(), {}};
        order_.writer->seal(piece, sealed == buffer_.size(), chunk.sealed);
        finish_.chunks.push_back(std::move(chunk));
    } while (sealed < buffer_.size());

    storage::Answer& answer = finish_.finish.answer;
    answer = {};
    answer.request_id = order_.open.request_id;
    answer.fingerprint = order_.open.fingerprint;
    answer.session = order_.open.session;
    answer.status = 200;
    answer.stream = order_.chat.stream;
    answer.complete = complete_;
    answer.content_type =
        order_.chat.stream ? "text/event-stream; charset=utf-8" : "application/json";
    answer.answer = order_.open.answer;
    answer.chunks_count = order_.writer->chunks_count();
    answer.events_count = events_;
    answer.body_bytes = logged_bytes_;
    answer.charged = finish_.finish.settlement->amount;
    answer.created_ms = order_.open.created_ms;
    finish_.finish.settlement->session = order_.open.session;
    answer.expires_ms =
        finish_.finish.settlement->settled_ms + gateway_.settings()->answer_retention_ms;
    finish_.finish.settlement->sealed_answer = order_.writer->sealed();
    finish_.finish.settlement->sealed_answer.expires_ms = answer.expires_ms;
    finish_.finish.settlement->sealed_request = std::exchange(sealed_request_, {});
    finish_.finish.settlement->sealed_request.expires_ms =
        finish_.finish.settlement->sealed_request.id.is_zero() ? 0 : answer.expires_ms;
    if (order_.copies_first) await_end();
    finish_started_ns_ = gateway_.loop().now_ns();
    gateway_.commits().submit(finish_, storage::when_done<&Run::settled>(this));
}

// Before the client has its end: it may send the next request at once.
void Run::leave_place() noexcept {
    if (std::exchange(order_.counted_running, false))
        order_.meter->running.fetch_sub(1, std::memory_order_relaxed);
}

void Run::settled() noexcept {
    leave_place();
    Metrics& metrics = gateway_.metrics();
    metrics.finish_ns.record(
        static_cast<std::uint64_t>(gateway_.loop().now_ns() - finish_started_ns_));
    if (!finish_.status()) {
        // Not durable: no success may be told. The open request stays in the journal; recovery
        // settles it.
        if (client_ != nullptr) client_->run_failed({api::Code::storage_unavailable, {}, {}, -1});
        client_ = nullptr;
        leave_watches(Watch::Leave::gone);
        return leave_centre();
    }
    const storage::Settlement& settlement = *finish_.finish.settlement;
    give_back_reservation(settlement.amount);
    metrics.settled_requests.add();
    metrics.settled_nano.add(static_cast<std::uint64_t>(settlement.amount));
    metrics.overrun_nano.add(static_cast<std::uint64_t>(settlement.overrun));
    metrics.input_tokens.add(
        settlement.units[static_cast<std::size_t>(storage::Unit::input)] +
        settlement.units[static_cast<std::size_t>(storage::Unit::cached_input)]);
    metrics.output_tokens.add(settlement.units[static_cast<std::size_t>(storage::Unit::output)] +
                              settlement.units[static_cast<std::size_t>(storage::Unit::reasoning)]);
    settled_ = true;
    hand_over_when_copied();
}

// The end, to who listens.
void Run::hand_over() noexcept {
    if (client_ == nullptr) gateway_.metrics().drained.add();
    leave_watches(Watch::Leave::finished);
    if (Exchange* client = client_) {
        client_ = nullptr;
        if (order_.chat.stream) {
            client->deliver(buffer_);
            client->run_finished(complete_, finish_.finish.settlement->amount);
        } else {
            client->run_answered(200, finish_.finish.answer.content_type, buffer_,
                                 finish_.finish.settlement->amount);
        }
    }
    leave_centre();
}

// Nothing was delivered and nothing will be: the key is free again, the money too.
void Run::fail(const api::ApiError& error) noexcept {
    enter(Phase::releasing);
    refusal_ = error;
    gateway_.loop().timers().cancel(grace_);
    gateway_.loop().timers().cancel(drain_);
    release_.request_id = order_.open.request_id;
    gateway_.commits().submit(release_, storage::when_done<&Run::released>(this));
}

void Run::released() noexcept {
    leave_place();
    if (release_.status())
        give_back_reservation(0);
    else
        refusal_ = {api::Code::storage_unavailable, {}, {}, -1};
    const bool elsewhere = release_.status() && gate_ == Gate::lost &&
                           claim_ask_.verdict == replication::ClaimAsk::Verdict::elsewhere;
    if (Exchange* client = client_) {
        client_ = nullptr;
        if (elsewhere)
            client->run_elsewhere(claim_ask_.owner);
        else
            client->run_failed(refusal_);
    }
    leave_watches(Watch::Leave::gone);
    leave_centre();
}

void Run::give_back_reservation(Nano actual) noexcept {
    const Nano reserved = order_.open.reservation.amount;
    order_.account_lease->settle(reserved, actual);
    if (order_.key_lease != nullptr) order_.key_lease->settle(reserved, actual);
    if (order_.meter_tokens_limit == 0) return;
    std::uint64_t used = 0;
    if (actual > 0)
        for (const std::uint64_t units : finish_.finish.settlement->units) used += units;
    if (used < order_.meter_tokens_taken)
        order_.meter->tokens.give_back(order_.meter_tokens_limit, order_.meter_tokens_taken - used);
}

// Back to the pool, keeping the memory of small buffers.
void Run::retire() noexcept {
    constexpr std::size_t kept_bytes_max = 8'192;
    NX_ASSERT(client_ == nullptr && watches_ == nullptr && logging_bytes_ == 0);
    NX_ASSERT(!claim_ask_.in_flight() && !awaits_copies());
    if (!call_.idle()) call_.cancel();
    enter(Phase::idle);
    const std::uint32_t generation = order_.generation;
    order_ = RunOrder{};
    order_.generation = generation;
    endpoints_.clear();
    endpoint_next_ = attempts_ = 0;
    provider_status_ = 0;
    gate_ = Gate::open;
    claimed_ = over_ = settled_ = false;
    sealed_bytes_ = 0;
    uncopied_.clear();
    held_since_ns_ = 0;
    head_sent_ = provider_done_ = paused_ = complete_ = false;
    sse_.reset();
    for (std::string* text : {&buffer_, &hidden_}) {
        if (text->capacity() > kept_bytes_max) std::string().swap(*text);
        text->clear();
    }
    chunks_durable_ = 0;
    events_ = logged_bytes_ = output_text_bytes_ = 0;
    usage_.reset();
    finish_.chunks.clear();
    gateway_.give_back(*this);
}

}  // namespace nodex::gateway
