// SimStore: ordered maps, a list of unsynced writes, and faults on request.
#include "storage/sim_store.h"

namespace nodex::storage {
namespace {

constexpr Error read_failed{ErrorCode::storage_failed, ErrorSource::storage};

std::size_t index_of(Family family) noexcept {
    NX_ASSERT(family < Family::count);
    return static_cast<std::size_t>(family);
}

}  // namespace

Result<std::optional<std::string>> SimStore::get(Family family, Bytes key) noexcept {
    const std::lock_guard lock(mutex_);
    if (reads_fail_) return read_failed;
    const Table& table = tables_[index_of(family)];
    const auto found = table.find(key);
    if (found == table.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
}

void SimStore::apply(Tables& tables, const Batch& batch) {
    for (std::size_t i = 0; i < batch.count(); ++i) {
        const Batch::Change change = batch.change(i);
        Table& table = tables[index_of(change.family)];
        switch (change.kind) {
            case Batch::Kind::put:
                table.insert_or_assign(std::string(change.key), std::string(change.value));
                break;
            case Batch::Kind::erase:
                if (const auto found = table.find(change.key); found != table.end())
                    table.erase(found);
                break;
            case Batch::Kind::erase_range:
                if (change.key < change.value)
                    table.erase(table.lower_bound(change.key), table.lower_bound(change.value));
                break;
        }
    }
}

Status SimStore::write(const Batch& batch, Durability durability) noexcept {
    if (during_write_) during_write_();
    return write_now(batch, durability);
}

Status SimStore::write_now(const Batch& batch, Durability durability) noexcept {
    const std::lock_guard lock(mutex_);
    if (failed_) return Error{write_error_, ErrorSource::storage};
    const bool fails = armed_ && writes_until_failure_ == 0;
    if (armed_ && !fails) --writes_until_failure_;
    if (fails) failed_ = true;
    if (fails && !failing_write_reaches_disk_) return Error{write_error_, ErrorSource::storage};
    apply(tables_, batch);
    unsynced_.push_back(batch);
    ++writes_count_;
    if (fails) return Error{write_error_, ErrorSource::storage};
    if (durability == Durability::power) {
        for (const Batch& earlier : unsynced_) apply(synced_, earlier);
        unsynced_.clear();
        ++synced_writes_count_;
    }
    return {};
}

Result<Written> SimStore::try_write(const Batch& batch) noexcept {
    if (during_write_) during_write_();
    {
        const std::lock_guard lock(mutex_);
        if (busy_) return Written::not_now;
    }
    if (const Status written = write_now(batch, Durability::process); !written) return written.error();
    return Written::yes;
}

// A copy of the range: the visitor may call get() or take its time without holding the lock.
Result<SimStore::Rows> SimStore::rows(Family family, Bytes from, Bytes to) const noexcept {
    const std::lock_guard lock(mutex_);
    if (reads_fail_) return read_failed;
    const Table& table = tables_[index_of(family)];
    Rows rows;
    const auto end = to.empty() ? table.end() : table.lower_bound(to);
    if (!to.empty() && to <= from) return rows;
    for (auto row = table.lower_bound(from); row != end; ++row)
        rows.emplace_back(row->first, row->second);
    return rows;
}

Status SimStore::scan(Family family, Bytes from, Bytes to,
                      const std::function<bool(Bytes key, Bytes value)>& visit) noexcept {
    const auto range = rows(family, from, to);
    if (!range) return range.error();
    for (const auto& [key, value] : *range)
        if (!visit(key, value)) break;
    return {};
}

Status SimStore::scan_backwards(Family family, Bytes from, Bytes to,
                                const std::function<bool(Bytes key, Bytes value)>& visit) noexcept {
    const auto range = rows(family, from, to);
    if (!range) return range.error();
    for (auto row = range->rbegin(); row != range->rend(); ++row)
        if (!visit(row->first, row->second)) break;
    return {};
}

bool SimStore::failed() const noexcept {
    const std::lock_guard lock(mutex_);
    return failed_;
}

bool SimStore::low_on_space() const noexcept {
    const std::lock_guard lock(mutex_);
    return low_on_space_;
}

void SimStore::fail_write_after(std::uint64_t writes, ErrorCode error, bool reaches_disk) noexcept {
    const std::lock_guard lock(mutex_);
    armed_ = true;
    writes_until_failure_ = writes;
    write_error_ = error;
    failing_write_reaches_disk_ = reaches_disk;
}

void SimStore::fail_reads(bool fail) noexcept {
    const std::lock_guard lock(mutex_);
    reads_fail_ = fail;
}

void SimStore::set_low_on_space(bool low) noexcept {
    const std::lock_guard lock(mutex_);
    low_on_space_ = low;
}

void SimStore::on_write(std::function<void()> during) {
    during_write_ = std::move(during);
}

void SimStore::set_busy(bool busy) noexcept {
    const std::lock_guard lock(mutex_);
    busy_ = busy;
}

bool SimStore::corrupt_value(Family family, Bytes key, std::size_t octet) noexcept {
    const std::lock_guard lock(mutex_);
    bool found_any = false;
    for (Tables* tables : {&tables_, &synced_}) {
        Table& table = (*tables)[index_of(family)];
        const auto found = table.find(key);
        if (found == table.end() || octet >= found->second.size()) continue;
        found->second[octet] = static_cast<char>(found->second[octet] ^ 0x40);
        found_any = true;
    }
    return found_any;
}

void SimStore::restart() noexcept {
    armed_ = false;
    failed_ = false;
    reads_fail_ = false;
    low_on_space_ = false;
    busy_ = false;
}

void SimStore::crash_process() noexcept {
    const std::lock_guard lock(mutex_);
    restart();
}

void SimStore::lose_power(std::size_t unsynced_kept) noexcept {
    const std::lock_guard lock(mutex_);
    NX_ASSERT(unsynced_kept <= unsynced_.size());
    for (std::size_t i = 0; i < unsynced_kept; ++i) apply(synced_, unsynced_[i]);
    unsynced_.clear();
    tables_ = synced_;
    restart();
}

std::size_t SimStore::unsynced_count() const noexcept {
    const std::lock_guard lock(mutex_);
    return unsynced_.size();
}

std::uint64_t SimStore::writes_count() const noexcept {
    const std::lock_guard lock(mutex_);
    return writes_count_;
}

std::uint64_t SimStore::synced_writes_count() const noexcept {
    const std::lock_guard lock(mutex_);
    return synced_writes_count_;
}

std::size_t SimStore::keys_count(Family family) const noexcept {
    const std::lock_guard lock(mutex_);
    return tables_[index_of(family)].size();
}

}  // namespace nodex::storage
