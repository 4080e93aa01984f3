// Shipper: sends the outbox to the ledger, go-back-N on the ledger's watermark (README.md here,
// Shipping). A record leaves the outbox only when the ledger says that it is applied and durable.
//
// A batch that got no answer is sent again at once, with all behind it: what else is on its way
// took the same road, as a hub that dies takes a window of batches with it. It got none when
// nothing was answered for as long as an answer takes (RFC 6298, 5.3): the centre works a window
// off in order, and the last of it waits for all others. From there on one batch is on its way,
// then two, four...: a line that was too thin for the window is not filled a second time, and a
// centre that is only slow is not asked for everything twice. In a silence each wait is twice the
// one before; the centre's next word, on whatever, ends them. A batch that is not answered while
// others are may have gone to a dead process of several, so the next try is as good as the first;
// from the second repetition on twice the wait lies between, for a centre that is slow in this
// alone.
//
// A road that was cut is not therefore thin. When nobody was heard for two seconds the next batch is
// a small one, which a new connection takes in one piece. Is it answered as soon as any answer is
// waited for, then the window is whole at once: those behind it are answered as closely as it was,
// so that none is missed, and what the road takes at a time is TCP's to find out. After any other
// loss (a hub, one of several processes of the centre, a line that drops or is thin) the window
// grows by doubling: all that follows a lost batch is sent for nothing.
#pragma once
#include <deque>
#include <functional>
#include <optional>

#include "edge/base/limits.h"
#include "replication/commit_port.h"
#include "replication/planted_bug.h"
#include "replication/pop_link.h"

namespace nodex::replication {

class Shipper {
  public:
    struct Options {
        Nanoseconds delay_ns = 10 * millisecond;  // to gather a batch
        PlantedBug planted_bug = PlantedBug::none;
        bool packed = true;  // for a centre that knows it (messages.h, packed_ship_protocol)
    };
    Shipper(PopLink& link, CommitPort& commits, Clock& clock, Options options)
        : link_(link), commits_(commits), clock_(clock), options_(options) {}

    // Registered: the ledger stands at `applied` with `chain`. `done` tells whether this journal
    // agrees: corrupt (central) when its records make another chain there.
    void start(std::uint64_t applied, const ChainHash& chain,
               std::function<void(const Status&)> done);
    // The ledger's chain is not this outbox's: told once, then nothing is sent for a while.
    void on_other_history(std::function<void()> told) { other_history_ = std::move(told); }
    // Not registered any more: nothing is sent, late answers say nothing.
    void stop();
    void outbox_grew();  // more to ship, soon
    void tick();

    [[nodiscard]] std::uint64_t applied() const noexcept { return applied_; }
    [[nodiscard]] std::uint64_t last() const noexcept {
        return last_;
    }  // newest record seen in the outbox
    [[nodiscard]] std::uint64_t shipped_count() const noexcept { return shipped_count_; }
    [[nodiscard]] std::uint64_t failures_count() const noexcept { return failures_count_; }
    // Everything seen in the outbox is on its way or applied.
    [[nodiscard]] bool caught_up() const noexcept { return started_ && next_ > last_; }
    [[nodiscard]] bool idle() const noexcept { return started_ && applied_ == last_; }
    // The centre is heard, and further behind than a window: as after a cut.
    [[nodiscard]] bool lags() const noexcept {
        return started_ && !is_cut_off() && last_ - applied_ > limits::outbox_window_records;
    }
    // When the next batch is due, where that is all there is to wait for.
    [[nodiscard]] std::optional<Nanoseconds> gathers_until_ns() const noexcept {
        const bool at_rest =
            started_ && !behind_ && !reading_ && in_flight_ == 0 && applied_ == truncated_;
        return at_rest && next_ <= last_ ? ship_at_ns_ : std::optional<Nanoseconds>();
    }

  private:
    struct Sent {
        std::uint64_t last = 0;
        ChainHash chain_after;
    };
    struct Read;
    void read_more();
    void read_done(const Read& read, const Status& status);
    void send(const ShipRequest& request);
    void replied(std::uint64_t first, std::uint64_t round, const Result<std::string>& payload);
    void unanswered(Error error);
    void take(const ShipReply& reply);
    void catch_up(const ShipReply& reply);
    void caught_up_to(const ShipReply& reply, const Result<ChainHash>& ours);
    void differs(std::uint64_t sequence);
    void go_back();
    [[nodiscard]] bool overdue() const noexcept;
    void give_up();
    [[nodiscard]] bool is_cut_off() const noexcept;
    void grow_window(Nanoseconds waited_ns) noexcept;
    void truncate();
    void watch_clock() noexcept;

    PopLink& link_;
    CommitPort& commits_;
    Clock& clock_;
    const Options options_;
    std::function<void()> other_history_;
    bool started_ = false;
    bool reading_ = false;
    bool truncating_ = false;
    bool catching_up_ = false;
    bool behind_ = false;        // a batch was out of order: go back when nothing is in flight
    std::uint64_t applied_ = 0;  // by the ledger
    ChainHash chain_at_applied_;
    std::uint64_t truncated_ = 0;
    std::uint64_t last_ = 0;
    std::uint64_t next_ = 1;   // first record not yet sent
    ChainHash chain_at_next_;  // before it
    std::deque<Sent> sent_;    // batches on their way, oldest first
    unsigned in_flight_ = 0;
    unsigned batches_max_ = 0;  // on their way
    bool was_cut_ = false;      // off, since the last answer
    unsigned repetitions_ = 0;  // of the first batch, while others were answered
    std::uint64_t round_ = 0;   // counts go_back(): answers of an earlier one tell a mark, no more
    std::uint64_t life_ = 0;    // counts start() and stop(): answers to an earlier one are dropped
    Nanoseconds waits_since_ns_ = 0;  // for the next answer: the last one, or the first batch
    Nanoseconds ship_at_ns_ = 0;      // nothing is sent before this
    Nanoseconds backoff_ns_ = 0;
    // The first record whose times are of this process and of the wall clock as it is set; 0: not
    // started yet. `unsteady_`: the clock was set, and what ran then may not have ended before
    // `steady_at_ns_`.
    std::uint64_t steady_from_ = 0;
    bool unsteady_ = false;
    Nanoseconds steady_at_ns_ = 0;
    std::optional<std::int64_t> wall_lead_ms_;  // of the wall clock on the monotonic one, last seen
    std::uint64_t shipped_count_ = 0;
    std::uint64_t failures_count_ = 0;
};

}  // namespace nodex::replication
