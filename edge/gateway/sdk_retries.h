// The official SDKs repeat a request by themselves without sending a key. This table lets such a
// retry find the first attempt (same API key, same fingerprint, within ten minutes).
// Shared by the cores of a POP; sharded locks, held for a few dozen nanoseconds, and
// only for requests of the official SDKs that carry no key. In memory: after a restart an unkeyed
// retry runs anew.
#pragma once
#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "edge/base/clock.h"
#include "edge/base/ids.h"

namespace nodex::gateway {

class SdkRetries {
  public:
    static constexpr Nanoseconds window = 600 * second;
    static constexpr std::size_t entries_per_shard_max =
        16'384;  // at it the shard forgets everything: retries run anew

    // The key text of the first attempt of this request, if there was one within the window.
    std::optional<std::string> find(KeyId key, const Fingerprint& fingerprint, Nanoseconds now_ns);
    // A first attempt begins under `key_text`.
    void remember(KeyId key, const Fingerprint& fingerprint, const std::string& key_text,
                  Nanoseconds now_ns);

  private:
    struct Entry {
        std::string key_text;
        Nanoseconds at_ns = 0;
    };
    struct Shard {
        std::mutex lock;
        std::unordered_map<Fingerprint, Entry, OpaqueHash> entries;
    };
    static Fingerprint place(KeyId key, Fingerprint fingerprint) noexcept;
    static constexpr std::size_t shards_count = 16;
    std::array<Shard, shards_count> shards_;
};

}  // namespace nodex::gateway
