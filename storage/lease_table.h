// LeaseTable: what this POP has settled and returned of every scope's grants, one row a scope. Part
// of Journal; a scope that many operations of a batch change is put once (Batch::replace_value).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/journal.h"

namespace nodex::storage {

class LeaseTable {
  public:
    Status open(Store& store);  // corrupt(storage), storage_failed
    [[nodiscard]] std::optional<LeaseCounters> find(const Journal::Scope& scope) const noexcept;

    [[nodiscard]] std::vector<Journal::Scope> scopes() const;

    // `batch_number` tells batches apart: a row of an earlier batch cannot be replaced in this one.
    // A newer generation replaces the row; the same one keeps what was settled (finish() owns that
    // number) and takes grant and return; an older one is ignored.
    void set(const Journal::Scope& scope, const LeaseCounters& counters, std::uint64_t batch_number,
             Batch& batch);

    // Whether settle() can: overflow(self) otherwise. Changes nothing.
    [[nodiscard]] Status can_settle(const Journal::Scope& scope, std::uint32_t generation,
                                    Nano amount) const noexcept;
    // settled += amount under `generation`. A generation that this POP has left behind is the
    // centre's to account (replication/README.md, "Lease at the centre"): its settlement still
    // travels in the outbox, no row changes here.
    void settle(const Journal::Scope& scope, std::uint32_t generation, Nano amount,
                std::uint64_t batch_number, Batch& batch);

  private:
    struct Row {
        LeaseCounters counters;
        std::uint64_t batch_number = 0;  // of the batch that holds the newest put; 0: none
        std::size_t change_index = 0;    // in that batch
    };
    void put(const Journal::Scope& scope, Row& row, std::uint64_t batch_number, Batch& batch);

    std::map<Journal::Scope, Row> rows_;
    std::string encoded_;  // scratch
};

}  // namespace nodex::storage
