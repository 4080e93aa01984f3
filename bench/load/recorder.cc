// Measurements of one worker.
#include "bench/load/recorder.h"

#include <numeric>

namespace nodex::bench {

const char* name(Failure failure) noexcept {
    switch (failure) {
        case Failure::connect: return "connect";
        case Failure::tls: return "tls";
        case Failure::closed: return "closed";
        case Failure::timed_out: return "timed_out";
        case Failure::malformed: return "malformed";
        case Failure::status: return "status";
        case Failure::error_event: return "error_event";
        case Failure::incomplete: return "incomplete";
        case Failure::unanswered: return "unanswered";
    }
    return "unknown";
}

void Recorder::sent(Nanoseconds intended_ns, Nanoseconds sent_ns, bool waited) noexcept {
    if (window_.measures(intended_ns) && !waited) lateness_.record(positive(sent_ns - intended_ns));
}

void Recorder::answered(Nanoseconds intended_ns, Nanoseconds now_ns) noexcept {
    answered_.store(answered_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (window_.measures(intended_ns)) call_.record(positive(now_ns - intended_ns));
}

void Recorder::first_token(Nanoseconds intended_ns, Nanoseconds now_ns) noexcept {
    if (window_.measures(intended_ns)) first_token_.record(positive(now_ns - intended_ns));
}

void Recorder::event(Nanoseconds previous_ns, Nanoseconds now_ns) noexcept {
    events_.store(events_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (previous_ns > 0 && window_.measures(now_ns)) gap_.record(positive(now_ns - previous_ns));
}

void Recorder::failed(Failure failure, Nanoseconds intended_ns) noexcept {
    if (window_.measures(intended_ns)) ++failures_[static_cast<std::size_t>(failure)];
}

void Recorder::status(int code) noexcept {
    const auto index = static_cast<std::size_t>(code);
    if (code >= 0 && index < statuses_.size()) ++statuses_[index];
}

void Recorder::unanswered(Nanoseconds intended_ns, Nanoseconds now_ns) noexcept {
    if (!window_.measures(intended_ns)) return;
    ++failures_[static_cast<std::size_t>(Failure::unanswered)];
    call_.record(positive(now_ns - intended_ns));
}

void Recorder::merge(const Recorder& other) noexcept {
    call_.merge(other.call_);
    first_token_.merge(other.first_token_);
    gap_.merge(other.gap_);
    lateness_.merge(other.lateness_);
    connect_.merge(other.connect_);
    for (std::size_t i = 0; i < failures_.size(); ++i) failures_[i] += other.failures_[i];
    for (std::size_t i = 0; i < statuses_.size(); ++i) statuses_[i] += other.statuses_[i];
    answered_ += other.answered_;
    events_ += other.events_;
}

Totals Recorder::totals() const noexcept {
    return {answered_.load(std::memory_order_relaxed), events_.load(std::memory_order_relaxed)};
}

std::uint64_t Recorder::failures(Failure failure) const noexcept {
    return failures_[static_cast<std::size_t>(failure)];
}

std::uint64_t Recorder::failures_total() const noexcept {
    return std::accumulate(failures_.begin(), failures_.end(), std::uint64_t{0});
}

std::uint64_t Recorder::status_count(int code) const noexcept {
    return statuses_.at(static_cast<std::size_t>(code));
}

}  // namespace nodex::bench
