// Journal: the POP's durable claims, reservations, answers, stream logs and outbox as one state
// machine over Store. Single-threaded (the commit thread); deterministic: time and identifiers come
// in with the requests. Every verb adds to the caller's batch and changes memory; the caller then
// writes the batch and clears it: an empty batch tells the journal that everything before is in the
// store. A failed write fails the journal for good (fail-stop): memory is then ahead of the disk
// and nothing more is answered with success.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/random.h"
#include "storage/records.h"
#include "storage/store.h"

namespace nodex::storage {

// Where the running request lives: a core and a slot with its generation, never a pointer.
struct Owner {
    std::uint16_t core = 0;
    std::uint32_t slot = 0;
    std::uint32_t generation = 0;
};

enum class ClaimVerdict : std::uint8_t {
    granted,   // the claim is ours: go on
    running,   // the same request runs: join `owner`
    finished,  // replay `answer`
    mismatch,  // the key was used with another body: 422
};

struct ClaimOutcome {
    ClaimVerdict verdict = ClaimVerdict::granted;
    Owner owner;                   // running
    RequestId running_request;     // running
    std::optional<Answer> answer;  // finished
    std::string key_record;  // finished: CF dek of the answer; "" when it was shredded or expired
};

// B4: everything that ends a request, in one write.
struct Finish {
    RequestId request_id;
    Answer answer;
    std::optional<Settlement>
        settlement;  // absent: nothing is charged (amount 0 requests still settle)
};

class Journal {
  public:
    // Reads meta, leases, open requests, outbox bounds. Errors: corrupt, storage_failed.
    // The install id is made once, when there is none: from `random`, or from the secret source.
    static Result<std::unique_ptr<Journal>> open(Store& store);
    static Result<std::unique_ptr<Journal>> open(Store& store, Random& random);
    ~Journal();

    // What was open when the process ended. The caller decides by rule (see storage/recovery.h) and
    // ends each with finish() or release() before serving.
    [[nodiscard]] const std::vector<OpenRequest>& recovered() const noexcept;

    // What claim() would answer, without claiming (a replay must not need money). `granted`: the
    // key is free.
    Result<ClaimOutcome> look_up(const OpenRequest& request, std::int64_t now_ms,
                                 const Batch& batch);
    // B1. Looks the key up (memory, then Store); when granted adds the open row.
    Result<ClaimOutcome> claim(const OpenRequest& request, Owner owner, std::int64_t now_ms,
                               Batch& batch);
    // B3. One sealed chunk of a running answer; `key_record` with the first chunk, else "".
    void append_chunk(BodyId body, std::uint32_t number, Bytes sealed, Bytes key_record,
                      Batch& batch);
    // B4. A zero idempotency id is an unkeyed request: claims of it never meet and no answer is
    // kept. overflow(self) when a lease counter would leave int64. not_found(self) when the request
    // is not open (already finished): the caller's mistake or a late duplicate.
    Status finish(const Finish& finish, Batch& batch);
    // Frees the key: validation failed later, upstream failed before anything was produced, never
    // dispatched.
    Status release(const RequestId& request_id, Batch& batch);
    // The answer ended or moves elsewhere while running: new owner for joiners (an exchange that
    // drains alone).
    void reassign(const RequestId& request_id, Owner owner);

    // The outbox. Sequence numbers are contiguous from 1; chain = SHA-256(previous, record).
    struct OutboxEntry {
        std::uint64_t sequence = 0;
        std::string record;  // encoded Settlement
    };
    // Oldest first, from `first_sequence`, at most `records_max` and `bytes_max` (but one record
    // always). stale(self): the row of `first_sequence` is gone. corrupt, storage_failed.
    Result<std::vector<OutboxEntry>> read_outbox(std::uint64_t first_sequence, unsigned records_max,
                                                 std::size_t bytes_max);
    // B5: the ledger has applied everything up to `sequence` (asserted: at most outbox().last). An
    // older one changes nothing. corrupt, storage_failed: the row of `sequence` could not be read
    // back; nothing changed.
    Status truncate_outbox(std::uint64_t sequence, std::int64_t now_ms, Batch& batch);
    // A restored ledger stands at `sequence` (asserted: at most outbox().applied): what follows is
    // shipped again. stale(self): that row is not kept any more; corrupt, storage_failed: nothing
    // changed.
    Status rewind_outbox(std::uint64_t sequence, Batch& batch);
    struct OutboxBounds {
        std::uint64_t kept = 1;     // the oldest row that is still there
        std::uint64_t applied = 0;  // everything up to here is applied by the ledger
        std::uint64_t last = 0;     // the newest written
        ChainHash chain_at_applied;
        ChainHash chain_at_last;
    };
    [[nodiscard]] OutboxBounds outbox() const noexcept;

    // Lease counters as they are durable: changed by finish() (settled) and set_lease()
    // (generation, grant, return). Within a generation `settled` belongs to finish(): set_lease()
    // does not change it. An older generation than the row's is ignored by both: its settlements
    // are the centre's to account.
    struct Scope {
        enum class Kind : std::uint8_t { account, key } kind = Kind::account;
        std::uint64_t id = 0;
        auto operator<=>(const Scope&) const noexcept = default;
    };
    [[nodiscard]] std::optional<LeaseCounters> lease(const Scope& scope) const noexcept;
    void set_lease(const Scope& scope, const LeaseCounters& counters, Batch& batch);
    [[nodiscard]] std::vector<Scope> lease_scopes() const;

    [[nodiscard]] InstallId install_id() const noexcept;
    [[nodiscard]] std::size_t open_count() const noexcept;

  private:
    Journal();
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::storage
