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
    std::uint64_t version = 0;  // 0: nothing stored
    std::vector<FeedRecord> records;
};
// Rows that cannot be read (another version's, damaged) make it empty, with a log line
// "stored_feed_ignored": the centre has everything. storage_failed(storage).
Result<StoredFeed> load_feed(storage::Store& store);
// One page: `records` as they came, decoded and as bytes, and the version they lead to. Harmless
// when it is lost or written twice.
struct FeedPage {
    std::vector<FeedRecord> records;
    std::vector<std::string> bytes;
    std::uint64_t to = 0;
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
