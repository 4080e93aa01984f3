// Counting calls.
#include "tools/provider/counters.h"

#include <algorithm>
#include <vector>

#include "edge/api/json_text.h"

namespace nodex::provider {

std::uint64_t Counters::begin(Bytes key) {
    running_.fetch_add(1, std::memory_order_relaxed);
    if (!key.empty()) {
        const std::lock_guard lock(mutex_);
        std::string name(key);
        if (by_key_.size() < keys_max || by_key_.contains(name))
            ++by_key_[std::move(name)];
        else
            ++keys_dropped_;
    }
    return total_.fetch_add(1, std::memory_order_relaxed) + 1;
}

void Counters::finish() noexcept {
    running_.fetch_sub(1, std::memory_order_relaxed);
    finished_.fetch_add(1, std::memory_order_relaxed);
}

void Counters::abandon() noexcept {
    running_.fetch_sub(1, std::memory_order_relaxed);
    abandoned_.fetch_add(1, std::memory_order_relaxed);
}

// Calls that run now stay in `running`: they will be finished or abandoned.
void Counters::reset() {
    const std::lock_guard lock(mutex_);
    total_ = 0;
    finished_ = 0;
    abandoned_ = 0;
    by_key_.clear();
    keys_dropped_ = 0;
}

std::string Counters::json() const {
    const std::lock_guard lock(mutex_);
    std::string text = "{\"total\":" + std::to_string(total_.load());
    text += ",\"running\":" + std::to_string(running_.load());
    text += ",\"finished\":" + std::to_string(finished_.load());
    text += ",\"abandoned\":" + std::to_string(abandoned_.load());
    text += ",\"keys_dropped\":" + std::to_string(keys_dropped_) + ",\"by_key\":{";
    std::vector<const std::pair<const std::string, std::uint64_t>*> sorted;
    sorted.reserve(by_key_.size());
    for (const auto& entry : by_key_) sorted.push_back(&entry);
    std::sort(sorted.begin(), sorted.end(),
              [](auto* left, auto* right) { return left->first < right->first; });
    for (const auto* entry : sorted) {
        if (entry != sorted.front()) text += ',';
        api::append_json_string(text, entry->first);
        text += ':' + std::to_string(entry->second);
    }
    return text += "}}";
}

}  // namespace nodex::provider
