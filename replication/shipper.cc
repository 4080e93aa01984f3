// Shipper: see the header. Several batches may be on their way; when one arrives out of order,
// sending stops until all are answered and starts again behind the ledger's mark.
#include "replication/shipper.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include "edge/base/limits.h"
#include "edge/base/log.h"

namespace nodex::replication {
namespace {

constexpr unsigned batches_max = limits::outbox_window_records;  // of one record each
constexpr Nanoseconds backoff_first = 50 * millisecond;
constexpr Nanoseconds backoff_max = 2 * second;
// Nobody serves: known from the server beside us, so that a look costs nothing.
constexpr Nanoseconds unserved_backoff_max = 200 * millisecond;
// One dead process of two takes every other request: that all are lost for so long, when heartbeats
// and the batch have asked some five times, is seldom chance.
constexpr Nanoseconds cut_min = 2 * second;
// A record alone takes 2 us to pack, for 110 octets less; of eight each takes 0.8 us, for 200 less.
constexpr std::size_t packed_bytes_min = 2'048;
// What TCP sends before it has heard anything (ten segments: RFC 6928), so that the first answer after
// a cut takes one round trip, packed or not. 256 records are 90 KB, three more; packed 34 KB, two.
constexpr unsigned first_records_max = 32;
constexpr Nanoseconds rejected_pause = 30 * second;  // a refused record needs an operator

// `chain`, at `from`, over the records up to `to`. corrupt(central): they are not here.
Status extend_chain(storage::Journal& journal, std::uint64_t from, std::uint64_t to,
                    ChainHash& chain) {
    while (from < to) {
        const auto count = std::min<std::uint64_t>(limits::ship_records_max, to - from);
        const auto entries =
            journal.read_outbox(from + 1, static_cast<unsigned>(count), limits::ship_bytes_max);
        if (!entries) return entries.error();
        if (entries->empty()) return Error{ErrorCode::corrupt, ErrorSource::central};
        for (const auto& entry : *entries) chain = next_chain(chain, entry.record);
        from = entries->back().sequence;
    }
    return {};
}

}  // namespace

struct Shipper::Read {
    std::vector<storage::Journal::OutboxEntry> entries;
    std::uint64_t last = 0;
};

void Shipper::stop() {
    ++life_;
    started_ = false;
    truncating_ = catching_up_ = false;
    go_back();
    batches_max_ = batches_max;
    was_cut_ = false;
    repetitions_ = 0;
    backoff_ns_ = 0;
}

void Shipper::start(std::uint64_t applied, const ChainHash& chain,
                    std::function<void(const Status&)> done) {
    stop();
    const auto bounds = std::make_shared<storage::Journal::OutboxBounds>();
    commits_.call(
        [bounds, applied, chain, now_ms = clock_.wall_ms(),
         compare = options_.planted_bug != PlantedBug::trust_any_disk](
            storage::Journal& journal, storage::Store&, storage::Batch& batch) -> Status {
            const Error differs{ErrorCode::corrupt, ErrorSource::central};
            *bounds = journal.outbox();
            if (applied < bounds->applied || applied > bounds->last) return differs;
            ChainHash ours = bounds->chain_at_applied;
            if (Status read = extend_chain(journal, bounds->applied, applied, ours); !read)
                return read;
            if (ours != chain && compare) return differs;
            return journal.truncate_outbox(applied, now_ms, batch);
        },
        [this, bounds, applied, chain, done = std::move(done)](const Status& status) {
            if (status) {
                started_ = true;
                applied_ = truncated_ = applied;
                chain_at_applied_ = chain_at_next_ = chain;
                next_ = applied + 1;
                last_ = bounds->last;
                if (steady_from_ == 0) steady_from_ = last_ + 1;  // an earlier process wrote it
                ship_at_ns_ = clock_.now_ns();
            }
            done(status);
        });
}

void Shipper::outbox_grew() {
    if (!started_) return;
    const Nanoseconds gathered = clock_.now_ns() + options_.delay_ns;
    if (next_ > last_ && backoff_ns_ == 0) ship_at_ns_ = gathered;
    last_ = std::max(last_, next_);  // at least one more; read_done() learns the number
}

void Shipper::tick() {
    watch_clock();
    if (!started_) return;
    if (behind_ && in_flight_ == 0 && !reading_) go_back();
    if (overdue()) give_up();
    const bool window =
        next_ <= applied_ + limits::outbox_window_records && in_flight_ < batches_max_;
    const bool due = clock_.now_ns() >= ship_at_ns_;
    if (!behind_ && !reading_ && window && due && next_ <= last_) read_more();
    if (!truncating_ && applied_ > truncated_) truncate();
}

// The ledger tells a record's age by our clock, and a clock that was set tells a wrong one. A clock
// that stood still with its machine is set when the machine goes on.
void Shipper::watch_clock() noexcept {
    const std::int64_t lead_ms = clock_.wall_ms() - clock_.now_ns() / millisecond;
    const std::int64_t moved_ms = wall_lead_ms_ ? std::abs(lead_ms - *wall_lead_ms_) : 0;
    wall_lead_ms_ = lead_ms;
    if (moved_ms < limits::clock_step_min / millisecond) return;
    unsteady_ = true;
    steady_at_ns_ = clock_.now_ns() + limits::request_deadline;
}

void Shipper::read_more() {
    reading_ = true;
    was_cut_ = was_cut_ || is_cut_off();
    const auto read = std::make_shared<Read>();
    const unsigned records_max = was_cut_ ? first_records_max : limits::ship_records_max;
    commits_.call(
        [read, records_max, from = next_](storage::Journal& journal, storage::Store&,
                                          storage::Batch&) -> Status {
            read->last = journal.outbox().last;
            auto entries = journal.read_outbox(from, records_max, limits::ship_bytes_max);
            if (!entries) return entries.error();
            read->entries = std::move(*entries);
            return {};
        },
        [this, read, life = life_, round = round_](const Status& status) {
            if (life == life_ && round == round_) read_done(*read, status);
        });
}

void Shipper::read_done(const Read& read, const Status& status) {
    reading_ = false;
    if (!status) return unanswered(status.error());
    last_ = read.last;
    if (behind_ || read.entries.empty()) return;
    NX_ASSERT(read.entries.front().sequence == next_);
    watch_clock();
    if (unsteady_) {
        steady_from_ = read.last + 1;
        unsteady_ = clock_.now_ns() < steady_at_ns_;
    }
    ShipRequest request;
    request.sent_ms = clock_.wall_ms();
    request.steady_from = steady_from_;
    request.first_sequence = next_;
    request.chain_before = chain_at_next_;
    for (const auto& entry : read.entries) {
        request.records.push_back(entry.record);
        chain_at_next_ = next_chain(chain_at_next_, entry.record);
    }
    next_ = read.entries.back().sequence + 1;
    sent_.push_back({next_ - 1, chain_at_next_});
    if (in_flight_++ == 0) waits_since_ns_ = clock_.now_ns();
    shipped_count_ += request.records.size();
    send(request);
    if (options_.planted_bug == PlantedBug::truncate_on_send) {
        applied_ = next_ - 1;
        chain_at_applied_ = chain_at_next_;
    }
    if (next_ <= last_) ship_at_ns_ = clock_.now_ns();  // more is waiting: no need to gather
}

void Shipper::send(const ShipRequest& request) {
    std::string payload = encode(request);
    MessageType type = MessageType::ship_request;
    if (options_.packed && payload.size() >= packed_bytes_min &&
        link_.centre_protocol() >= packed_ship_protocol) {
        type = MessageType::packed_ship_request;
        payload = pack(payload);
    }
    link_.request(
        "ship", type, payload,
        RetryTimer::longest,  // overdue() looks before; a late answer still moves the mark
        [this, first = request.first_sequence, life = life_,
         round = round_](const Result<std::string>& reply) {
            if (life == life_) replied(first, round, reply);
        });
}

void Shipper::replied(std::uint64_t first, std::uint64_t round,
                      const Result<std::string>& payload) {
    const Result<ShipReply> reply =
        payload ? decode_ship_reply(*payload) : Result<ShipReply>(payload.error());
    const Nanoseconds waited_ns = clock_.now_ns() - waits_since_ns_;
    if (reply) {
        waits_since_ns_ = clock_.now_ns();
        repetitions_ = 0;
    }
    if (round != round_) {
        if (reply) take(*reply);
        return;
    }
    NX_ASSERT(in_flight_ > 0);
    --in_flight_;
    if (!reply) return unanswered(reply.error());
    take(*reply);
    if (reply->rejected != 0) {
        ++failures_count_;
        log::error("settlement_rejected", {{"sequence", reply->rejected},
                                           {"reason", static_cast<unsigned>(reply->reason)}});
        behind_ = true;
        ship_at_ns_ = clock_.now_ns() + rejected_pause;
        if (reply->reason == RejectReason::chain && other_history_) other_history_();
        return;
    }
    backoff_ns_ = 0;
    if (reply->applied < first)
        behind_ = true;  // it arrived before its predecessor
    else
        grow_window(waited_ns);
}

void Shipper::unanswered(Error error) {
    ++failures_count_;
    go_back();
    const bool unserved =
        error.source == ErrorSource::central && error.code == ErrorCode::unavailable;
    if (!unserved) batches_max_ = 1;
    backoff_ns_ =
        std::clamp(backoff_ns_ * 2, backoff_first, unserved ? unserved_backoff_max : backoff_max);
    // Who waited for an answer in vain has waited.
    const bool waited = error.code == ErrorCode::timed_out;
    const Nanoseconds pause = waited ? 0 : backoff_ns_;
    ship_at_ns_ = std::max(ship_at_ns_, clock_.now_ns() + pause);  // a refused record's is longer
}

// The mark never goes back: a late reply tells an older one. Where it ends a batch of ours, the
// chains agree.
void Shipper::take(const ShipReply& reply) {
    if (reply.applied <= applied_) return;
    if (reply.applied >= next_) return catch_up(reply);
    for (const Sent& batch : sent_)
        if (batch.last == reply.applied && batch.chain_after != reply.chain)
            return differs(reply.applied);
    applied_ = reply.applied;
    chain_at_applied_ = reply.chain;
    while (!sent_.empty() && sent_.front().last <= applied_) sent_.pop_front();
}

// The ledger has what was sent before we went back: its answers were lost, or are late. From there
// on, when our records make the chain that it has. Sending all of it again would not do: in batches
// that end elsewhere the window may end before its mark, and then nothing moves any more.
void Shipper::catch_up(const ShipReply& reply) {
    if (catching_up_) return;  // there will be another answer
    catching_up_ = true;
    const auto ours = std::make_shared<ChainHash>(chain_at_applied_);
    commits_.call([ours, from = applied_, to = reply.applied](
                      storage::Journal& journal, storage::Store&,
                      storage::Batch&) -> Status { return extend_chain(journal, from, to, *ours); },
                  [this, ours, reply, life = life_](const Status& status) {
                      if (life == life_)
                          caught_up_to(reply, status ? Result<ChainHash>(*ours)
                                                     : Result<ChainHash>(status.error()));
                  },
                  CommitPort::Durable::reads);
}

void Shipper::caught_up_to(const ShipReply& reply, const Result<ChainHash>& ours) {
    catching_up_ = false;
    if (reply.applied <= applied_) return;
    const bool agrees = ours && *ours == reply.chain;
    if (!agrees && options_.planted_bug != PlantedBug::trust_any_disk)
        return differs(reply.applied);
    applied_ = reply.applied;
    chain_at_applied_ = reply.chain;
    if (next_ <= applied_) return go_back();  // to the new mark
    while (!sent_.empty() && sent_.front().last <= applied_) sent_.pop_front();
}

void Shipper::differs(std::uint64_t sequence) {
    log::error("ledger_chain_differs", {{"sequence", sequence}});
    ++failures_count_;
    behind_ = true;
    ship_at_ns_ = clock_.now_ns() + rejected_pause;
    if (other_history_) other_history_();
}

void Shipper::go_back() {
    ++round_;
    behind_ = reading_ = false;
    in_flight_ = 0;
    sent_.clear();
    next_ = applied_ + 1;
    chain_at_next_ = chain_at_applied_;
}

bool Shipper::overdue() const noexcept {
    return in_flight_ > 0 &&
           clock_.now_ns() - waits_since_ns_ > link_.patience(RetryTimer::longest, repetitions_);
}

// Somebody else was answered meanwhile, or nobody was.
void Shipper::give_up() {
    if (link_.last_contact_ns() > waits_since_ns_)
        ++repetitions_;
    else
        link_.gave_up(waits_since_ns_);
    unanswered({ErrorCode::timed_out, ErrorSource::central});
}

bool Shipper::is_cut_off() const noexcept {
    return clock_.now_ns() - link_.last_contact_ns() > cut_min;
}

// By an answer that was waited for so long; after a loss it is that of the only batch.
void Shipper::grow_window(Nanoseconds waited_ns) noexcept {
    const bool whole = was_cut_ && waited_ns <= RetryTimer::shortest;
    batches_max_ = whole ? batches_max : std::min(2 * batches_max_, batches_max);
    was_cut_ = false;
}

void Shipper::truncate() {
    truncating_ = true;
    const std::uint64_t applied = applied_;
    commits_.call(
        [applied, now_ms = clock_.wall_ms()](storage::Journal& journal, storage::Store&,
                                             storage::Batch& batch) -> Status {
            return journal.truncate_outbox(applied, now_ms, batch);
        },
        [this, applied, life = life_](const Status& status) {
            if (life != life_) return;
            truncating_ = false;
            if (status) truncated_ = applied;
        },
        CommitPort::Durable::later);
}

}  // namespace nodex::replication
