// LeaseTable: counters per scope, written once a batch.
#include "storage/lease_table.h"

#include "storage/keyspace.h"

namespace nodex::storage {

Status LeaseTable::open(Store& store) {
    Status verdict;
    const Status scanned =
        store.scan(Family::lease, {}, {}, [this, &verdict](Bytes key, Bytes value) {
            const auto scope = parse_lease_key(key);
            const auto counters = decode_lease_counters(value);
            if (!scope || !counters) {
                verdict = Error{ErrorCode::corrupt, ErrorSource::storage};
                return false;
            }
            rows_[*scope].counters = *counters;
            return true;
        });
    if (!scanned) return scanned;
    return verdict;
}

std::optional<LeaseCounters> LeaseTable::find(const Journal::Scope& scope) const noexcept {
    const auto found = rows_.find(scope);
    if (found == rows_.end()) return std::nullopt;
    return found->second.counters;
}

std::vector<Journal::Scope> LeaseTable::scopes() const {
    std::vector<Journal::Scope> all;
    for (const auto& [scope, row] : rows_) all.push_back(scope);
    return all;
}

void LeaseTable::set(const Journal::Scope& scope, const LeaseCounters& counters,
                     std::uint64_t batch_number, Batch& batch) {
    const auto [found, inserted] = rows_.try_emplace(scope);
    Row& row = found->second;
    if (!inserted && counters.generation < row.counters.generation) return;
    const bool same = !inserted && counters.generation == row.counters.generation;
    const Nano settled = same ? row.counters.settled : counters.settled;
    row.counters = counters;
    row.counters.settled = settled;
    put(scope, row, batch_number, batch);
}

Status LeaseTable::can_settle(const Journal::Scope& scope, std::uint32_t generation,
                              Nano amount) const noexcept {
    const auto found = rows_.find(scope);
    if (found == rows_.end() || found->second.counters.generation != generation) return {};
    const auto sum = add_nano(found->second.counters.settled, amount);
    if (!sum) return sum.error();
    return {};
}

void LeaseTable::settle(const Journal::Scope& scope, std::uint32_t generation, Nano amount,
                        std::uint64_t batch_number, Batch& batch) {
    Row& row = rows_[scope];
    if (generation < row.counters.generation) return;
    if (generation > row.counters.generation)
        row.counters = LeaseCounters{.generation = generation};
    const auto settled = add_nano(row.counters.settled, amount);
    NX_ASSERT(settled.has_value());  // can_settle() was asked
    row.counters.settled = *settled;
    put(scope, row, batch_number, batch);
}

void LeaseTable::put(const Journal::Scope& scope, Row& row, std::uint64_t batch_number,
                     Batch& batch) {
    encoded_.clear();
    encode(row.counters, encoded_);
    if (row.batch_number == batch_number) {
        batch.replace_value(row.change_index, encoded_);
        return;
    }
    row.batch_number = batch_number;
    row.change_index = batch.count();
    batch.put(Family::lease, lease_key(scope).view(), encoded_);
}

}  // namespace nodex::storage
