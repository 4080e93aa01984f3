// Exchange: one completion on its way out: keeps the pace, backs off from slow readers, commits the faults.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "edge/connection/server_connection.h"
#include "edge/io/loop.h"
#include "tools/provider/answer.h"
#include "tools/provider/counters.h"

namespace nodex::provider {

// Times where the request says nothing.
struct Defaults {
    std::uint64_t first_token_ms = 50;
    std::uint64_t pace_ms = 20;
    std::uint64_t tokens = 32;
};

// Reused from request to request. Loop-thread only.
//   idle --> waiting --> streaming <--> pacing --> idle
//                 \          \--> ending --> idle          a fault that leaves after what was sent before it
//                  \----------\--> stuck --> idle          hangs until the client goes
class Exchange {
  public:
    enum class Phase : std::uint8_t { idle, waiting, streaming, pacing, ending, stuck };

    Exchange(Loop& loop, Counters& counters, const Defaults& defaults) noexcept
        : loop_(loop), counters_(counters), defaults_(defaults) {}

    // Answers on `connection` (which has its whole request) as `plan` says; the call has been counted by
    // Counters::begin. over() becomes true when the response is handed over or cut; it may be at once.
    void start(ServerConnection& connection, AnswerPlan plan) noexcept;
    void writable() noexcept;   // the connection has room again
    void abandoned() noexcept;  // the connection is gone
    [[nodiscard]] bool over() const noexcept { return phase_ == Phase::idle; }

    // Where to put what is over; a link of the handler's free list.
    struct Owner {
        virtual void exchange_over(Exchange& exchange) noexcept = 0;

      protected:
        ~Owner() = default;
    };
    void set_owner(Owner* owner) noexcept { owner_ = owner; }
    // Ends it without an answer: the process stops.
    void cut() noexcept;

  private:
    void enter(Phase phase) noexcept;
    void wait_until(Phase phase, Nanoseconds deadline_ns) noexcept;
    void timer_fired() noexcept;
    void answer() noexcept;
    void answer_whole() noexcept;
    void answer_with_status(int status) noexcept;
    void answer_with_bad_status_line() noexcept;
    void begin_stream() noexcept;
    void begin_framed(std::string fields, std::uint64_t total_bytes) noexcept;
    void pump() noexcept;
    [[nodiscard]] bool write_piece() noexcept;
    [[nodiscard]] std::size_t piece_size() const noexcept;
    [[nodiscard]] bool commits_fault() noexcept;
    [[nodiscard]] bool next_part() noexcept;
    void complete() noexcept;
    void end(bool finished) noexcept;
    [[nodiscard]] std::string fields(Bytes content_type) const;
    [[nodiscard]] const Directives& directives() const noexcept { return answer_->plan().directives; }
    [[nodiscard]] std::uint64_t first_token_ms() const noexcept;
    [[nodiscard]] std::uint64_t pace_ms() const noexcept;

    Loop& loop_;
    Counters& counters_;
    const Defaults& defaults_;
    Owner* owner_ = nullptr;
    Phase phase_ = Phase::idle;
    ServerConnection* connection_ = nullptr;  // not null while not idle
    std::optional<Answer> answer_;            // while not idle
    Timer timer_;
    std::string pending_;             // appended by the answer, not yet written
    std::size_t written_ = 0;         // of pending_
    std::uint64_t payload_bytes_ = 0; // of a cut stream, without its framing
    Nanoseconds due_ns_ = 0;          // when the next round of tokens may leave
    bool silence_kept_ = false;       // silence_after is over
};

}  // namespace nodex::provider
