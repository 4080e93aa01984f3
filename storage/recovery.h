// Recovery: what becomes of the requests that were running when the process ended
// (ARCHITECTURE.md, section 5). Run once at start, before anything is served; on the calling
// thread.
//   - nothing of the answer was logged: released; the key is free, the reservation gone, nothing
//     is charged
//   - something was logged: settled for what was logged; a resume replays it and then ends with
//     upstream_lost
// Chunks are logged before they are delivered, so this never charges less often than something was
// delivered.
#pragma once
#include <cstdint>
#include <functional>

#include "storage/journal.h"
#include "storage/vault.h"

namespace nodex::storage {

struct Delivered {
    std::uint64_t output_units = 0;
    std::uint64_t events = 0;  // 0 for a non-stream answer
};
// Meters the logged part of an answer; it may end anywhere, also inside an event.
using CountDelivered = std::function<Delivered(Bytes body, const OpenRequest& request)>;

// Without knowledge of the dialect: a unit for four bytes of payload, rounded up (of a stream only
// `data:` lines count), and an event for every complete one that carries an id. Framing makes this
// an upper estimate, which the reservation caps; who can read the deltas passes a better one.
Delivered count_four_bytes_a_unit(Bytes body, const OpenRequest& request);

struct RecoveryOptions {
    std::int64_t now_ms = 0;
    std::int64_t answer_lifetime_ms = 0;  // Answer::expires_ms = now + this
    Durability durability = Durability::power;
    CountDelivered count = count_four_bytes_a_unit;
};

struct RecoverySummary {
    std::uint64_t released = 0;
    std::uint64_t settled = 0;
    std::uint64_t unreadable =
        0;  // of the settled: a logged chunk could not be opened; what follows it is lost
    Nano charged = 0;
};

// Ends every request of journal.recovered(), with a log line each and a summary. Safe to repeat
// after a crash in its middle. Errors: storage_full, storage_failed, corrupt, overflow: the node
// must not serve.
Result<RecoverySummary> recover(Journal& journal, Store& store, const Vault& vault,
                                const RecoveryOptions& options);

}  // namespace nodex::storage
