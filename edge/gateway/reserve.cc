// Reserve: hold the most the request can cost, from this POP's leases; ask the centre only when
// they are short, and not for what exists already.
#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"

namespace nodex::gateway {

void Exchange::reserve() noexcept {
    NX_ASSERT(!reserved_);
    const Nanoseconds now = gateway_.loop().now_ns();
    account_lease_ = key_->account_lease;
    key_lease_ = key_->key_lease;
    if (account_lease_->try_reserve(amount_, now)) {
        if (key_lease_ == nullptr || key_lease_->try_reserve(amount_, now)) {
            reserved_ = true;
            gateway_.metrics().reserve_ns.record(0);
            return claim(false);
        }
        account_lease_->release(amount_);
    }
    // The centre may be away for seconds; a replay or a join needs nothing of it.
    if (!key_given_ && !sdk_retry_) return ask_centre();
    ask_when_free_ = true;
    claim(true);
}

void Exchange::ask_centre() noexcept {
    enter(Phase::reserving);
    ask_.account = account_lease_;
    ask_.key = key_lease_;
    ask_.amount = amount_;
    gateway_.shared().agent.ask(ask_, gateway_.loop().mailbox(),
                                storage::when_done<&Exchange::ask_done>(this));
}

void Exchange::ask_done() noexcept {
    using Verdict = replication::LeaseAsk::Verdict;
    reserved_ = ask_.verdict == Verdict::reserved;
    account_lease_ = ask_.account;  // perhaps a newer generation
    key_lease_ = ask_.key;
    if (phase_ == Phase::leaving) {
        drop_reservation();
        return leave_join();
    }
    gateway_.metrics().reserve_ns.record(
        static_cast<std::uint64_t>(gateway_.loop().now_ns() - stage_ns_));
    switch (ask_.verdict) {
        case Verdict::reserved: return claim(false);
        case Verdict::insufficient_balance:
            otherwise_ = {api::Code::insufficient_balance, {}, {}, -1};
            break;
        case Verdict::insufficient_quota:
            otherwise_ = {api::Code::insufficient_quota, {}, {}, -1};
            break;
        case Verdict::unavailable:
            // Where the store has failed the centre's answer could not be kept either.
            otherwise_ = {gateway_.shared().commits.failed() ? api::Code::storage_unavailable
                                                             : api::Code::budget_unavailable,
                          {},
                          {},
                          2'000};
            break;
    }
    claim(true);  // a replay or a join needs no money
}

void Exchange::drop_reservation() noexcept {
    if (!reserved_) return;
    reserved_ = false;
    account_lease_->release(amount_);
    if (key_lease_ != nullptr) key_lease_->release(amount_);
}

}  // namespace nodex::gateway
