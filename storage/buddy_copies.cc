// BuddyCopies: see the header. How much is kept is counted by the hour of storing, one small row an
// hour in `meta`: chunks leave with their FIFO files by age, never one by one.
#include "storage/buddy_copies.h"

#include <algorithm>
#include <unordered_map>

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "storage/keyspace.h"

namespace nodex::storage {
namespace {

constexpr std::int64_t hour_ms = 3'600'000;
constexpr Bytes hours_prefix = "buddy/";
constexpr Bytes hours_end = "buddy0";  // '0' follows '/'

std::string hour_key(std::uint32_t hour) {
    std::string key(hours_prefix);
    append_ordered(key, hour);
    return key;
}

std::uint32_t hour_of(std::int64_t now_ms) noexcept {
    return static_cast<std::uint32_t>(std::max<std::int64_t>(now_ms, 0) / hour_ms);
}

}  // namespace

// Rows as they will be when the batch is written: pieces of one call may be of one answer.
struct BuddyCopies::Rows {
    explicit Rows(Store& the_store) : store(the_store) {}
    Result<std::optional<BuddyCopy>> find(Bytes key) {
        if (const auto found = changed.find(std::string(key)); found != changed.end())
            return std::optional<BuddyCopy>(found->second);
        const auto stored = store.get(Family::buddy, key);
        if (!stored) return stored.error();
        if (!stored->has_value()) return std::optional<BuddyCopy>();
        auto copy = decode_buddy_copy(**stored);
        if (!copy) return copy.error();
        return std::optional<BuddyCopy>(std::move(*copy));
    }
    void write(Batch& batch) const {
        for (const auto& [key, copy] : changed) batch.put(Family::buddy, key, encode(copy));
    }
    Store& store;
    std::map<std::string, BuddyCopy> changed;
};

Status BuddyCopies::open(Store& store) {
    Status verdict;
    std::uint64_t total = 0;
    const Status scanned =
        store.scan(Family::meta, hours_prefix, hours_end, [&](Bytes key, Bytes value) {
            ByteReader reader(value);
            const auto bytes = reader.integer<std::uint64_t>();
            if (key.size() != hours_prefix.size() + 4 || !reader.finished()) {
                verdict = Error{ErrorCode::corrupt, ErrorSource::storage};
                return false;
            }
            std::uint32_t hour = 0;
            for (const char octet : key.substr(hours_prefix.size()))
                hour = hour << 8 | static_cast<unsigned char>(octet);
            by_hour_[hour] = bytes;
            total += bytes;
            return true;
        });
    bytes_.store(total, std::memory_order_relaxed);
    return scanned ? verdict : scanned;
}

void BuddyCopies::expire(std::int64_t now_ms, Batch& batch) {
    while (!by_hour_.empty()) {
        const auto [hour, bytes] = *by_hour_.begin();
        if ((std::int64_t{hour} + 1) * hour_ms + options_.retention_ms > now_ms) return;
        batch.erase(Family::meta, hour_key(hour));
        bytes_.fetch_sub(bytes, std::memory_order_relaxed);
        by_hour_.erase(by_hour_.begin());
    }
}

void BuddyCopies::count(std::uint64_t bytes, std::int64_t now_ms, Batch& batch) {
    if (bytes == 0) return;
    const std::uint32_t hour = hour_of(now_ms);
    by_hour_[hour] += bytes;
    bytes_.fetch_add(bytes, std::memory_order_relaxed);
    std::string value;
    ByteWriter(value).integer(by_hour_[hour]);
    batch.put(Family::meta, hour_key(hour), value);
}

Result<std::vector<BuddyCopies::Outcome>> BuddyCopies::take(const std::vector<Piece>& pieces,
                                                            std::int64_t now_ms, Store& store,
                                                            Batch& batch) {
    expire(now_ms, batch);
    Rows rows(store);
    std::vector<Outcome> outcomes;
    outcomes.reserve(pieces.size());
    for (const Piece& piece : pieces) {
        const auto outcome = take_one(piece, now_ms, rows, batch);
        if (!outcome) return outcome.error();
        outcomes.push_back(*outcome);
    }
    rows.write(batch);
    return outcomes;
}

// The open row is what the piece says it belongs to, and names a request that can be resumed.
bool BuddyCopies::may_begin(const OpenRequest& open, const Piece& piece) noexcept {
    return open.request_id == piece.request && open.account == piece.account &&
           open.idempotency == piece.idempotency && !open.idempotency.is_zero();
}

Result<BuddyCopies::Outcome> BuddyCopies::take_one(const Piece& piece, std::int64_t now_ms,
                                                   Rows& rows, Batch& batch) {
    const Key key = buddy_key(piece.account, piece.idempotency, piece.owner);
    auto found = rows.find(key.view());
    if (!found) return found.error();
    std::optional<BuddyCopy>& copy = *found;
    if (copy && copy->open.request_id != piece.request) {
        // Another request under the same key: the newer one stays.
        if (piece.open.empty()) return Outcome{CopyVerdict::unknown, 0};
        const auto open = decode_open_request(piece.open);
        if (!open || open->created_ms <= copy->open.created_ms)
            return Outcome{CopyVerdict::refused, 0};
        copy.reset();
    }
    if (!copy) {
        if (piece.open.empty()) return Outcome{CopyVerdict::unknown, 0};
        const auto open = decode_open_request(piece.open);
        if (!open || !may_begin(*open, piece) || bytes() >= options_.bytes_max)
            return Outcome{CopyVerdict::refused, 0};
        // Never over an answer of our own, or of a third POP.
        const auto taken = rows.store.get(Family::dek, dek_key(open->answer).view());
        if (!taken) return taken.error();
        if (taken->has_value()) return Outcome{CopyVerdict::refused, 0};
        copy.emplace();
        copy->open = *open;
        copy->expires_ms = now_ms + limits::buddy_running_retention_ms;
    }
    if (piece.first_chunk > copy->chunks_count)
        return Outcome{CopyVerdict::gap, copy->chunks_count};
    if (!piece.chunks.empty() && bytes() >= options_.bytes_max + options_.bytes_max / 4)
        return Outcome{CopyVerdict::refused, copy->chunks_count};
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < piece.chunks.size(); ++i) {
        const std::uint32_t number = piece.first_chunk + static_cast<std::uint32_t>(i);
        if (number < copy->chunks_count) continue;  // repeated
        if (number == 0) {
            if (piece.key_record.empty()) return Outcome{CopyVerdict::unknown, 0};
            std::string record;
            encode(BodyKey{now_ms, piece.key_record}, record);
            batch.put(Family::dek, dek_key(copy->open.answer).view(), record);
        }
        batch.put(Family::body, body_key(copy->open.answer, number).view(), piece.chunks[i]);
        bytes += piece.chunks[i].size();
        ++copy->chunks_count;
    }
    count(bytes, now_ms, batch);
    copy->owner_life = piece.owner_life;
    if (!piece.answer.empty() && !copy->answer)
        if (auto answer = decode_answer(piece.answer);
            answer && answer->request_id == piece.request) {
            copy->expires_ms = answer->expires_ms;
            copy->answer = std::move(*answer);
        }
    const Outcome outcome{CopyVerdict::stored, copy->chunks_count};
    rows.changed.insert_or_assign(std::string(key.view()), std::move(*copy));
    return outcome;
}

Result<std::optional<BuddyCopy>> BuddyCopies::find(AccountId account,
                                                   const IdempotencyId& idempotency, PopId owner,
                                                   std::int64_t now_ms, Store& store) {
    auto found = Rows(store).find(buddy_key(account, idempotency, owner).view());
    if (found && found->has_value() && (*found)->expires_ms <= now_ms)
        return std::optional<BuddyCopy>();
    return found;
}

void BuddyCopies::forget(AccountId account, Batch& batch) {
    const AccountId next{raw(account) + 1};
    batch.erase_range(Family::buddy, buddy_account_key(account).view(),
                      buddy_account_key(next).view());
}

}  // namespace nodex::storage
