// The table of first attempts.
#include "edge/gateway/sdk_retries.h"

namespace nodex::gateway {

// The API key is folded into the fingerprint: two keys never meet.
Fingerprint SdkRetries::place(KeyId key, Fingerprint fingerprint) noexcept {
    for (std::size_t i = 0; i < sizeof(std::uint64_t); ++i)
        fingerprint.octets[i] ^= static_cast<std::uint8_t>(raw(key) >> (8 * i));
    return fingerprint;
}

std::optional<std::string> SdkRetries::find(KeyId key, const Fingerprint& fingerprint,
                                            Nanoseconds now_ns) {
    const Fingerprint at = place(key, fingerprint);
    Shard& shard = shards_[at.octets[31] % shards_count];
    const std::lock_guard guard(shard.lock);
    const auto found = shard.entries.find(at);
    if (found == shard.entries.end()) return std::nullopt;
    if (now_ns - found->second.at_ns > window) {
        shard.entries.erase(found);
        return std::nullopt;
    }
    return found->second.key_text;
}

void SdkRetries::remember(KeyId key, const Fingerprint& fingerprint, const std::string& key_text,
                          Nanoseconds now_ns) {
    const Fingerprint at = place(key, fingerprint);
    Shard& shard = shards_[at.octets[31] % shards_count];
    const std::lock_guard guard(shard.lock);
    if (shard.entries.size() >= entries_per_shard_max) {
        std::erase_if(shard.entries,
                      [&](const auto& item) { return now_ns - item.second.at_ns > window; });
        if (shard.entries.size() >= entries_per_shard_max) shard.entries.clear();
    }
    shard.entries.insert_or_assign(at, Entry{key_text, now_ns});
}

}  // namespace nodex::gateway
