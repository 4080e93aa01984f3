// Exchange: one client request from head to last byte. A paid one passes admit, claim and reserve
// here, then its Run does the rest, or it follows an answer that exists already (replay, join,
// resume). Files by stage: admit.cc, claim.cc, reserve.cc, follow.cc, follow_elsewhere.cc;
// free_routes.cc for what costs nothing.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "edge/api/chat_request.h"
#include "edge/api/errors.h"
#include "edge/connection/server_connection.h"
#include "edge/gateway/run.h"
#include "edge/gateway/settings.h"
#include "edge/gateway/watch.h"
#include "edge/io/loop.h"
#include "replication/agent.h"
#include "storage/operation.h"

namespace nodex::gateway {

class Gateway;

inline constexpr Bytes json_type = "application/json";  // of the answers that we write

enum class Route : std::uint8_t {
    none,
    preflight,
    probe,
    healthz,
    readyz,
    models,
    model,
    balance,
    usage,
    status,
    chat_completions,
    websocket
};
const char* name(Route route) noexcept;

class Exchange final {
  public:
    //  idle --> reading --> querying --------------------------------> answering --> idle
    //               \--> reserving <--> claiming --> running ---------/   ^  (abandoned requests go
    //               to
    //                                      \-> following -----------------/   leaving, then idle)
    enum class Phase : std::uint8_t {
        idle,
        reading,    // the body is arriving
        querying,   // a question to the centre is under way
        reserving,  // the agent asks the centre for money
        claiming,   // B1 or a look-up is with the commit thread, or a look-up with the centre, or
                    // what it found is on its way to the buddy
        running,    // our run delivers to us
        following,  // replaying or watching a stored answer
        answering,  // the response is being handed to the connection
        leaving,    // the client has gone; operations are being joined
    };

    Exchange(Gateway& gateway, std::uint32_t slot);
    ~Exchange();

    // --- the connection (through Gateway) ---
    std::uint64_t begin(ServerConnection& connection, const http::RequestHead& head) noexcept;
    void body(Bytes bytes) noexcept;
    void body_complete() noexcept;
    void writable() noexcept;
    void abandoned() noexcept;

    // --- the run that we started ---
    void deliver(Bytes events) noexcept;                      // a stream's durable bytes
    void run_finished(bool complete, Nano charged) noexcept;  // a stream, after the last deliver
    void run_answered(int status, Bytes content_type, Bytes body,
                      Nano charged) noexcept;                           // a whole answer
    void run_failed(const api::ApiError& error) noexcept;               // nothing was delivered
    void run_elsewhere(const replication::ClaimOwner& owner) noexcept;  // nor was anything; the key
                                                                        // is another POP's
    [[nodiscard]] bool can_take() const noexcept;                       // backpressure

    // --- Watch ---
    void watch_progress() noexcept;
    void watch_gone() noexcept;
    void watch_released() noexcept;

    [[nodiscard]] Phase phase() const noexcept { return phase_; }
    [[nodiscard]] std::uint32_t slot() const noexcept { return slot_; }
    [[nodiscard]] ServerConnection* connection() const noexcept { return connection_; }

  private:
    friend class Gateway;
    static bool may_follow(Phase from, Phase to) noexcept;
    void enter(Phase next) noexcept;

    // admit.cc
    void read_head(const http::RequestHead& head) noexcept;
    bool authenticate(const http::RequestHead& head) noexcept;
    bool read_paid_fields(const http::RequestHead& head) noexcept;
    void admit() noexcept;
    bool admit_rate() noexcept;
    void reserve_place() noexcept;
    void give_back_rates() noexcept;
    // claim.cc
    bool name_claim() noexcept;
    void name_session();
    void claim(bool look_up_only) noexcept;
    void claim_done() noexcept;
    void claim_without_key() noexcept;
    static api::ApiError key_away();  // the account's body key has yet to come
    void refuse_claim(api::Code code) noexcept;
    void start_run() noexcept;
    storage::OpenRequest open_request() noexcept;
    [[nodiscard]] replication::ClaimMode claim_mode() const noexcept;
    // claim_elsewhere.cc
    void ask_who_has_it() noexcept;
    void told_who_has_it() noexcept;
    void nobody_has_it() noexcept;
    // copied.cc
    void await_copy() noexcept;
    void copy_told() noexcept;
    // reserve.cc
    void reserve() noexcept;
    void ask_centre() noexcept;
    void ask_done() noexcept;
    void drop_reservation() noexcept;
    // follow.cc
    void follow_running(const storage::ClaimOutcome& outcome) noexcept;
    void follow_finished(storage::ClaimOutcome& outcome) noexcept;
    void begin_follow(BodyId answer, const std::string& key_record) noexcept;
    bool join() noexcept;
    void follow_on() noexcept;
    void read_done() noexcept;
    bool take_chunk(Bytes sealed, std::uint32_t number) noexcept;
    void take_events() noexcept;
    void deliver_gathered() noexcept;
    void follow_end() noexcept;
    void follow_failed(const api::ApiError& error) noexcept;
    void follow_failed(api::Code code) noexcept { follow_failed(api::ApiError{code, {}, {}, -1}); }
    // follow_elsewhere.cc
    void follow_elsewhere(const replication::ClaimOwner& owner) noexcept;
    void read_elsewhere() noexcept;
    void read_elsewhere_done() noexcept;
    bool join_elsewhere() noexcept;
    bool take_elsewhere() noexcept;
    void gone_elsewhere() noexcept;
    void lost_elsewhere() noexcept;
    // free_routes.cc
    void serve_free() noexcept;
    void serve_models() noexcept;
    void serve_status() noexcept;
    void query_centre(Bytes subject, std::string request) noexcept;
    void query_done() noexcept;
    // respond.cc
    void refuse(const api::ApiError& error) noexcept;
    void refuse(api::Code code) noexcept { refuse(api::ApiError{code, {}, {}, -1}); }
    void respond(int status, Bytes content_type, Bytes body) noexcept;
    void begin_stream() noexcept;
    void finish_response() noexcept;
    void write_fields(std::string& target, int status, Bytes content_type,
                      const api::ApiError* error) noexcept;
    void heartbeat() noexcept;
    void arm_heartbeat() noexcept;
    void log_request() noexcept;
    // exchange.cc
    void response_done() noexcept;
    void leave() noexcept;
    void leave_join() noexcept;
    void reset() noexcept;

