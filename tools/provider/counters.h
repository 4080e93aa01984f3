// Counters of model runs, shared by all cores: how tests see whether a model ran twice.
#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "edge/base/bytes.h"

namespace nodex::provider {

// Thread-safe. `key` is the id directive of a request; counting by it takes a lock, without it none.
class Counters {
  public:
    // Answers the number of this call, from 1.
    std::uint64_t begin(Bytes key);
    void finish() noexcept;   // the whole answer was handed to the connection
    void abandon() noexcept;  // the client went away, or a fault ended the call
    void reset();
    // {"total":n,"running":n,"finished":n,"abandoned":n,"keys_dropped":n,"by_key":{"a":1}}
    [[nodiscard]] std::string json() const;

  private:
    static constexpr std::size_t keys_max = 1'000'000;  // beyond: counted in keys_dropped only

    std::atomic<std::uint64_t> total_{0}, finished_{0}, abandoned_{0};
    std::atomic<std::int64_t> running_{0};
    mutable std::mutex mutex_;  // guards what follows
    std::unordered_map<std::string, std::uint64_t> by_key_;
    std::uint64_t keys_dropped_ = 0;
};

}  // namespace nodex::provider
