// Claim, across POPs: how this request asks for its key, and what happens when another POP has it.
#include "edge/base/limits.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"

namespace nodex::gateway {
// The account's mode, else the node's. A retry that an SDK makes by itself has probably left its
// first attempt behind at another POP: it does not call the provider before the centre's word.
replication::ClaimMode Exchange::claim_mode() const noexcept {
    using replication::ClaimMode;
    if (settings_->only_pop) return ClaimMode::local;
    const ClaimMode mode = key_->claims == ClaimMode::node ? settings_->claims : key_->claims;
    return mode == ClaimMode::overlap && sdk_retry_ && key_given_ ? ClaimMode::strict : mode;
}

// A look-up found nothing in this POP's journal: a resume, or a request without money that may have
// been answered elsewhere.
void Exchange::ask_who_has_it() noexcept {
    NX_ASSERT(phase_ == Phase::claiming && !reserved_);
    claim_ask_.what = replication::ClaimAsk::What::query;
    claim_ask_.account = key_->account;
    claim_ask_.idempotency = idempotency_;
    claim_ask_.fingerprint = fingerprint_;
    claim_ask_.request = request_id_;
    gateway_.shared().agent.claim(claim_ask_, gateway_.loop().mailbox(),
                                  storage::when_done<&Exchange::told_who_has_it>(this));
}

void Exchange::told_who_has_it() noexcept {
    using Verdict = replication::ClaimAsk::Verdict;
    if (phase_ == Phase::leaving) return leave_join();
    switch (claim_ask_.verdict) {
        case Verdict::elsewhere: return follow_elsewhere(claim_ask_.owner);
        case Verdict::mismatch: return refuse(api::Code::idempotency_key_reused);
        case Verdict::unavailable:
            // That the stream is gone cannot be said without the centre.
            if (last_event_)
                return refuse({api::Code::claim_unavailable, {}, {}, limits::retry_after_ms});
            return nobody_has_it();
        case Verdict::free:
        case Verdict::granted: return nobody_has_it();
    }
}

void Exchange::nobody_has_it() noexcept {
    if (last_event_) return refuse(api::Code::stream_expired);
    refuse(otherwise_);
}

void Exchange::run_elsewhere(const replication::ClaimOwner& owner) noexcept {
    run_ = nullptr;
    follow_elsewhere(owner);
}

}  // namespace nodex::gateway