    Gateway& gateway_;
    const std::uint32_t slot_;
    Phase phase_ = Phase::idle;
    ServerConnection* connection_ = nullptr;  // null once the client has gone
    Run* run_ = nullptr;                      // while running
    Nanoseconds began_ns_ = 0;                // head complete
    Nanoseconds body_complete_ns_ = 0;
    Nanoseconds stage_ns_ = 0;  // when the running stage began

    // What the head said.
    Route route_ = Route::none;
    std::string path_;  // canonical: without /api
    std::string query_;
    RequestId request_id_;
    std::string request_id_hex_;
    SessionId session_;
    std::string session_text_;
    bool session_given_ = false;
    std::shared_ptr<const replication::Directory> directory_;
    std::shared_ptr<const Settings> settings_;
    const replication::KeyEntry* key_ = nullptr;  // in directory_
    std::string key_text_;                        // the idempotency key as echoed
    bool key_given_ = false;
    bool sdk_ = false;
    bool sdk_retry_ = false;
    bool anthropic_ = false;
    std::optional<OnDisconnect> on_disconnect_;
    std::optional<std::uint64_t> last_event_;
    std::string model_id_;  // GET /v1/models/{id}

    // A paid request.
    std::string body_;
    api::ChatRequest chat_;
    const replication::ModelEntry* model_ = nullptr;  // in directory_
    Fingerprint fingerprint_;
    IdempotencyId idempotency_;
    Nano amount_ = 0;                                   // estimate
    replication::LeaseScope* account_lease_ = nullptr;  // the generations that hold it
    replication::LeaseScope* key_lease_ = nullptr;      // null: the key has no budget
    bool reserved_ = false;                             // both leases hold amount_
    bool counted_running_ = false;                      // in key_->meter->running
    bool tokens_held_ = false;                          // by us, in the key's token bucket
    std::uint64_t tokens_taken_ = 0;                    // from it
    std::optional<replication::RateBucket::Verdict> rate_requests_, rate_tokens_;
    bool ask_when_free_ = false;  // of a look-up in vain: then the centre is asked for money
    api::ApiError otherwise_;     // why nothing can run now: told when no answer exists
    unsigned claim_attempts_ = 0;
    std::optional<storage::BodyWriter> writer_;  // of the answer, until the run takes it

    // Following a stored answer.
    std::optional<storage::BodyReader> reader_;
    std::optional<storage::Answer> answer_;  // known once the run has finished
    BodyId answer_body_;
    std::optional<PopId> elsewhere_;  // the POP that owns it; none: it is in the store here
    std::uint32_t chunk_next_ = 0;
    std::uint32_t chunks_known_ = 0;
    bool joined_ = false;   // the watched run has told us what it is
    bool replay_ = false;   // X-Nodex-Idempotent-Replay
    std::string gathered_;  // a replayed non-stream answer, or an event cut by a chunk's end
    std::uint64_t replayed_events_ = 0;
    bool last_was_error_ = false;
    std::string outgoing_;  // replayed bytes of one read, on their way to the connection

    // The response.
    int status_ = 0;
    bool stream_begun_ = false;
    api::Code error_code_ = api::Code::count;  // count: none
    Nano charged_ = 0;
    std::uint64_t bytes_out_ = 0;
    Nanoseconds last_write_ns_ = 0;
    Timer heartbeat_timer_;

    storage::ClaimOperation claim_;
    storage::ReadOperation read_;
    replication::RemoteRead remote_;
    replication::LeaseAsk ask_;
    replication::ClaimAsk claim_ask_;
    replication::CopyAsk copy_ask_;
    replication::CentralQuery query_operation_;
    Watch watch_;
};

const char* name(Exchange::Phase phase) noexcept;

}  // namespace nodex::gateway
