// Run: one paid execution of a model: the provider call, the answer log, the settlement. It may
// outlive the client that started it (drain) and may be followed by others (joins, resumes) through
// Watch. Files by stage: dispatch.cc, relay.cc, settle.cc; gate.cc for the centre's word on its
// idempotency key, copied.cc for the buddy's on its copies.
#pragma once
#include <bitset>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/api/chat_request.h"
#include "edge/api/chat_response.h"
#include "edge/gateway/watch.h"
#include "edge/http/sse.h"
#include "edge/io/loop.h"
#include "edge/upstream/upstream.h"
#include "replication/agent.h"
#include "replication/directory.h"
#include "storage/operation.h"
#include "storage/vault.h"

namespace nodex::gateway {

class Gateway;
class Exchange;

// What a client wants to happen to its run when it goes away.
enum class OnDisconnect : std::uint8_t { drain, cancel };

// Everything a run takes over from the exchange that claimed it.
struct RunOrder {
    struct Model {
        std::string id;
        replication::Prices prices{};  // pinned
    };
    storage::OpenRequest open;  // as it stands in the journal (B1)
    Model model;
    replication::LeaseScope* account_lease = nullptr;
    replication::LeaseScope* key_lease = nullptr;  // may be null
    replication::KeyMeter* meter = nullptr;
    std::uint64_t meter_tokens_limit = 0;
    std::uint64_t meter_tokens_taken = 0;
    bool counted_running = false;  // in meter->running, until it ends
    std::optional<storage::BodyWriter> writer;  // of open.answer
    api::ChatRequest chat;
    std::string body;        // as the client sent it
    std::string request_id;  // hex of open.request_id
    bool key_sent_by_client = false;
    replication::ClaimMode claims = replication::ClaimMode::local;  // never `node`
    bool proceed_unanswered = true;  // without the centre's word: go on, else 503
    OnDisconnect on_disconnect = OnDisconnect::drain;
    bool copies_first = false;     // a stream whose events are shown once the buddy has them
    std::uint32_t generation = 0;  // of the slot, as given in B1's Owner
};

class Run final : public upstream::CallEvents, public http::SseEvents {
  public:
    //  idle --> dispatching --> relaying --> ending --> settling --> idle
    //                |              |           |
    //                +--------------+-----------+--> releasing --> idle
    //
    //  A whole answer (no stream) goes from dispatching to ending: it has no events to relay.
    //  While the gate is shut nothing is sealed, logged or delivered: a crash then releases the
    //  run.
    enum class Phase : std::uint8_t { idle, dispatching, relaying, ending, settling, releasing };

    Run(Gateway& gateway, std::uint32_t slot);
    ~Run();

    // A granted claim: takes the order and calls the provider. `client` receives the answer; null
    // when it has gone already (then the claim is released without a call).
    void start(RunOrder order, Exchange* client);

    // --- the client that started it ---
    void client_writable() noexcept;  // its outbound queue has room again
    void client_gone() noexcept;      // it will not be called again
    void
    client_head_sent() noexcept;  // a heartbeat began the response: no other endpoint from here on

    // --- watchers (on this core's thread) ---
    void add_watch(Watch& watch) noexcept;
    void remove_watch(Watch& watch) noexcept;

    // Draining, second deadline: ends in-protocol now.
    void stop() noexcept;

    // --- AppendLog ---
    void append_done(std::size_t plaintext_bytes) noexcept;
    void append_failed(std::size_t plaintext_bytes) noexcept;

