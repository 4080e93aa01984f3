// LeaseKeeper: keeps this POP's leases filled (README.md here, States): heartbeats with totals,
// refills ahead of spending, gives back what lies idle, and answers requests that do not fit what
// is left (asks), first come first served. Counters on the wire are totals: a lost, repeated or
// late message is harmless.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "replication/commit_port.h"
#include "replication/leases.h"
#include "replication/planted_bug.h"
#include "replication/pop_link.h"

namespace nodex::replication {

enum class AskVerdict : std::uint8_t {
    reserved,
    insufficient_balance,
    insufficient_quota,
    unavailable
};

class LeaseKeeper {
  public:
    struct Options {
        Nanoseconds heartbeat_ns = second;
        Nano slice = 20 * nano_per_unit;  // most that a refill keeps ahead
        PlantedBug planted_bug = PlantedBug::none;
    };
    // `generation_changed`: a scope has a new object: the directory must point to it.
    // `feed_seen`: the feed version a heartbeat's reply told.
    LeaseKeeper(PopLink& link, CommitPort& commits, Clock& clock, Options options,
                std::function<void()> generation_changed,
                std::function<void(std::uint64_t)> feed_seen)
        : link_(link),
          commits_(commits),
          clock_(clock),
          options_(options),
          generation_changed_(std::move(generation_changed)),
          feed_seen_(std::move(feed_seen)) {}

    // Loads the durable counters of scopes that are new here; then find() knows them all.
    void prepare(std::vector<LeaseKey> scopes, std::function<void(const Status&)> done);
    [[nodiscard]] LeaseScope* find(const LeaseKey& scope) noexcept;  // null: never prepared

    // Reserves `amount` under both scopes (`key` may be null), asking the centre if it must.
    // Exactly one call of `answer`, within limits::lease_ask_deadline or
    // limits::centre_failover_max of the centre's last word, whichever is later, with the
    // generations that hold it (newer ones than asked for when the centre opened them meanwhile).
    // It may run inside ask().
    using Answer = std::function<void(AskVerdict verdict, LeaseScope* account, LeaseScope* key)>;
    void ask(LeaseKey account, std::optional<LeaseKey> key, Nano amount, Answer answer);

    void start();  // registered: heartbeats may go out
    // Not registered any more: what is granted may be spent, until its term ends.
    void pause() noexcept { started_ = false; }
    // No grant of before counts (restored ledger): every scope gets a new generation, first in the
    // journal (commit thread), then, once that is durable, here.
    using Generations = std::map<LeaseKey, std::uint32_t>;
    static Generations abandon(storage::Journal& journal, storage::Batch& batch);
    void abandoned(const Generations& generations);
    void stop();  // answers `unavailable` to everyone who waits
    void tick();
    [[nodiscard]] std::size_t asks_waiting() const noexcept { return asks_.size(); }
    [[nodiscard]] std::uint64_t requests_sent() const noexcept { return requests_sent_; }
    // Of the accounts' leases, in nano-units of their currencies. Costs a walk over all scopes.
    struct Totals {
        std::uint32_t leases_count = 0;  // that were granted something or spent it
        Nano granted = 0;
        Nano settled = 0;
        Nano headroom = 0;  // may still be spent without asking; nothing of an expired lease
    };
    [[nodiscard]] Totals totals() const noexcept;

  private:
    struct Slot {
        LeaseScope* current = nullptr;
        std::vector<std::unique_ptr<LeaseScope>>
            generations;                // all that ever were: reservations point to them
        Nano returned_durable = 0;      // what may be told: persisted before it is said
        Nano returned_told = 0;         // the centre has answered that it knows
        Nano largest_reservation = 0;   // of recent asks and samples; halves every minute
        Nano settled_before = 0;        // at the last sample
        Nano per_minute = 0;            // spending speed: rises at once, falls by a fifth a sample
        Nanoseconds idle_since_ns = 0;  // far more is free than is needed since; 0: it is not
        bool giving_back = false;
        bool grant_noted = false;  // the journal knows, or soon will, that there was a grant
    };
    struct Waiting {
        LeaseKey account;
        std::optional<LeaseKey> key;
        Nano amount = 0;
        Answer answer;
        Nanoseconds deadline = 0;
        std::uint64_t covered_by = 0;  // number of the request that asks for it; 0: none yet
    };

    void load(const LeaseKey& scope, const storage::LeaseCounters& counters);
    static Nano want_total(const LeaseScope& lease, Nano ahead) noexcept;
    [[nodiscard]] Nano target(const Slot& slot) const noexcept;
    void sample(Slot& slot, Nanoseconds elapsed_ns);
    void give_back_idle(const LeaseKey& scope, Slot& slot, Nanoseconds now_ns);
    void heartbeat(Nanoseconds now_ns);
    void send_asks();
    void send(LeaseRequest request, std::uint64_t number);
    void replied(std::uint64_t number, bool ask, Nanoseconds sent_ns,
                 const Result<std::string>& payload);
    void take_entry(const LeaseReply::Entry& entry, Nanoseconds sent_ns);
    void note_grant(const LeaseKey& scope, Slot& slot);
    void open_generation(const LeaseKey& scope, std::uint32_t generation);
    void settle_asks(std::uint64_t number, const LeaseReply* reply);
    // Reserved under both, or which scope is short.
    enum class Attempt : std::uint8_t { reserved, account_short, key_short };
    Attempt try_reserve(const Waiting& waiting);
    void finish(Waiting waiting, AskVerdict verdict);

    PopLink& link_;
    CommitPort& commits_;
    Clock& clock_;
    const Options options_;
    std::function<void()> generation_changed_;
    std::function<void(std::uint64_t)> feed_seen_;
    std::map<LeaseKey, Slot> slots_;
    std::deque<Waiting> asks_;
    LeaseKey heartbeat_from_{};  // scopes beyond one request's limit take turns
    std::uint64_t requests_sent_ = 0;
    Nanoseconds heartbeat_at_ns_ = 0;
    Nanoseconds sampled_at_ns_ = 0;
    bool started_ = false;
    bool heartbeat_in_flight_ = false;
    bool asks_in_flight_ = false;
    Nanoseconds ask_again_at_ns_ = 0;  // nobody served the last one: not at every tick
};

}  // namespace nodex::replication
