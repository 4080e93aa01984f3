// ClaimKeeper: see the header.
#include "replication/claim_keeper.h"

#include <algorithm>

#include "edge/base/limits.h"

namespace nodex::replication {
bool ClaimKeeper::linked() const noexcept {
    return started_ && link_.linked(options_.heartbeat_ns);
}

Nanoseconds ClaimKeeper::deadline() const noexcept {
    return std::clamp(2 * link_.round_trip_ns(), limits::claim_deadline_min,
                      limits::claim_deadline_max);
}

void ClaimKeeper::ask(const ClaimRequest::Entry& entry, Answer answer) {
    // A link that is known to be down is not waited for.
    if (!linked() || waiting_ >= limits::claims_waiting_max) return answer(std::nullopt);
    ++waiting_;
    queue_.push_back({entry, std::move(answer), clock_.now_ns()});
}

void ClaimKeeper::release(AccountId account, const IdempotencyId& idempotency,
                          const RequestId& request) {
    if (!linked() || waiting_ >= limits::claims_waiting_max) return;
    ++waiting_;
    queue_.push_back(
        {{ClaimOp::release, account, idempotency, {}, request, 0}, nullptr, clock_.now_ns()});
}

void ClaimKeeper::hinted(const ClaimHint& hint) {
    if (options_.planted_bug == PlantedBug::hint_without_look)
        return release(hint.account, hint.idempotency, hint.request);
    if (hints_in_flight_ >= limits::claim_hints_max) return;
    ++hints_in_flight_;
    // Under the key, not under the request: what runs here now may have a newer name than the one
    // the centre knows. At no time: an answer that is over by our clock alone, which may have been
    // set, is the centre's to free when it is told of it.
    commits_.call(
        [hint](storage::Journal& journal, storage::Store&, storage::Batch& batch) -> Status {
            storage::OpenRequest wanted;
            wanted.account = hint.account;
            wanted.idempotency = hint.idempotency;
            const Result<storage::ClaimOutcome> outcome = journal.look_up(wanted, 0, batch);
            if (!outcome) return outcome.error();
            if (outcome->verdict == storage::ClaimVerdict::granted) return {};
            return Error{ErrorCode::already_exists, ErrorSource::self};
        },
        [this, hint](const Status& not_here) {
            --hints_in_flight_;
            if (not_here) release(hint.account, hint.idempotency, hint.request);
        });
}

// A grant says that its request began no earlier than the centre was asked, so what was asked
// before this process stood still (frozen, suspended) is not asked any more.
void ClaimKeeper::drop_late() {
    const Nanoseconds oldest_ns = clock_.now_ns() - limits::claim_deadline_max;
    while (!queue_.empty() && queue_.front().asked_ns < oldest_ns) {
        const Waiting late = std::move(queue_.front());
        queue_.pop_front();
        tell(late, std::nullopt);
    }
}

void ClaimKeeper::tick() {
    drop_late();
    while (!queue_.empty()) {
        const std::size_t count = std::min<std::size_t>(queue_.size(), limits::claim_entries_max);
        std::vector<Waiting> batch(
            std::make_move_iterator(queue_.begin()),
            std::make_move_iterator(queue_.begin() + static_cast<std::ptrdiff_t>(count)));
        queue_.erase(queue_.begin(), queue_.begin() + static_cast<std::ptrdiff_t>(count));
        send(std::move(batch));
    }
    repeat_unanswered();
}

void ClaimKeeper::send(std::vector<Waiting> batch) {
    last_number_ = std::max(last_number_ + 1, static_cast<std::uint64_t>(clock_.wall_ms()) * 1'000);
    const Nanoseconds now_ns = clock_.now_ns();
    const auto sent =
        sent_.emplace(last_number_, Sent{std::move(batch), now_ns, now_ns + deadline()}).first;
    once_.push_back(last_number_);
    transmit(last_number_, sent->second);
}

void ClaimKeeper::transmit(std::uint64_t number, const Sent& sent) {
    ClaimRequest request;
    request.number = number;
    request.ttl_ms = options_.ttl_ms;
    request.entries.reserve(sent.batch.size());
    for (const Waiting& waiting : sent.batch) request.entries.push_back(waiting.entry);
    ++requests_sent_;
    link_.request("claim", MessageType::claim_request, encode(request),
                  sent.deadline_ns - clock_.now_ns(),
                  [this, number](const Result<std::string>& payload) { replied(number, payload); });
}

void ClaimKeeper::repeat_unanswered() {
    const Nanoseconds now_ns = clock_.now_ns();
    while (!once_.empty()) {
        const std::uint64_t number = once_.front();
        const auto found = sent_.find(number);
        if (found != sent_.end()) {
            const Sent& sent = found->second;
            if (now_ns - sent.sent_ns < link_.patience(limits::claim_deadline_max)) return;
            if (now_ns < sent.deadline_ns) transmit(number, sent);
        }
        once_.pop_front();
    }
}

void ClaimKeeper::replied(std::uint64_t number, const Result<std::string>& payload) {
    const auto found = sent_.find(number);
    if (found == sent_.end()) return;  // ended by stop(), or by the other copy
    const std::vector<Waiting> batch = std::move(found->second.batch);
    sent_.erase(found);
    const Result<ClaimReply> reply =
        payload ? decode_claim_reply(*payload) : Result<ClaimReply>(payload.error());
    const bool whole = reply && reply->entries.size() == batch.size();
    for (std::size_t i = 0; i < batch.size(); ++i)
        finish(batch[i], whole ? std::optional(reply->entries[i]) : std::nullopt);
}

void ClaimKeeper::finish(const Waiting& waiting, const std::optional<ClaimReply::Entry>& word) {
    NX_ASSERT(waiting_ > 0);
    const bool dead_owner = word && word->result == ClaimResult::held && word->owner_dead;
    if (!dead_owner || waiting.entry.op != ClaimOp::acquire || !started_)
        return tell(waiting, word);
    if (!look_) return take_over(waiting, *word);
    look_(waiting.entry, *word, [this, waiting, found = *word](bool kept) {
        if (kept || !started_) return tell(waiting, found);
        take_over(waiting, found);
    });
}

void ClaimKeeper::take_over(const Waiting& waiting, const ClaimReply::Entry& word) {
    Waiting again = waiting;
    again.entry.op = ClaimOp::takeover;
    again.entry.expect_attempt = word.attempt;
    again.asked_ns = clock_.now_ns();
    queue_.push_back(std::move(again));
}

void ClaimKeeper::tell(const Waiting& waiting, const std::optional<ClaimReply::Entry>& word) {
    --waiting_;
    if (waiting.answer) waiting.answer(word);
}

void ClaimKeeper::stop() {
    started_ = false;
    std::deque<Waiting> queue = std::move(queue_);
    queue_.clear();
    std::map<std::uint64_t, Sent> sent = std::move(sent_);
    sent_.clear();
    once_.clear();
    for (const Waiting& waiting : queue) finish(waiting, std::nullopt);
    for (const auto& [number, each] : sent)
        for (const Waiting& waiting : each.batch) finish(waiting, std::nullopt);
}

}  // namespace nodex::replication
