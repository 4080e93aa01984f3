// Outbox: settlements that the ledger has not applied yet: contiguous numbers from 1, chained by
// SHA-256, the newest kept in memory for shipping, the rest read back. Part of Journal; same
// thread, same batch rules.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "storage/journal.h"

namespace nodex::storage {

class Outbox {
  public:
    // Reads the mark and every unapplied row; verifies numbers and chain: corrupt(storage),
    // storage_failed.
    Status open(Store& store);
    void append(const Settlement& settlement, Batch& batch);
    // stale(self) when `first_sequence` is applied already (its row is gone), corrupt,
    // storage_failed.
    Result<std::vector<Journal::OutboxEntry>> read(Store& store, std::uint64_t first_sequence,
                                                   unsigned records_max,
                                                   std::size_t bytes_max) const;
    // An older or equal mark changes nothing. corrupt, storage_failed: nothing changed.
    Status truncate(Store& store, std::uint64_t sequence, Batch& batch);
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

    Journal::OutboxBounds bounds_;
    std::vector<Entry> window_;  // a ring by sequence: the newest min(last - applied, size) records
    std::string row_;            // scratch of append()
};

}  // namespace nodex::storage
