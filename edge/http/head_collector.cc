// Finds where a head ends in a byte stream, however it is split.
#include "edge/http/head_collector.h"

#include <cstring>

#include "edge/base/limits.h"

namespace nodex::http {

HeadCollector::Step HeadCollector::take(Bytes fresh) noexcept {
    while (offset_ < fresh.size()) {
        const void* const found = std::memchr(fresh.data() + offset_, '\n', fresh.size() - offset_);
        if (found == nullptr) break;
        const auto line_end = static_cast<std::size_t>(static_cast<const char*>(found) - fresh.data());
        const Step step = end_line(fresh, line_end);
        if (step != Step::need_more) return step;
    }
    return take_rest(fresh);
}

// `line_end` is the index of a LF. need_more: go on with the next line.
HeadCollector::Step HeadCollector::end_line(Bytes fresh, std::size_t line_end) noexcept {
    const bool has_cr = (line_end > 0 ? fresh[line_end - 1] : last_) == '\r';
    const std::size_t line_bytes = line_bytes_ + line_end - offset_;  // with its CR
    total_bytes_ += line_end + 1 - offset_;
    offset_ = line_end + 1;
    line_bytes_ = 0;
    if (!start_line_seen_ && line_bytes > options_.start_line_bytes_max + 1) return Step::line_too_long;
    if (total_bytes_ > limits::head_bytes_max) return Step::too_large;
    if (!has_cr) return Step::malformed;
    const bool blank = line_bytes == 1;
    if (start_line_seen_) return blank ? end_head(fresh) : Step::need_more;
    if (!blank) return end_start_line(fresh);
    if (!options_.blank_line_allowed || blank_line_seen_) return Step::malformed;
    blank_line_seen_ = true;
    pending_.clear();
    total_bytes_ = 0;
    head_start_ = offset_;
    return Step::need_more;
}

HeadCollector::Step HeadCollector::end_start_line(Bytes fresh) noexcept {
    start_line_seen_ = true;
    if (!pending_.empty()) absorb(fresh);
    const Bytes line = pending_.empty() ? fresh.substr(head_start_, total_bytes_) : Bytes(pending_);
    start_line_ = line.substr(0, line.size() - 2);
    return Step::start_line;
}

HeadCollector::Step HeadCollector::end_head(Bytes fresh) noexcept {
    if (!pending_.empty()) absorb(fresh);
    head_ = pending_.empty() ? fresh.substr(head_start_, total_bytes_) : Bytes(pending_);
    NX_ASSERT(head_.size() == total_bytes_);
    return Step::complete;
}

HeadCollector::Step HeadCollector::take_rest(Bytes fresh) noexcept {
    const std::size_t rest = fresh.size() - offset_;
    line_bytes_ += rest;
    total_bytes_ += rest;
    offset_ = fresh.size();
    if (!start_line_seen_ && line_bytes_ > options_.start_line_bytes_max + 1) return Step::line_too_long;
    if (total_bytes_ > limits::head_bytes_max) return Step::too_large;
    absorb(fresh);
    if (!fresh.empty()) last_ = fresh.back();
    offset_ = 0;
    head_start_ = 0;
    return Step::need_more;
}

// Moves what has been looked at into pending_, so that it is contiguous and ours.
void HeadCollector::absorb(Bytes fresh) noexcept {
    pending_.append(fresh.substr(head_start_, offset_ - head_start_));
    head_start_ = offset_;
}

void HeadCollector::keep() noexcept {
    if (!pending_.empty()) return;
    pending_.assign(head_);
    head_ = pending_;
}

void HeadCollector::reset() noexcept {
    pending_.clear();
    start_line_ = {};
    head_ = {};
    offset_ = 0;
    head_start_ = 0;
    total_bytes_ = 0;
    line_bytes_ = 0;
    last_ = '\0';
    start_line_seen_ = false;
    blank_line_seen_ = false;
}

void HeadCollector::release() noexcept {
    reset();
    std::string().swap(pending_);
}

}  // namespace nodex::http