    // --- upstream::CallEvents ---
    void call_head(const http::ResponseHead& head) noexcept override;
    void call_body(Bytes bytes) noexcept override;
    void call_complete() noexcept override;
    void call_failed(Error error, bool sent) noexcept override;
    // --- http::SseEvents ---
    void server_event(const http::ServerEvent& event) noexcept override;

    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    // Settled or released, and not in its pool yet: nobody may follow it any more.
    [[nodiscard]] bool over() const noexcept { return over_; }
    [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
    [[nodiscard]] std::uint32_t generation() const noexcept { return order_.generation; }
    [[nodiscard]] const RunOrder& order() const noexcept { return order_; }

  private:
    static bool may_follow(Phase from, Phase to) noexcept;
    void enter(Phase next) noexcept;

    // dispatch.cc
    void attempt() noexcept;
    void attempt_failed(api::Code code, Bytes message, std::int64_t retry_after_ms,
                        bool retry) noexcept;
    void read_refusal() noexcept;
    [[nodiscard]] static api::ApiError stopped() noexcept;
    [[nodiscard]] bool nothing_delivered() const noexcept { return events_ == 0 && !head_sent_; }

    // relay.cc
    void seal_request() noexcept;
    void append_event(Bytes type, Bytes data) noexcept;
    void seal_pending() noexcept;
    void show_chunk(std::size_t plaintext_bytes) noexcept;
    void check_window() noexcept;
    void lose_stream(api::Code code) noexcept;
    [[nodiscard]] bool client_or_watch() const noexcept {
        return client_ != nullptr || watches_ != nullptr;
    }

    // copied.cc
    void await_copies() noexcept;
    void chunks_copied() noexcept;
    void await_end() noexcept;
    void end_copied() noexcept;
    void hand_over_when_copied() noexcept;
    [[nodiscard]] bool awaits_copies() const noexcept {
        return copy_ask_.in_flight() || end_ask_.in_flight();
    }

    // gate.cc
    void ask_centre() noexcept;
    void centre_answered() noexcept;
    void count_word() noexcept;
    void open_gate() noexcept;
    void lose_claim() noexcept;
    void leave_centre() noexcept;

    // settle.cc
    void end(storage::Outcome outcome, bool complete) noexcept;
    void end_in_error(api::Code code, storage::Outcome outcome) noexcept;
    void settle_when_logged() noexcept;
    void settle() noexcept;
    void settled() noexcept;
    void hand_over() noexcept;
    void leave_place() noexcept;
    void fail(
        const api::ApiError& error) noexcept;  // before anything was delivered: release and answer
    void released() noexcept;
    void abandon_if_unwanted() noexcept;
    void leave_watches(Watch::Leave how) noexcept;
    [[nodiscard]] storage::Settlement settlement(const storage::Units& units,
                                                 storage::UsageSource source) noexcept;
    void give_back_reservation(Nano actual) noexcept;
    void retire() noexcept;
    void grace_over() noexcept;
    void drain_over() noexcept;

    Gateway& gateway_;
    const std::uint32_t slot_;
    Phase phase_ = Phase::idle;
    RunOrder order_;
    Exchange* client_ = nullptr;  // null once it has gone or has its whole answer
    Watch* watches_ = nullptr;

    // The centre's word on the key.
    //   open   nothing to wait for (any more)
    //   shut   the provider may run, nothing may be delivered
    //   lost   the key is another request's: what the provider did goes nowhere
    enum class Gate : std::uint8_t { open, shut, lost };
    Gate gate_ = Gate::open;
    bool claimed_ = false;  // the centre may hold the key for this run: told when it is released
    bool over_ = false;     // settled or released: only the centre is left to hear or be told
    Nanoseconds asked_ns_ = 0;
    Nanoseconds held_since_ns_ = 0;  // the provider's first byte waits at the gate; 0: none does
    replication::ClaimAsk claim_ask_;

    // The provider's side.
    upstream::Call call_;
    std::vector<std::size_t> endpoints_;  // in order of choice
    std::size_t endpoint_next_ = 0;
    unsigned attempts_ = 0;
    std::size_t endpoint_ = 0;  // of the running attempt
    std::string endpoint_name_;
    Nanoseconds attempt_started_ns_ = 0;
    Nanoseconds attempts_end_ns_ = 0;  // of all of them
    int provider_status_ = 0;
    bool paused_ = false;
    bool head_sent_ = false;      // a byte went to the client: this endpoint or none
    bool provider_done_ = false;  // [DONE] or finish_reason and the end
    bool unreadable_ = false;     // the stream cannot be believed any more
    std::bitset<api::choices_max> finished_;  // choices that have ended
    api::ApiError refusal_;             // what to answer when no endpoint works
    std::int64_t retry_after_ms_ = -1;  // of the provider's refusal
    http::SseParser sse_;

    // The answer.
    std::string buffer_;  // plaintext that is not durable yet (non-stream: the whole answer)
    std::string hidden_;  // an event's data without what the client did not ask for
    std::size_t sealed_bytes_ = 0;      // of buffer_, sealed and on their way to be shown
    std::size_t logging_bytes_ = 0;     // of these, on their way to the log
    std::uint32_t chunks_durable_ = 0;  // and may be shown
    // With order_.copies_first: chunks that are durable here and wait for the buddy, by the size of
    // their plaintext.
    std::vector<std::size_t> uncopied_;
    bool settled_ = false;           // B4 is durable
    replication::CopyAsk copy_ask_;  // for chunks_durable_ and uncopied_
    replication::CopyAsk end_ask_;   // for the whole answer
    std::uint64_t events_ = 0;
    std::uint64_t logged_bytes_ = 0;  // plaintext since the start
    std::uint64_t output_text_bytes_ = 0;
    std::optional<api::Usage> usage_;
    storage::Outcome outcome_ = storage::Outcome::ok;
    bool complete_ = false;
    TurnTask seal_task_;
    Timer grace_, drain_;
    storage::SealedBody sealed_request_;  // what the client sent; id zero: not kept
    storage::FinishOperation finish_;
    storage::ReleaseOperation release_;
    Nanoseconds finish_started_ns_ = 0;
};

const char* name(Run::Phase phase) noexcept;

}  // namespace nodex::gateway
