// Gate: an idempotency key runs once across POPs. The centre is asked while the provider call runs
// already, and only the first byte to the client (and to the log) waits for its word; normally that
// is there before the provider's (replication/README.md, "Waiting for the centre's word").
#include "edge/base/log.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"
#include "edge/gateway/run.h"

namespace nodex::gateway {

// A key that we made is told to the client with the answer: nobody can have used it before. The
// centre hears of it, so that a resume at another POP finds the way, and nothing waits.
void Run::ask_centre() noexcept {
    claimed_ = true;
    if (order_.key_sent_by_client) gate_ = Gate::shut;
    asked_ns_ = gateway_.loop().now_ns();
    gateway_.metrics().claims_asked.add();
    claim_ask_.what = replication::ClaimAsk::What::acquire;
    claim_ask_.account = order_.open.account;
    claim_ask_.idempotency = order_.open.idempotency;
    claim_ask_.fingerprint = order_.open.fingerprint;
    claim_ask_.request = order_.open.request_id;
    gateway_.shared().agent.claim(claim_ask_, gateway_.loop().mailbox(),
                                  storage::when_done<&Run::centre_answered>(this));
}

void Run::centre_answered() noexcept {
    using Verdict = replication::ClaimAsk::Verdict;
    if (claim_ask_.what == replication::ClaimAsk::What::release) return leave_centre();
    count_word();
    const bool another =
        claim_ask_.verdict == Verdict::elsewhere || claim_ask_.verdict == Verdict::mismatch;
    if (another) claimed_ = false;
    if (over_) return leave_centre();
    if (gate_ != Gate::shut || phase_ == Phase::releasing) return;  // nothing waits for the word
    if (another) return lose_claim();
    if (claim_ask_.verdict == Verdict::unavailable) {
        if (!order_.proceed_unanswered) {
            if (!call_.idle()) call_.cancel();
            return fail({api::Code::claim_unavailable, {}, {}, limits::retry_after_ms});
        }
        gateway_.metrics().claims_proceeded.add();
    }
    open_gate();
}

void Run::count_word() noexcept {
    using Verdict = replication::ClaimAsk::Verdict;
    Metrics& metrics = gateway_.metrics();
    metrics.claim_word_ns.record(static_cast<std::uint64_t>(gateway_.loop().now_ns() - asked_ns_));
    switch (claim_ask_.verdict) {
        case Verdict::granted:
        case Verdict::free: return metrics.claims_granted.add();
        case Verdict::elsewhere:
            return (claim_ask_.owner.done ? metrics.claims_done : metrics.claims_held).add();
        case Verdict::mismatch: return metrics.claims_mismatch.add();
        case Verdict::unavailable: return metrics.claims_unanswered.add();
    }
}

void Run::open_gate() noexcept {
    gate_ = Gate::open;
    const Nanoseconds waited = held_since_ns_ == 0 ? 0 : gateway_.loop().now_ns() - held_since_ns_;
    gateway_.metrics().claim_wait_ns.record(static_cast<std::uint64_t>(waited));
    if (phase_ == Phase::dispatching && attempts_ == 0) return attempt();  // strict waited
    if (phase_ == Phase::relaying) seal_pending();
    if (phase_ == Phase::ending) settle_when_logged();
}

// Another request owns the key. Nothing of this run was delivered or logged: it is released like
// one whose provider failed. What the provider did is neither the customer's nor in the ledger.
void Run::lose_claim() noexcept {
    gate_ = Gate::lost;
    gateway_.metrics().claims_lost.add();
    log::info("claim_lost", {{"request_id", order_.request_id},
                             {"owner_pop", raw(claim_ask_.owner.pop)},
                             {"provider", endpoint_name_}});
    if (!call_.idle()) call_.cancel();
    fail({api::Code::idempotency_key_reused, {}, {}, -1});  // unless it is followed elsewhere
}

// The run is over here: what the centre still has to say, or to be told, comes before the slot is
// used again.
void Run::leave_centre() noexcept {
    over_ = true;
    if (claim_ask_.in_flight()) return;  // centre_answered() comes back here
    if (awaits_copies()) return;         // and so do chunks_copied() and end_copied()
    if (claimed_ && phase_ == Phase::releasing) {
        claimed_ = false;
        claim_ask_.what = replication::ClaimAsk::What::release;
        return gateway_.shared().agent.claim(claim_ask_, gateway_.loop().mailbox(),
                                             storage::when_done<&Run::centre_answered>(this));
    }
    retire();
}

}  // namespace nodex::gateway
