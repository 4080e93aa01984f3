// Outbox: settlements: contiguous numbers from 1, chained by SHA-256; those that the ledger has not
// applied yet, the newest of them in memory for shipping, and for some days those that it has. Part
// of Journal; same thread, same batch rules.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/journal.h"
#include "storage/outbox_retention.h"

namespace nodex::storage {

class Outbox {
  public:
    // Reads the mark and every unapplied row; verifies numbers and chain: corrupt(storage),
    // storage_failed.
    Status open(Store& store);
    void append(const Settlement& settlement, Batch& batch);
    // stale(self) when the row of `first_sequence` is gone, corrupt, storage_failed.
    Result<std::vector<Journal::OutboxEntry>> read(Store& store, std::uint64_t first_sequence,
                                                   unsigned records_max,
                                                   std::size_t bytes_max) const;
    // An older or equal mark changes nothing. corrupt, storage_failed: nothing changed.
    Status truncate(Store& store, std::uint64_t sequence, std::int64_t now_ms, Batch& batch);
    // The ledger stands at `sequence`, before what it had applied once. stale(self): that row is
    // not kept any more. corrupt, storage_failed: nothing changed.
    Status rewind(Store& store, std::uint64_t sequence, Batch& batch);
    [[nodiscard]] const Journal::OutboxBounds& bounds() const noexcept { return bounds_; }

  private:
    struct Entry {
        ChainHash chain;     // after this record
        std::string record;  // encoded Settlement
    };
    [[nodiscard]] bool in_window(std::uint64_t sequence) const noexcept;
    Entry& slot(std::uint64_t sequence) noexcept;
    [[nodiscard]] const Entry& slot(std::uint64_t sequence) const noexcept;
    static Result<Entry> load(Store& store, std::uint64_t sequence);
    // The rows of [from, to), each in its place, in one pass: a POP that was cut off for minutes ships a
    // hundred thousand that have left the window. Until the visitor answers false. corrupt, storage_failed.
    static Status load(Store& store, std::uint64_t from, std::uint64_t to,
                       const std::function<bool(std::uint64_t sequence, Entry& row)>& visit);

    Journal::OutboxBounds bounds_;
    OutboxRetention retention_;
    std::vector<Entry> window_;  // a ring by sequence: the newest min(last - applied, size) records
    std::string row_;            // scratch of append()
};

}  // namespace nodex::storage
