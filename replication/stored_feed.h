// What the centre told last, as rows of the POP's store: the objects of the feed and its version,
// so that a start without the centre serves from there, and the epoch and incarnation of the last
// registration, below which nothing is acted on.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "replication/feed_records.h"
#include "storage/store.h"

namespace nodex::replication {

struct StoredFeed {
    std::uint64_t version = 0;  // every object up to it is there; 0: nothing to serve from
    std::uint64_t from = 0;     // what to ask the centre for; 0: everything
    std::vector<FeedRecord> records;
};
// Rows that cannot be read (damaged) make it empty, with a log line "stored_feed_ignored": the
// centre has everything. What an older version of this program stored is served from, and fetched
// anew where that version passed over kinds of objects that are known by now.
// storage_failed(storage).
Result<StoredFeed> load_feed(storage::Store& store);
// One page: `records` as they came, decoded and as bytes, and the version they lead to. Harmless
// when it is lost or written twice. The version is stored with the last page of a fetch: before it
// objects are missing, of which nobody can say that they do not exist.
struct FeedPage {
    std::vector<FeedRecord> records;
    std::vector<std::string> bytes;
    std::uint64_t to = 0;
    bool last = false;
};
void put_feed(const FeedPage& page, storage::Batch& batch);
void erase_feed(storage::Batch& batch);

struct Registration {
    std::uint64_t epoch = 0;  // 0: never registered
    std::uint32_t incarnation = 0;
    bool operator==(const Registration&) const noexcept = default;
};
// corrupt(storage), storage_failed(storage).
Result<Registration> load_registration(storage::Store& store);
void put_registration(const Registration& registration, storage::Batch& batch);

}  // namespace nodex::replication
