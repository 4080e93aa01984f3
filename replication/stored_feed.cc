// Rows of CF feed:  "o" kind u8 id u64 -> feed record;  "v" -> version u64, kinds known then u8
// Row of CF meta:   "link" -> epoch u64 incarnation u32
#include "replication/stored_feed.h"

#include "edge/base/codec.h"
#include "edge/base/log.h"

namespace nodex::replication {
namespace {

using storage::Family;

constexpr Bytes version_key = "v";
constexpr Bytes objects_from = "o";
constexpr Bytes objects_to = "p";
constexpr Bytes feed_end = "w";
constexpr Bytes registration_key = "link";

std::uint64_t id_of(const FeedRecord& record) noexcept {
    if (const auto* account = std::get_if<AccountRecord>(&record)) return raw(account->id);
    if (const auto* key = std::get_if<KeyRecord>(&record)) return raw(key->id);
    return std::get<ModelEntry>(record).number;
}

std::string object_key(const FeedRecord& record) {
    std::string key(objects_from);
    key.push_back(static_cast<char>(record.index()));
    append_ordered(key, id_of(record));
    return key;
}

// Both versions of a feed without its objects.
Result<StoredFeed> load_versions(storage::Store& store) {
    const Result<std::optional<std::string>> row = store.get(Family::feed, version_key);
    if (!row) return row.error();
    StoredFeed feed;
    if (!*row) return feed;
    ByteReader reader(**row);
    feed.version = reader.integer<std::uint64_t>();
    if (reader.integer<std::uint8_t>() >= feed_kinds) feed.from = feed.version;
    return feed;
}

}  // namespace

Result<StoredFeed> load_feed(storage::Store& store) {
    Result<StoredFeed> feed = load_versions(store);
    if (!feed || feed->version == 0) return feed;
    bool sound = true;
    const Status scanned =
        store.scan(Family::feed, objects_from, objects_to, [&](Bytes key, Bytes value) {
            Result<FeedRecord> record = decode_feed_record(value);
            sound = record && !std::holds_alternative<UnknownRecord>(*record) &&
                    object_key(*record) == key;
            if (sound) feed->records.push_back(std::move(*record));
            return sound;
        });
    if (!scanned) return scanned.error();
    if (sound) return feed;
    log::warning("stored_feed_ignored", {{"version", feed->version}});
    return StoredFeed{};
}

void put_feed(const FeedPage& page, storage::Batch& batch) {
    NX_ASSERT(page.records.size() == page.bytes.size());
    for (std::size_t i = 0; i < page.records.size(); ++i)
        if (!std::holds_alternative<UnknownRecord>(page.records[i]))
            batch.put(Family::feed, object_key(page.records[i]), page.bytes[i]);
    if (!page.last) return;
    std::string version;
    ByteWriter writer(version);
    writer.integer(page.to);
    writer.integer(feed_kinds);
    batch.put(Family::feed, version_key, version);
}

void erase_feed(storage::Batch& batch) {
    batch.erase_range(Family::feed, objects_from, feed_end);
}

Result<Registration> load_registration(storage::Store& store) {
    const Result<std::optional<std::string>> row = store.get(Family::meta, registration_key);
    if (!row) return row.error();
    if (!*row) return Registration{};
    ByteReader reader(**row);
    Registration registration;
    registration.epoch = reader.integer<std::uint64_t>();
    registration.incarnation = reader.integer<std::uint32_t>();
    if (!reader.finished()) return Error{ErrorCode::corrupt, ErrorSource::storage};
    return registration;
}

void put_registration(const Registration& registration, storage::Batch& batch) {
    std::string row;
    ByteWriter writer(row);
    writer.integer(registration.epoch);
    writer.integer(registration.incarnation);
    batch.put(Family::meta, registration_key, row);
}

}  // namespace nodex::replication
