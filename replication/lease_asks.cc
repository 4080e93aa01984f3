// LeaseKeeper: asks. One request at a time carries all that wait, so that the centre sees their
// sum: what it then refuses is refused because nothing is left, exactly, and in order of arrival.
#include <algorithm>
#include <limits>

#include "edge/base/limits.h"
#include "replication/lease_keeper.h"

namespace nodex::replication {

void LeaseKeeper::finish(Waiting waiting, AskVerdict verdict) {
    waiting.answer(verdict, find(waiting.account), waiting.key ? find(*waiting.key) : nullptr);
}

LeaseKeeper::Attempt LeaseKeeper::try_reserve(const Waiting& waiting) {
    const Nanoseconds now = clock_.now_ns();
    LeaseScope* account = find(waiting.account);
    LeaseScope* key = waiting.key ? find(*waiting.key) : nullptr;
    if (account == nullptr || !account->try_reserve(waiting.amount, now))
        return Attempt::account_short;
    if (!waiting.key) return Attempt::reserved;
    if (key != nullptr && key->try_reserve(waiting.amount, now)) return Attempt::reserved;
    account->release(waiting.amount);
    return Attempt::key_short;
}

void LeaseKeeper::ask(LeaseKey account, std::optional<LeaseKey> key, Nano amount, Answer answer) {
    NX_ASSERT(amount >= 0);
    // Later asks never end before earlier ones, so the first that waits is the first to give up.
    const Nanoseconds deadline =
        std::max(clock_.now_ns() + limits::lease_ask_deadline, link_.failover_ends_ns());
    Waiting waiting{account, key, amount, std::move(answer), deadline, 0};
    for (const LeaseKey& scope : {account, key.value_or(account)}) {
        const auto found = slots_.find(scope);
        if (found == slots_.end()) return finish(std::move(waiting), AskVerdict::unavailable);
        found->second.largest_reservation = std::max(found->second.largest_reservation, amount);
    }
    // A refill may have arrived meanwhile; but nobody overtakes those who wait.
    if (asks_.empty() && try_reserve(waiting) == Attempt::reserved)
        return finish(std::move(waiting), AskVerdict::reserved);
    if (asks_.size() >= limits::lease_asks_max)
        return finish(std::move(waiting), AskVerdict::unavailable);
    asks_.push_back(std::move(waiting));
    if (started_ && !asks_in_flight_) send_asks();
}

void LeaseKeeper::stop() {
    started_ = false;
    std::deque<Waiting> waiting = std::move(asks_);
    asks_.clear();
    for (Waiting& each : waiting) finish(std::move(each), AskVerdict::unavailable);
}

// One entry a scope: its target is what is in use and everything that waits for it.
void LeaseKeeper::send_asks() {
    if (asks_.empty() || !started_ || clock_.now_ns() < ask_again_at_ns_) return;
    const std::uint64_t number = requests_sent_ + 1;
    std::map<LeaseKey, Nano> sums;
    for (Waiting& waiting : asks_) {
        for (const LeaseKey& scope : {waiting.account, waiting.key.value_or(waiting.account)}) {
            if (&scope != &waiting.account && scope == waiting.account) continue;
            if (!sums.contains(scope) && sums.size() == limits::lease_entries_max) return;
        }
        Nano& account = sums[waiting.account];
        account = add_nano(account, waiting.amount) ? account + waiting.amount
                                                    : std::numeric_limits<Nano>::max();
        if (waiting.key) {
            Nano& key = sums[*waiting.key];
            key = add_nano(key, waiting.amount) ? key + waiting.amount
                                                : std::numeric_limits<Nano>::max();
        }
        waiting.covered_by = number;
    }
    LeaseRequest request;
    request.sent_ns = clock_.now_ns();
    request.ask = true;
    for (const auto& [scope, sum] : sums) {
        const Slot& slot = slots_[scope];
        const LeaseScope& lease = *slot.current;
        request.entries.push_back({scope, lease.generation(), want_total(lease, sum),
                                   lease.settled(), std::max<Nano>(lease.reserved(), 0),
                                   slot.returned_durable});
    }
    asks_in_flight_ = true;
    requests_sent_ = number;
    send(std::move(request), number);
}

// In order of arrival: reserved when it fits now. When it does not, refused only if this very
// request asked for it and the centre says that nothing is left; otherwise (others took it first, a
// new generation) asked again. So is what got no answer while the centre may be failing over: to
// another hub, another process or another database.
void LeaseKeeper::settle_asks(std::uint64_t number, const LeaseReply* reply) {
    const auto short_of = [reply](const LeaseKey& scope) {
        const auto found =
            std::find_if(reply->entries.begin(), reply->entries.end(),
                         [&](const LeaseReply::Entry& entry) { return entry.scope == scope; });
        return found != reply->entries.end() && found->state != LeaseState::open;
    };
    const bool failing_over = clock_.now_ns() < link_.failover_ends_ns();
    std::deque<Waiting> still;
    std::vector<std::pair<Waiting, AskVerdict>> finished;
    while (!asks_.empty()) {
        Waiting waiting = std::move(asks_.front());
        asks_.pop_front();
        const bool covered = number != 0 && waiting.covered_by == number;
        const Attempt attempt =
            still.empty() || covered ? try_reserve(waiting) : Attempt::account_short;
        if (attempt == Attempt::reserved)
            finished.emplace_back(std::move(waiting), AskVerdict::reserved);
        else if (covered && reply == nullptr && !failing_over)
            finished.emplace_back(std::move(waiting), AskVerdict::unavailable);
        else if (covered && reply == nullptr)
            still.push_back(std::move(waiting));
        else if (covered && attempt == Attempt::account_short && short_of(waiting.account))
            finished.emplace_back(std::move(waiting), AskVerdict::insufficient_balance);
        else if (covered && attempt == Attempt::key_short && short_of(*waiting.key))
            finished.emplace_back(std::move(waiting), AskVerdict::insufficient_quota);
        else
            still.push_back(std::move(waiting));
    }
    asks_ = std::move(still);
    for (auto& [waiting, verdict] : finished) finish(std::move(waiting), verdict);
}

}  // namespace nodex::replication
