// What one worker measured. Written by its thread; counters may be read by others while it runs.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "bench/load/schedule.h"
#include "edge/base/histogram.h"

namespace nodex::bench {

enum class Failure : std::uint8_t {
    connect,     // refused, unreachable, out of descriptors
    tls,
    closed,      // the connection ended before the answer did
    timed_out,
    malformed,   // not HTTP, or not an event stream
    status,      // not the expected one
    error_event, // a stream ended with an error object
    incomplete,  // a stream ended without [DONE]
    unanswered,  // no answer by the end of the drain
};
inline constexpr std::size_t failures_count = 9;
const char* name(Failure failure) noexcept;

// Running totals, for rates and CPU per request between two readings.
struct Totals {
    std::uint64_t answered = 0;
    std::uint64_t events = 0;
};

class Recorder {
  public:
    void set_window(const Window& window) noexcept { window_ = window; }

    // A request went out at `sent_ns`. `waited`: because no connection was free at its intended start,
    // which is the server's doing; otherwise the difference is the generator's own lateness.
    void sent(Nanoseconds intended_ns, Nanoseconds sent_ns, bool waited) noexcept;
    void answered(Nanoseconds intended_ns, Nanoseconds now_ns) noexcept;
    void first_token(Nanoseconds intended_ns, Nanoseconds now_ns) noexcept;
    // A stream's event; `previous_ns` 0: its first.
    void event(Nanoseconds previous_ns, Nanoseconds now_ns) noexcept;
    void connected(Nanoseconds took_ns) noexcept { connect_.record(positive(took_ns)); }
    void failed(Failure failure, Nanoseconds intended_ns) noexcept;
    void status(int code) noexcept;
    // Due in the window and not answered at the end: enters the latencies with the time it has waited so far,
    // a lower bound, because leaving it out would hide exactly the slowest requests.
    void unanswered(Nanoseconds intended_ns, Nanoseconds now_ns) noexcept;

    void merge(const Recorder& other) noexcept;
    [[nodiscard]] Totals totals() const noexcept;

    [[nodiscard]] const Histogram& call() const noexcept { return call_; }
    [[nodiscard]] const Histogram& token() const noexcept { return first_token_; }
    [[nodiscard]] const Histogram& gap() const noexcept { return gap_; }
    [[nodiscard]] const Histogram& lateness() const noexcept { return lateness_; }
    [[nodiscard]] const Histogram& connect() const noexcept { return connect_; }
    [[nodiscard]] std::uint64_t failures(Failure failure) const noexcept;
    [[nodiscard]] std::uint64_t failures_total() const noexcept;
    [[nodiscard]] std::uint64_t status_count(int code) const noexcept;

  private:
    static std::uint64_t positive(Nanoseconds value) noexcept {
        return value > 0 ? static_cast<std::uint64_t>(value) : 0;
    }
    Window window_;
    Histogram call_, first_token_, gap_, lateness_, connect_;
    std::array<std::uint64_t, failures_count> failures_{};
    std::array<std::uint64_t, 600> statuses_{};
    std::atomic<std::uint64_t> answered_{0};
    std::atomic<std::uint64_t> events_{0};
};

}  // namespace nodex::bench
