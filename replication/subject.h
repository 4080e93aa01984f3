// Subjects in NATS's terms: tokens parted by dots. A pattern is a subject, or one that ends in
// ".>", which stands for one token or more. Subjects hold numbers and digests only, never what a
// client sent.
#pragma once
#include <map>
#include <string>

#include "edge/base/bytes.h"

namespace nodex::replication {

[[nodiscard]] inline bool subject_matches(Bytes pattern, Bytes subject) noexcept {
    if (!pattern.ends_with(".>")) return pattern == subject;
    pattern.remove_suffix(1);
    return subject.size() > pattern.size() && subject.starts_with(pattern);
}

// Handlers by pattern: the subject itself first, then the longest pattern. A dozen entries, made at
// start.
template <class Handler>
class SubjectTable {
  public:
    void set(Bytes pattern, Handler handler) {
        handlers_.insert_or_assign(std::string(pattern), std::move(handler));
    }
    void clear() noexcept { handlers_.clear(); }
    [[nodiscard]] const Handler* find(Bytes subject) const noexcept {
        if (const auto found = handlers_.find(subject); found != handlers_.end())
            return &found->second;
        const std::string* best = nullptr;
        const Handler* handler = nullptr;
        for (const auto& [pattern, candidate] : handlers_) {
            if (!subject_matches(pattern, subject)) continue;
            if (best != nullptr && best->size() >= pattern.size()) continue;
            best = &pattern;
            handler = &candidate;
        }
        return handler;
    }

  private:
    std::map<std::string, Handler, std::less<>> handlers_;
};

}  // namespace nodex::replication
