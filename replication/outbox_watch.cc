// OutboxWatch: see the header.
#include "replication/outbox_watch.h"

#include <algorithm>
#include <memory>

namespace nodex::replication {
namespace {

constexpr Nanoseconds look_interval = second;

}  // namespace

struct OutboxWatch::Look {
    std::uint64_t applied = 0;
    std::uint64_t last = 0;
    std::int64_t oldest_ms = 0;  // 0: everything is applied
};

void OutboxWatch::tick(std::uint64_t applied) {
    applied_ = std::max(applied_, applied);
    if (looking_ || clock_.now_ns() < look_at_ns_) return;
    looking_ = true;
    look_at_ns_ = clock_.now_ns() + look_interval;
    const auto look = std::make_shared<Look>();
    commits_.call(
        [look, applied](storage::Journal& journal, storage::Store&, storage::Batch&) -> Status {
            const storage::Journal::OutboxBounds bounds = journal.outbox();
            look->applied = std::max(bounds.applied, std::min(applied, bounds.last));
            look->last = bounds.last;
            if (look->applied == bounds.last) return {};
            const auto oldest = journal.read_outbox(look->applied + 1, 1, 1);
            if (!oldest) return oldest.error();
            const auto settlement = storage::decode_settlement(oldest->front().record);
            if (!settlement) return settlement.error();
            look->oldest_ms = settlement->settled_ms;
            return {};
        },
        [this, look](const Status& status) {
            looking_ = false;
            if (status) looked(*look);
        },
        CommitPort::Durable::reads);
}

// A restored ledger stands before what an earlier one had applied: the journal's word counts.
void OutboxWatch::looked(const Look& look) {
    applied_ = look.applied;
    last_ = look.last;
    oldest_ = look.applied + 1;
    oldest_ms_ = look.oldest_ms;
    lag_at_look_ms_ =
        oldest_ms_ == 0 ? 0 : std::max<std::int64_t>(clock_.wall_ms() - oldest_ms_, 0);
}

std::int64_t OutboxWatch::lag_ms() const noexcept {
    if (applied_ >= last_ || oldest_ms_ == 0) return 0;
    if (applied_ >= oldest_) return lag_at_look_ms_;
    return std::max<std::int64_t>(clock_.wall_ms() - oldest_ms_, 0);
}

}  // namespace nodex::replication
