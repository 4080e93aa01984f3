// Outbox: rows, chain and window.
//   row = chain id[32], settlement        (chain: SHA-256(chain of the row before, settlement))
// The chain is stored beside the record so that a row damaged on disk is noticed before it is
// shipped, and so that truncation knows the chain at any applied number without hashing again.
#include "storage/outbox.h"

#include <algorithm>

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "edge/crypto/crypto.h"
#include "storage/keyspace.h"

namespace nodex::storage {
namespace {

// Records of the batch that is being filled are not in the store yet: they must be readable from
// the window.
static_assert(limits::outbox_window_records >= limits::commit_batch_operations_max);

ChainHash chain_after(const ChainHash& before, Bytes record) noexcept {
    crypto::Sha256Stream hash;
    hash.update(before.view());
    hash.update(record);
    return ChainHash::from(crypto::view(hash.finish()));
}

Error corrupt_row(std::uint64_t sequence) {
    log::error("outbox_corrupt", {{"sequence", sequence}});
    return Error{ErrorCode::corrupt, ErrorSource::storage};
}

}  // namespace

Status Outbox::open(Store& store) {
    window_.resize(limits::outbox_window_records);
    auto mark = store.get(Family::meta, meta_key::outbox);
    if (!mark) return mark.error();
    if (mark->has_value()) {
        const auto decoded = decode_outbox_mark(**mark);
        if (!decoded) return decoded.error();
        bounds_.applied = bounds_.last = decoded->applied;
        bounds_.chain_at_applied = bounds_.chain_at_last = decoded->chain;
    }
    auto kept = store.get(Family::meta, meta_key::kept);
    if (!kept) return kept.error();
    retention_ = OutboxRetention(bounds_.applied);
    if (kept->has_value()) {
        auto decoded = OutboxRetention::decode(**kept);
        if (!decoded) return decoded.error();
        retention_ = std::move(*decoded);
    }
    bounds_.kept = retention_.erased() + 1;
    Status verdict;
    const Status scanned = store.scan(
        Family::outbox, outbox_key(bounds_.applied + 1).view(), {},
        [this, &verdict](Bytes key, Bytes row) {
            const std::uint64_t expected = bounds_.last + 1;
            const bool well_formed =
                key == outbox_key(expected).view() && row.size() > ChainHash::size;
            if (!well_formed) {
                verdict = corrupt_row(expected);
                return false;
            }
            const Bytes record = row.substr(ChainHash::size);
            const ChainHash chain = chain_after(bounds_.chain_at_last, record);
            if (chain.view() != row.substr(0, ChainHash::size) || !decode_settlement(record)) {
                verdict = corrupt_row(expected);
                return false;
            }
            Entry& entry = slot(expected);
            entry.chain = chain;
            entry.record = record;
            bounds_.last = expected;
            bounds_.chain_at_last = chain;
            return true;
        });
    if (!scanned) return scanned;
    return verdict;
}

void Outbox::append(const Settlement& settlement, Batch& batch) {
    const std::uint64_t sequence = ++bounds_.last;
    Entry& entry = slot(sequence);
    entry.record.clear();
    encode(settlement, entry.record);
    entry.chain = chain_after(bounds_.chain_at_last, entry.record);
    bounds_.chain_at_last = entry.chain;
    row_.assign(entry.chain.view());
    row_.append(entry.record);
    batch.put(Family::outbox, outbox_key(sequence).view(), row_);
}

Result<std::vector<Journal::OutboxEntry>> Outbox::read(Store& store, std::uint64_t first_sequence,
                                                       unsigned records_max,
                                                       std::size_t bytes_max) const {
    if (first_sequence <= retention_.erased()) return Error{ErrorCode::stale, ErrorSource::self};
    std::vector<Journal::OutboxEntry> entries;
    std::size_t bytes = 0;
    const auto take = [&](std::uint64_t sequence, std::string record) {
        bytes += record.size();
        if (bytes > bytes_max && !entries.empty()) return false;  // one record always fits
        entries.push_back({sequence, std::move(record)});
        return true;
    };
    const std::uint64_t end = std::min(first_sequence + records_max, bounds_.last + 1);
    std::uint64_t next = first_sequence;
    while (next < end && !in_window(next)) ++next;
    bool more = true;
    const Status read =
        load(store, first_sequence, next, [&](std::uint64_t sequence, Entry& row) {
            return more = take(sequence, std::move(row.record));
        });
    if (!read) return read.error();
    for (; more && next < end; ++next) more = take(next, slot(next).record);
    return entries;
}

Status Outbox::truncate(Store& store, std::uint64_t sequence, std::int64_t now_ms, Batch& batch) {
    if (sequence <= bounds_.applied) return {};
    NX_ASSERT(sequence <= bounds_.last);
    ChainHash chain;
    if (in_window(sequence)) {
        chain = slot(sequence).chain;
    } else {
        const auto loaded = load(store, sequence);
        if (!loaded) return loaded.error();
        chain = loaded->chain;
    }
    bounds_.applied = sequence;
    bounds_.chain_at_applied = chain;
    std::string mark;
    encode(OutboxMark{bounds_.applied, bounds_.chain_at_applied}, mark);
    batch.put(Family::meta, meta_key::outbox, mark);
    const bool noted = retention_.applied(sequence, now_ms);
    const bool expired = retention_.expire(now_ms);
    if (noted || expired) batch.put(Family::meta, meta_key::kept, retention_.encode());
    bounds_.kept = retention_.erased() + 1;
    // From zero, not from the last mark: one range whatever an earlier one left behind.
    if (expired)
        batch.erase_range(Family::outbox, outbox_key(0).view(), outbox_key(bounds_.kept).view());
    return {};
}

// The window is made whole first: what is not applied must be in it as far as it reaches.
Status Outbox::rewind(Store& store, std::uint64_t sequence, Batch& batch) {
    NX_ASSERT(sequence <= bounds_.applied);
    const bool from_the_start = sequence == 0 && retention_.erased() == 0;
    if (!from_the_start && sequence <= retention_.erased())
        return Error{ErrorCode::stale, ErrorSource::self};
    ChainHash chain;
    if (!from_the_start) {
        const auto row = load(store, sequence);
        if (!row) return row.error();
        chain = row->chain;
    }
    const std::uint64_t window_from =
        std::max(sequence, bounds_.last - std::min<std::uint64_t>(bounds_.last, window_.size()));
    std::vector<std::pair<std::uint64_t, Entry>> rows;
    const Status read = load(store, window_from + 1, bounds_.applied + 1,
                             [&](std::uint64_t number, Entry& row) {
                                 rows.emplace_back(number, std::move(row));
                                 return true;
                             });
    if (!read) return read;
    for (auto& [number, row] : rows) slot(number) = std::move(row);
    bounds_.applied = sequence;
    bounds_.chain_at_applied = chain;
    retention_.rewind(sequence);
    std::string mark;
    encode(OutboxMark{bounds_.applied, bounds_.chain_at_applied}, mark);
    batch.put(Family::meta, meta_key::outbox, mark);
    batch.put(Family::meta, meta_key::kept, retention_.encode());
    return {};
}

bool Outbox::in_window(std::uint64_t sequence) const noexcept {
    return sequence > bounds_.applied && sequence <= bounds_.last &&
           bounds_.last - sequence < window_.size();
}

Outbox::Entry& Outbox::slot(std::uint64_t sequence) noexcept {
    return window_[sequence % window_.size()];
}
const Outbox::Entry& Outbox::slot(std::uint64_t sequence) const noexcept {
    return window_[sequence % window_.size()];
}

Result<Outbox::Entry> Outbox::load(Store& store, std::uint64_t sequence) {
    Entry entry;
    const Status read = load(store, sequence, sequence + 1, [&](std::uint64_t, Entry& row) {
        entry = std::move(row);
        return true;
    });
    if (!read) return read.error();
    return entry;
}

Status Outbox::load(Store& store, std::uint64_t from, std::uint64_t to,
                    const std::function<bool(std::uint64_t sequence, Entry& row)>& visit) {
    if (from >= to) return {};
    std::uint64_t expected = from;
    bool enough = false;
    Status verdict;
    const Status scanned = store.scan(
        Family::outbox, outbox_key(from).view(), outbox_key(to).view(), [&](Bytes key, Bytes row) {
            const Bytes record = row.size() > ChainHash::size ? row.substr(ChainHash::size) : Bytes{};
            if (key != outbox_key(expected).view() || !decode_settlement(record)) {
                verdict = corrupt_row(expected);
                return false;
            }
            Entry entry{ChainHash::from(row.substr(0, ChainHash::size)), std::string(record)};
            enough = !visit(expected++, entry);
            return !enough;
        });
    if (!scanned) return scanned;
    if (verdict && !enough && expected < to) return corrupt_row(expected);
    return verdict;
}

}  // namespace nodex::storage
