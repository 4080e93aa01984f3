// OutboxRetention: which applied rows of the outbox are still kept, so that a ledger restored from
// a backup can ask for them again. Time is noted for spans of ten minutes, not for every row: what
// is stored is a list of some hundred pairs. Part of Outbox; same thread, same batch rules.
#pragma once
#include <cstdint>
#include <deque>
#include <string>

#include "edge/base/bytes.h"
#include "edge/base/result.h"

namespace nodex::storage {

class OutboxRetention {
  public:
    // Rows up to `applied` were erased when they were applied: a database of before.
    explicit OutboxRetention(std::uint64_t applied = 0) noexcept : erased_(applied) {}

    // Rows up to here are gone.
    [[nodiscard]] std::uint64_t erased() const noexcept { return erased_; }
    // The ledger has applied everything up to `sequence`. Whether what encode() says has changed.
    bool applied(std::uint64_t sequence, std::int64_t now_ms);
    // Lets go of rows that are older than limits::outbox_kept, or beyond
    // limits::outbox_kept_records of them; whether erased() has changed.
    bool expire(std::int64_t now_ms);
    // The ledger stands at `sequence` again: what follows is not applied any more.
    void rewind(std::uint64_t sequence) noexcept;

    // erased u64 count u16 [sequence u64 time_ms i64]
    [[nodiscard]] std::string encode() const;
    static Result<OutboxRetention> decode(Bytes bytes) noexcept;  // corrupt(storage)

  private:
    struct Span {
        std::uint64_t last = 0;     // its newest row
        std::int64_t from_ms = 0;   // when the first of it was applied
        std::int64_t until_ms = 0;  // and the last
    };
    std::uint64_t erased_ = 0;
    std::deque<Span> spans_;  // oldest first, contiguous from erased_ + 1
};

}  // namespace nodex::storage
