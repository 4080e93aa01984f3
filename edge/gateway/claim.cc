// Claim: which idempotency key this request runs under, and what the journal says of it.
#include <utility>

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "edge/base/time_ordered_id.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"

namespace nodex::gateway {
namespace {

// A generated key a client may use later, to resume or to ask for the answer again.
std::string generate_key_text(Random& random) {
    char octets[16];
    random.fill(octets, sizeof octets);
    return "nxg_" + to_hex({octets, sizeof octets});
}

IdempotencyId idempotency_id(const crypto::SecretKey& secret, AccountId account, Bytes key_text) {
    std::string scoped;
    scoped.reserve(8 + key_text.size());
    append_ordered(scoped, raw(account));
    scoped += key_text;
    const crypto::Sha256 digest = crypto::hmac_sha256(secret.view(), scoped);
    return IdempotencyId::from(crypto::view(digest).substr(0, IdempotencyId::size));
}

// "ses_" + 32 hex is one of ours and stands for itself; any other text for its digest.
SessionId session_id(Bytes text) {
    if (text.size() == 36 && text.starts_with("ses_"))
        if (const auto octets = from_hex(text.substr(4))) return SessionId::from(*octets);
    const crypto::Sha256 digest = crypto::sha256(text);
    return SessionId::from(crypto::view(digest).substr(0, SessionId::size));
}

}  // namespace

// deploy/api.md, Idempotency: the client's key, or by the key's policy a generated one, or 400.
bool Exchange::name_claim() noexcept {
    if (!key_given_) {
        const bool may_generate = key_->policy == replication::IdempotencyPolicy::generate ||
                                  (key_->policy == replication::IdempotencyPolicy::sdk && sdk_);
        if (!may_generate) {
            refuse({api::Code::idempotency_key_required,
                    "Send an X-Idempotency-Key (1 to 255 visible ASCII characters, new for each "
                    "request), so that a "
                    "retry is never charged twice.",
                    "x-idempotency-key", -1});
            return false;
        }
        const Nanoseconds now = gateway_.loop().now_ns();
        if (sdk_ && sdk_retry_)
            if (auto first = gateway_.shared().sdk_retries.find(key_->id, fingerprint_, now))
                key_text_ = std::move(*first);
        if (key_text_.empty()) {
            key_text_ = generate_key_text(gateway_.random());
            if (sdk_)
                gateway_.shared().sdk_retries.remember(key_->id, fingerprint_, key_text_, now);
        }
    }
    idempotency_ = idempotency_id(gateway_.shared().idempotency_secret, key_->account, key_text_);
    if (!session_given_) name_session();
    session_ = session_id(session_text_);
    return true;
}

// It begins with its time, as a body's id does (storage/vault.h): the centre keeps its references in
// the order of sessions, so that new ones stand together at the end of their account's.
void Exchange::name_session() {
    const std::int64_t now_ms = gateway_.loop().clock().wall_ms();
    session_text_ =
        "ses_" + to_hex(time_ordered_id<SessionId>(now_ms, gateway_.random()).view());
}

storage::OpenRequest Exchange::open_request() noexcept {
    storage::OpenRequest open;
    open.request_id = request_id_;
    open.account = key_->account;
    open.key = key_->id;
    open.idempotency = idempotency_;
    open.fingerprint = fingerprint_;
    open.session = session_;
    open.reservation.amount = amount_;
    open.reservation.account_generation =
        account_lease_ != nullptr ? account_lease_->generation() : 0;
    open.reservation.key_generation = key_lease_ != nullptr ? key_lease_->generation() : 0;
    open.reservation.price_version = model_->price_version;
    open.model = model_->number;
    open.stream = chat_.stream;
    open.created_ms = gateway_.loop().clock().wall_ms();
    open.input_units_estimate = (chat_.input_text_bytes + 3) / 4;
    open.input_price = model_->prices[static_cast<std::size_t>(storage::Unit::input)];
    open.output_price = model_->prices[static_cast<std::size_t>(storage::Unit::output)];
    return open;
}

void Exchange::claim(bool look_up_only) noexcept {
    NX_ASSERT(run_ == nullptr);
    claim_.request = open_request();
    claim_.look_up_only = look_up_only;
    if (!look_up_only) {
        NX_ASSERT(reserved_);
        auto writer = gateway_.shared().vault.create_body(
            key_->account, claim_.request.created_ms, gateway_.random());
        if (!writer) return claim_without_key();
        run_ = gateway_.take_run();
        if (run_ == nullptr) return refuse_claim(api::Code::overloaded);
        claim_.request.answer = writer->id();
        writer_.emplace(std::move(*writer));
        claim_.owner = {gateway_.core(), run_->slot(), gateway_.next_generation(run_->slot())};
    }
    enter(Phase::claiming);
    gateway_.commits().submit(claim_, storage::when_done<&Exchange::claim_done>(this));
}

// The account is active, else it was refused before: its body key is on its way, as the first of a new
// account or the next after `account shred`. No answer could be kept until then; one that exists is
// looked for, as it needs no new key.
void Exchange::claim_without_key() noexcept {
    drop_reservation();
    otherwise_ = key_away();
    claim(true);
}

api::ApiError Exchange::key_away() {
    return {api::Code::account_unavailable, {}, {}, limits::retry_after_ms};
}

void Exchange::refuse_claim(api::Code code) noexcept {
    drop_reservation();
    refuse(code);
}

void Exchange::claim_done() noexcept {
    const bool durable = claim_.status().has_value();
    const bool granted =
        durable && !claim_.look_up_only && claim_.outcome.verdict == storage::ClaimVerdict::granted;
    if (granted) {
        gateway_.metrics().claim_ns.record(
            static_cast<std::uint64_t>(gateway_.loop().now_ns() - stage_ns_));
        return start_run();
    }
    const bool in_vain = durable && claim_.outcome.verdict == storage::ClaimVerdict::granted;
    if (std::exchange(ask_when_free_, false) && in_vain && phase_ == Phase::claiming)
        return ask_centre();
    if (run_ != nullptr) {
        gateway_.give_back(*run_);
        run_ = nullptr;
    }
    writer_.reset();
    drop_reservation();
    give_back_rates();
    if (phase_ == Phase::leaving) return leave_join();
    if (!durable) return refuse(api::Code::storage_unavailable);
    switch (claim_.outcome.verdict) {
        case storage::ClaimVerdict::granted:  // a look-up found nothing: here
            if (key_given_ && claim_mode() != replication::ClaimMode::local)
                return ask_who_has_it();
            return nobody_has_it();
        case storage::ClaimVerdict::running: return follow_running(claim_.outcome);
        case storage::ClaimVerdict::finished: return await_copy();
        case storage::ClaimVerdict::mismatch: return refuse(api::Code::idempotency_key_reused);
    }
}

// The claim and the reservation are durable: from here the run owns both.
void Exchange::start_run() noexcept {
    RunOrder order;
    order.open = claim_.request;
    order.model = {model_->id, model_->prices};
    order.account_lease = account_lease_;
    order.key_lease = key_lease_;
    order.meter = key_->meter;
    order.meter_tokens_limit = std::exchange(tokens_held_, false) ? key_->limits.tokens_per_minute : 0;
    order.meter_tokens_taken = tokens_taken_;
    order.counted_running = std::exchange(counted_running_, false);
    order.writer = std::move(writer_);
    writer_.reset();
    order.chat = chat_;
    order.body = std::move(body_);
    order.request_id = request_id_hex_;
    order.key_sent_by_client = key_given_;
    order.claims = claim_mode();
    // Who chose strict wants one execution more than an answer.
    order.proceed_unanswered =
        settings_->proceed_on_partition && key_->claims != replication::ClaimMode::strict;
    order.on_disconnect =
        on_disconnect_.value_or(key_given_ ? OnDisconnect::drain : OnDisconnect::cancel);
    order.copies_first = settings_->copies_first && chat_.stream;
    order.generation = claim_.owner.generation;
    reserved_ = false;
    gateway_.metrics().paid_granted.add();
    if (phase_ == Phase::leaving) {
        Run* const run = run_;
        run_ = nullptr;
        run->start(std::move(order), nullptr);
        return leave_join();
    }
    enter(Phase::running);
    run_->start(std::move(order), this);
    if (stream_begun_) run_->client_head_sent();
    if (chat_.stream) arm_heartbeat();
}

}  // namespace nodex::gateway
