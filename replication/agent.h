// Agent: a POP's side of replication, on a thread of its own: registers, keeps leases filled, ships
// the outbox (go-back-N on the ledger's watermark), applies feeds to the Directory, forwards
// queries. The gateway sees only this header: whether the centre is in this process or behind NATS
// is the Transport's business.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "edge/base/limits.h"
#include "edge/base/mailbox.h"
#include "replication/body_fetcher.h"
#include "replication/claims.h"
#include "replication/copy_waits.h"
#include "replication/directory.h"
#include "replication/peer_messages.h"
#include "replication/transport.h"
#include "storage/commit_thread.h"
#include "storage/vault.h"

namespace nodex::replication {

// An operation asked of the agent by a loop; a member of its owner, joined like a completion.
class AgentOperation {
  public:
    [[nodiscard]] bool in_flight() const noexcept { return in_flight_; }
    virtual ~AgentOperation() { NX_ASSERT(!in_flight_); }

  protected:
    enum class Kind : std::uint8_t { ask, query, read, claim, fetch, copy };
    explicit AgentOperation(Kind kind) noexcept;

  private:
    friend class Agent;
    friend struct AgentAccess;
    struct Link final : Mail {
        Link(Run run, AgentOperation& owner) noexcept : Mail(run), operation(owner) {}
        AgentOperation& operation;
    };
    Link link_;
    const Kind kind_;
    void* agent_ = nullptr;  // Agent::State on the way there, null on the way back
    Mailbox* reply_to_ = nullptr;
    storage::OperationDone done_{};
    bool in_flight_ = false;
};

// Reserve with the centre's help: for requests that do not fit what the lease has left.
class LeaseAsk final : public AgentOperation {
  public:
    enum class Verdict : std::uint8_t {
        reserved,              // both scopes hold `amount` now
        insufficient_balance,  // the account has not that much left
        insufficient_quota,    // the key's budget has not
        unavailable,           // the centre did not answer in time
    };
    LeaseAsk() noexcept : AgentOperation(Kind::ask) {}
    // In; out: the generation that holds the amount, which may be a newer object of the same scope.
    LeaseScope* account = nullptr;
    LeaseScope* key = nullptr;               // may be null
    Nano amount = 0;                         // in
    Verdict verdict = Verdict::unavailable;  // out
};

// The centre's word on an idempotency key.
class ClaimAsk final : public AgentOperation {
  public:
    enum class What : std::uint8_t {
        acquire,  // the request has its reservation here and runs, or is about to
        release,  // it ended with nothing delivered; back at once, the centre hears it in time
        query,    // who has the key
    };
    enum class Verdict : std::uint8_t {
        granted,      // acquire: the key is this request's
        free,         // query: nobody has it. Of a release: nothing
        elsewhere,    // `owner` has it
        mismatch,     // the key was used with another body
        unavailable,  // the centre did not answer within two round trips (at least 1 s), or is not
                      // linked: told at once
    };
    ClaimAsk() noexcept : AgentOperation(Kind::claim) {}
    What what = What::acquire;  // in, as the next four
    AccountId account{};
    IdempotencyId idempotency;
    Fingerprint fingerprint;
    RequestId request;
    Verdict verdict = Verdict::unavailable;  // out
    ClaimOwner owner;                        // out, elsewhere
};

// A question to the centre, JSON both ways (GET /v1/balance, /v1/usage, the admin socket).
class CentralQuery final : public AgentOperation {
  public:
    CentralQuery() noexcept : AgentOperation(Kind::query) {}
    std::string subject;  // in: "balance", "usage", "admin", "sealed": last token of nx.v1.rpc.*
    std::string request;  // in: JSON object; sealed: octets that are the operator's and the centre's
    int status = 0;       // out: HTTP-like; 503 when the centre did not answer
    std::string reply;    // out: JSON; sealed, with 200: octets
};

// An answer that another POP owns: its state, and sealed chunks from a position on. Read from the
// owner or, when it cannot be reached, from whoever has the copies. Ends within
// limits::read_wait_max and the deadlines of two attempts each (some seconds).
class RemoteRead final : public AgentOperation {
  public:
    RemoteRead() noexcept : AgentOperation(Kind::read) {}
    ReadRequest request;   // in
    bool reached = false;  // out; false: neither owner nor copies could be reached
    bool copied = false;   // out: by the copies, the owner cannot be reached
    ReadReply reply;       // out, when reached
};

// One body of a request, opened, for an operator. Ends within limits::body_fetch_deadline.
class BodyFetch final : public AgentOperation {
  public:
    BodyFetch() noexcept : AgentOperation(Kind::fetch) {}
    RequestId request;                 // in
    BodyKind kind = BodyKind::answer;  // in
    std::string authority;             // in: ReferenceRequest::authority
    FetchedBody body;                  // out
};

// The buddy's word on a stream's copy (copy_waits.h). Ends within limits::copy_wait_max.
class CopyAsk final : public AgentOperation {
  public:
    CopyAsk() noexcept : AgentOperation(Kind::copy) {}
    CopyWaits::Ask ask;   // in
    bool copied = false;  // out; false: the buddy does not keep up, show it all the same
};

struct AgentStats {
    std::atomic<std::uint64_t> shipped_records{0}, applied_records{0}, ship_failures{0},
        lease_requests{0}, lease_asks{0}, claim_requests{0}, outbox_depth{0};
    std::atomic<std::int64_t> lag_ms{0};          // OutboxWatch::lag_ms
    std::atomic<std::uint64_t> bodies_erased{0};  // by order of the centre
    // The ledger's: the one registered with (0: none yet), and how often another one came.
    std::atomic<std::uint64_t> epoch{0}, epoch_changes{0};
    // Between POPs: reads of others' answers here (of copies; without an answer), of ours there;
    // copies sent and given up, sealed bytes not yet at the buddy; sealed bytes kept for others.
    std::atomic<std::uint64_t> remote_reads{0}, remote_reads_of_copies{0}, remote_reads_failed{0},
        reads_served{0}, copies_finished{0}, copies_dropped{0}, copies_lag_bytes{0},
        copies_kept_bytes{0}, copy_messages_dropped{0}, peer_messages_refused{0}, peers{0};
    // CopyWaits: asks answered with either word; whether it is behind.
    std::atomic<std::uint64_t> copy_waits_copied{0}, copy_waits_alone{0}, copy_waits_behind{0};
    std::atomic<Nanoseconds> last_contact_ns{0};  // of Clock::now_ns; 0: never
    // LeaseKeeper::Totals, once a second.
    std::atomic<Nano> lease_headroom{0}, lease_granted{0}, lease_settled{0};
    std::atomic<std::uint64_t> leases{0};
    std::atomic<Nanoseconds> round_trip_ns{0};    // to the centre and back, smoothed
};

struct AgentOptions {
    PopId pop{1};
    std::string pop_name = "pop1";
    std::string version;  // of the program, for operators
    crypto::SecretKey
        link_key;  // of this POP's MACs; the centre has the same (CentralOptions::link_keys)
    Nanoseconds heartbeat_ns = 1 * second;
    Nanoseconds ship_delay_ns =
        10 * millisecond;                   // to gather a batch
    Nano lease_slice = 20 * nano_per_unit;  // most that one refill keeps ahead
    std::uint64_t copies_bytes_max = limits::buddy_bytes_max;  // kept for other POPs
    std::int64_t copies_retention_ms = 26 * 3'600'000;         // as RocksOptions::body_retention_s
    std::uint32_t answer_ttl_ms =
        86'400'000;  // how long an answer is kept, and so its key taken at every POP
    bool copies_awaited = false;  // durability.stream "buddy": CopyAsk has a meaning
    bool batches_packed = true;   // settlements travel
};

class Agent {
  public:
    // Before the first directory is published the centre is asked for the body keys that `vault`
    // lacks; an account that comes later may be published before its key (feed_follower.h).
    Agent(Transport& transport, storage::CommitThread& commits, storage::Journal& journal,
          storage::Vault& vault, Clock& clock, Random& random, AgentOptions options);
    ~Agent();

