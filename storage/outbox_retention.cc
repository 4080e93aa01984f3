// OutboxRetention: see the header.
#include "storage/outbox_retention.h"

#include "edge/base/clock.h"
#include "edge/base/codec.h"
#include "edge/base/limits.h"

namespace nodex::storage {
namespace {

constexpr std::int64_t span_ms = 10 * 60 * 1'000;
constexpr std::int64_t kept_ms = limits::outbox_kept / millisecond;
constexpr std::size_t spans_max = static_cast<std::size_t>(kept_ms / span_ms) + 2;

}  // namespace

// A span that was open at a crash is stored as it began; the rows behind it belong to the next one,
// and are kept longer for it.
bool OutboxRetention::applied(std::uint64_t sequence, std::int64_t now_ms) {
    const std::uint64_t before = spans_.empty() ? erased_ : spans_.back().last;
    if (sequence <= before) return false;
    const bool extend =
        !spans_.empty() && (now_ms - spans_.back().from_ms < span_ms || spans_.size() == spans_max);
    if (!extend) spans_.push_back({sequence, now_ms, now_ms});
    spans_.back().last = sequence;
    spans_.back().until_ms = now_ms;
    return !extend;
}

bool OutboxRetention::expire(std::int64_t now_ms) {
    bool changed = false;
    const auto too_many = [this] {
        return spans_.back().last - erased_ > limits::outbox_kept_records;
    };
    while (!spans_.empty() && (spans_.front().until_ms <= now_ms - kept_ms || too_many())) {
        erased_ = spans_.front().last;
        spans_.pop_front();
        changed = true;
    }
    return changed;
}

void OutboxRetention::rewind(std::uint64_t sequence) noexcept {
    NX_ASSERT(sequence >= erased_);
    while (!spans_.empty() && spans_.back().last > sequence) spans_.pop_back();
}

std::string OutboxRetention::encode() const {
    std::string target;
    ByteWriter writer(target);
    writer.integer(erased_);
    writer.integer(static_cast<std::uint16_t>(spans_.size()));
    for (const Span& span : spans_) {
        writer.integer(span.last);
        writer.integer(span.until_ms);
    }
    return target;
}

Result<OutboxRetention> OutboxRetention::decode(Bytes bytes) noexcept {
    const Error corrupt{ErrorCode::corrupt, ErrorSource::storage};
    ByteReader reader(bytes);
    OutboxRetention retention(reader.integer<std::uint64_t>());
    const auto count = reader.integer<std::uint16_t>();
    if (count > spans_max) return corrupt;
    std::uint64_t before = retention.erased_;
    for (unsigned i = 0; i < count; ++i) {
        Span span;
        span.last = reader.integer<std::uint64_t>();
        span.from_ms = span.until_ms = reader.integer<std::int64_t>();
        if (span.last <= before) return corrupt;
        before = span.last;
        retention.spans_.push_back(span);
    }
    if (!reader.finished()) return corrupt;
    return retention;
}

}  // namespace nodex::storage
