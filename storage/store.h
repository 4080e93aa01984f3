// Store: ordered key-value families with atomic batches. Two implementations, RocksStore and
// SimStore, held to one contract test. Thread-safe; who keeps order among writers is above it
// (group_commit.h; the centre).
#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/result.h"

namespace nodex::storage {

// Column families; keys and values: storage/keyspace.h. The c_ ones belong to the centre and exist
// in nodex-central's store, or in the edge's when it runs --standalone.
enum class Family : std::uint8_t {
    meta,    // install id, incarnation, schema version
    lease,   // settled and returned counters per scope
    open,    // claim + reservation of a running request (B1); small, scanned at start
    idem,    // finished claims: idempotency key -> answer; TTL
    outbox,  // settlements not yet applied by the ledger; FIFO by sequence
    body,    // sealed chunks of answers and stream logs; TTL
    dek,     // wrapped body keys; TTL
    buddy,   // what another POP wants kept of its answers; TTL
    c_account,
    c_key,
    c_lease,
    c_charge,
    c_row,
    c_price,
    c_mark,
    c_meta,
    c_key_hash,
    c_usage,
    c_claim,
    feed,         // what the centre told last: a start without it serves from here
    c_kek,        // body keys of accounts, wrapped by the centre's root key
    c_reference,  // where bodies are: never what is in them
    count
};
const char* name(Family family) noexcept;
// Families whose memtables insert from a hint (rocks_options.cc) take no range erasure: RocksDB 7.8
// (MemTable::Add) would use the hint of the rows in its list of erased ranges and corrupt both.
constexpr bool may_erase_range(Family family) noexcept {
    return family != Family::c_usage && family != Family::c_reference;
}

// How far a write must have gone when write() returns.
//   process  survives kill -9 of the process (operating system buffers)
//   power    survives power loss (fdatasync)
enum class Durability : std::uint8_t { process, power };

// An ordered list of changes, applied atomically. Reusable: clear() keeps the memory.
class Batch {
  public:
    void put(Family family, Bytes key, Bytes value) { add(Kind::put, family, key, value); }
    void erase(Family family, Bytes key) { add(Kind::erase, family, key, {}); }
    void erase_range(Family family, Bytes from, Bytes to) {
        NX_ASSERT(may_erase_range(family));
        add(Kind::erase_range, family, from, to);
    }  // [from, to)
    // The value of an earlier put, of the same size: a row that many operations change is written
    // once a batch.
    void replace_value(std::size_t index, Bytes value) noexcept {
        const Slot& slot = changes_[index];
        NX_ASSERT(slot.kind == Kind::put);
        NX_ASSERT(slot.value_size == value.size());
        std::memcpy(arena_.data() + slot.key_offset + slot.key_size, value.data(), value.size());
    }
    void clear() noexcept {
        changes_.clear();
        arena_.clear();
        number_ = next_number();
    }
    // Tells this filling from every other one, of any batch of this process: whoever keeps places
    // in a batch (replace_value) must notice that they are of an earlier one.
    [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
    [[nodiscard]] bool empty() const noexcept { return changes_.empty(); }
    [[nodiscard]] std::size_t count() const noexcept { return changes_.size(); }
    [[nodiscard]] std::size_t bytes() const noexcept { return arena_.size(); }

    enum class Kind : std::uint8_t { put, erase, erase_range };
    struct Change {
        Kind kind;
        Family family;
        Bytes key;
        Bytes value;
    };
    [[nodiscard]] Change change(std::size_t index) const noexcept {
        const Slot& slot = changes_[index];
        return {slot.kind, slot.family, Bytes(arena_).substr(slot.key_offset, slot.key_size),
                Bytes(arena_).substr(slot.key_offset + slot.key_size, slot.value_size)};
    }

  private:
    struct Slot {
        std::size_t key_offset;
        std::uint32_t key_size;
        std::uint32_t value_size;
        Kind kind;
        Family family;
    };
    void add(Kind kind, Family family, Bytes key, Bytes value) {
        changes_.push_back({arena_.size(), static_cast<std::uint32_t>(key.size()),
                            static_cast<std::uint32_t>(value.size()), kind, family});
        arena_.append(key).append(value);
    }
    static std::uint64_t next_number() noexcept {
        static std::atomic<std::uint64_t> last{0};
        return last.fetch_add(1, std::memory_order_relaxed) + 1;
    }
    std::vector<Slot> changes_;
    std::string arena_;
    std::uint64_t number_ = next_number();
};

// What became of a write that was only tried.
enum class Written : std::uint8_t { yes, not_now };

class Store {
  public:
    virtual ~Store() = default;
    // Nothing when absent; corrupt(storage), storage_failed(storage).
    virtual Result<std::optional<std::string>> get(Family family, Bytes key) noexcept = 0;
    // All or nothing. storage_full or storage_failed: this and every later write is refused until
    // the store is opened anew (a failed fsync is not retried: what the kernel dropped cannot be
    // known).
    virtual Status write(const Batch& batch, Durability durability) noexcept = 0;
    // The same at `process`, by a thread that may not wait for other writers, nor for a store that is
    // behind with its own work. `not_now`: nothing was written; the store is as it was. What remains
    // is the time that the operating system takes for it.
    virtual Result<Written> try_write(const Batch& batch) noexcept = 0;
    // Visits [from, to) in key order until the visitor answers false. Empty `to`: to the end of the
    // family.
    virtual Status scan(Family family, Bytes from, Bytes to,
                        const std::function<bool(Bytes key, Bytes value)>& visit) noexcept = 0;
    // Same, from the last key below `to` downwards to `from`.
    virtual Status scan_backwards(
        Family family, Bytes from, Bytes to,
        const std::function<bool(Bytes key, Bytes value)>& visit) noexcept = 0;
    [[nodiscard]] virtual bool failed() const noexcept = 0;
    // New work should be refused (storage_full) while running work may still end: the floor below
    // which write() fails is near. Goes away again when space comes back. Any thread.
    [[nodiscard]] virtual bool low_on_space() const noexcept { return false; }
};

}  // namespace nodex::storage
