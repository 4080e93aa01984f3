// BuddyCopies: what this POP keeps of other POPs' answers, so that their clients can go on here
// when the owner cannot be reached. Chunks arrive sealed and stay sealed; a copy never reserves,
// claims or charges anything. Commit thread only, but for bytes().
//
//   none --first piece, with its open row--> running --answer, all its chunks--> finished
//   any --expiry, shredding, a newer request under the same key--> none
//
// A copy has no holes: a piece that does not follow what is here is not taken, and its sender is
// told where to go on.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "storage/journal.h"
#include "storage/records.h"
#include "storage/store.h"

namespace nodex::storage {

enum class CopyVerdict : std::uint8_t {
    stored,   // also: was here already
    gap,      // chunks before it are missing: go on at chunks_count
    unknown,  // no copy of that request: send its open row, and all from the first chunk
    refused,  // no room for a new copy, or it would replace what must stay: give it up
    last = refused,
};

class BuddyCopies {
  public:
    struct Options {
        // Of sealed chunks; at it no new copy is begun, and a quarter above it none goes on.
        std::uint64_t bytes_max = 0;
        std::int64_t retention_ms = 0;  // how long chunks stay on the disk (RocksOptions)
    };
    // A part of one answer, as its owner sends it. Views are borrowed for the call.
    struct Piece {
        PopId owner{};
        std::uint64_t owner_life = 0;  // names the sending process
        AccountId account{};
        IdempotencyId idempotency;
        RequestId request;
        Bytes open;  // encoded OpenRequest; "": the copy exists
        std::uint32_t first_chunk = 0;
        Bytes key_record;  // with chunk 0, else ""
        std::vector<Bytes> chunks;
        Bytes answer;  // encoded Answer; "": it goes on
    };
    struct Outcome {
        CopyVerdict verdict = CopyVerdict::stored;
        std::uint32_t chunks_count = 0;  // here now
    };

    explicit BuddyCopies(Options options) noexcept : options_(options) {}
    // Reads how much is kept. Errors of the store, corrupt(storage).
    Status open(Store& store);

    // All pieces in order, in one batch; outcomes in the same order. One call a batch: a row that
    // an unwritten batch holds is not seen. Errors of the store.
    Result<std::vector<Outcome>> take(const std::vector<Piece>& pieces, std::int64_t now_ms,
                                      Store& store, Batch& batch);
    // The copy of `owner`'s answer under that key; nothing when there is none or it has expired.
    static Result<std::optional<BuddyCopy>> find(AccountId account,
                                                 const IdempotencyId& idempotency, PopId owner,
                                                 std::int64_t now_ms, Store& store);
    // The account was shredded: its copies cannot be opened any more, and their rows go.
    static void forget(AccountId account, Batch& batch);

    // Of the sealed chunks that are still on the disk; any thread.
    [[nodiscard]] std::uint64_t bytes() const noexcept {
        return bytes_.load(std::memory_order_relaxed);
    }

  private:
    struct Rows;
    Result<Outcome> take_one(const Piece& piece, std::int64_t now_ms, Rows& rows, Batch& batch);
    static bool may_begin(const OpenRequest& open, const Piece& piece) noexcept;
    void count(std::uint64_t bytes, std::int64_t now_ms, Batch& batch);
    void expire(std::int64_t now_ms, Batch& batch);

    const Options options_;
    std::map<std::uint32_t, std::uint64_t> by_hour_;  // when stored -> bytes, until they are gone
    std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace nodex::storage