    // Registers, gets the first directory, then returns; the thread goes on until stop(). With a
    // centre that does not answer: unavailable(central) after `timeout_ns`, and the thread goes on
    // trying (the caller may call again to wait on, or serve anyway).
    Status start(Nanoseconds timeout_ns);
    // Simulator and tests: one turn on the calling thread instead of start(); stop() ends it, too.
    void run_once();
    // Ships what it can within 2 s, then joins; who still waits gets `unavailable`. Before the
    // CommitThread stops, after the last ask() and query() was posted; their mailboxes are still
    // delivered.
    void stop();

    // Any thread.
    void ask(LeaseAsk& ask, Mailbox& reply_to, storage::OperationDone done) noexcept;
    void query(CentralQuery& query, Mailbox& reply_to, storage::OperationDone done) noexcept;
    void read(RemoteRead& read, Mailbox& reply_to, storage::OperationDone done) noexcept;
    void claim(ClaimAsk& claim, Mailbox& reply_to, storage::OperationDone done) noexcept;
    void fetch(BodyFetch& fetch, Mailbox& reply_to, storage::OperationDone done) noexcept;
    void copy(CopyAsk& copy, Mailbox& reply_to, storage::OperationDone done) noexcept;
    [[nodiscard]] std::shared_ptr<const Directory> directory()
        const noexcept;  // takes a lock: at start and on change only
    // `changed` runs on the agent's thread after every new snapshot; it posts mail to the loops.
    void on_directory(std::function<void(std::shared_ptr<const Directory>)> changed);

    [[nodiscard]] AgentStats& stats() noexcept;
    [[nodiscard]] std::uint32_t incarnation()
        const noexcept;                          // of request ids; 0: not registered yet
    [[nodiscard]] bool linked() const noexcept;  // contact within three heartbeats

  private:
    friend struct AgentAccess;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::replication
