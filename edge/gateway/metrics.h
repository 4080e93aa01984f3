// What one core counts. Written by its loop only, read by the metrics page with relaxed loads.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>

#include "edge/api/errors.h"
#include "edge/base/histogram.h"

namespace nodex::gateway {

class Counter {
  public:
    void add(std::uint64_t by = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
    }
    void take(std::uint64_t by = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) - by, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t get() const noexcept {
        return value_.load(std::memory_order_relaxed);
    }

  private:
    std::atomic<std::uint64_t> value_{0};
};

struct Metrics {
    Counter requests;         // all, free and paid
    Counter paid_granted;     // claims that ran the model
    Counter replays;          // answered from a stored answer
    Counter joins;            // followed a running request
    Counter joins_elsewhere;  // followed an answer of another POP
    Counter cuts_elsewhere;   // of these: ended where the dead owner's copy ended
    Counter positions_lost;   // of these: the events after the client's could not be reached
    Counter resumes;          // with Last-Event-ID
    Counter provider_attempts;
    Counter provider_retries;  // a further endpoint before the first byte
    Counter events;            // streamed to the log
    Counter client_gone;
    Counter drained;  // runs finished without a client
    Counter settled_requests;
    Counter settled_nano;  // sum of amounts
    Counter overrun_nano;  // provider cost above the reservation: the house's
    Counter input_tokens, output_tokens;
    // Claims at the centre: each asked ends in one of the next five.
    Counter claims_asked;
    Counter claims_granted;
    Counter claims_held;      // runs at another POP
    Counter claims_done;      // was answered at another POP
    Counter claims_mismatch;  // used with another body at another POP
    Counter claims_unanswered;
    Counter claims_proceeded;  // of the unanswered: ran all the same
    Counter claims_lost;       // runs that were given up for one at another POP
    Counter running;           // gauge: runs now
    Counter exchanges;         // gauge: requests in flight now
    std::array<Counter, static_cast<std::size_t>(api::Code::count)> errors;
    std::array<Counter, 6> status_class;  // 1xx..5xx by hundreds

    // Stages of a paid request, nanoseconds.
    Histogram admit_ns;          // head complete -> body accepted and priced
    Histogram reserve_ns;        // lease, 0 when local
    Histogram claim_ns;          // B1: submitted -> durable
    Histogram claim_word_ns;     // centre asked -> its word
    Histogram claim_wait_ns;     // provider's first byte here -> it may be delivered; 0: at once
    Histogram provider_head_ns;  // call started -> provider's head
    Histogram first_event_ns;    // request complete -> first event handed to the client
    Histogram append_ns;         // B3: submitted -> durable
    Histogram finish_ns;         // B4
    Histogram total_ns;          // request head -> response finished
};

}  // namespace nodex::gateway
