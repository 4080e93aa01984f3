// ClaimKeeper: asks the centre who runs an idempotency key. What the loops ask
// within a turn of the agent travels in one message. An answer that does not come in time is
// `unavailable`; whoever asked decides whether to go on. Releases need no answer and may be lost:
// the centre's hint, sent when another POP wants the key, makes up for it.
//
// A message that is not answered as soon as an answer is worth waiting for (retry_timer.h) is sent
// a second time, once, within the same deadline: a client's first byte waits for it, and the
// process of the centre that took the first one may be dead while others answer. It is the same
// message, with the same number, so that it is to the ledger what a network's late copy is. In a
// silence, and of a centre that is slow, that wait is soon longer than the deadline.
#pragma once
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "replication/commit_port.h"
#include "replication/planted_bug.h"
#include "replication/pop_link.h"

namespace nodex::replication {

class ClaimKeeper {
  public:
    struct Options {
        Nanoseconds heartbeat_ns = second;
        std::uint32_t ttl_ms = 0;  // how long this POP keeps an answer
        PlantedBug planted_bug = PlantedBug::none;
    };
    ClaimKeeper(PopLink& link, CommitPort& commits, Clock& clock, Options options)
        : link_(link), commits_(commits), clock_(clock), options_(options) {}

    // Exactly one call of `answer`, perhaps inside ask(): the centre's word, or nothing when it is
    // not linked, says nothing within deadline() (twice that, when a dead owner is taken over), or
    // was not asked within limits::claim_deadline_max because nothing ran here.
    using Answer = std::function<void(const std::optional<ClaimReply::Entry>& word)>;
    void ask(const ClaimRequest::Entry& entry, Answer answer);
    // The request ended with nothing delivered: its key is free again, as soon as the centre hears.
    void release(AccountId account, const IdempotencyId& idempotency, const RequestId& request);
    // Another POP wants a key that the centre thinks is ours. Released unless our journal has it.
    void hinted(const ClaimHint& hint);

    // Before a dead owner is taken over: `look` finds out whether something of its answer is kept
    // at a living POP (or the owner lives after all), and tells. Then the key stays the owner's:
    // what was delivered is charged once, and its copy is the answer. Without it: taken over at
    // once.
    using Told = std::function<void(bool kept)>;
    using Look = std::function<void(const ClaimRequest::Entry& entry, const ClaimReply::Entry& word,
                                    Told told)>;
    void on_dead_owner(Look look) { look_ = std::move(look); }

    void start() { started_ = true; }  // registered: messages may go out
    void stop();                       // tells nothing to everyone who waits
    void tick();                       // sends what was asked since the last
    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }
    [[nodiscard]] std::uint64_t requests_sent() const noexcept { return requests_sent_; }
    [[nodiscard]] Nanoseconds deadline() const noexcept;

  private:
    struct Waiting {
        ClaimRequest::Entry entry;
        Answer answer;  // null: a release
        Nanoseconds asked_ns = 0;
    };
    struct Sent {
        std::vector<Waiting> batch;
        Nanoseconds sent_ns = 0;
        Nanoseconds deadline_ns = 0;  // the moment
    };
    [[nodiscard]] bool linked() const noexcept;
    void drop_late();
    void send(std::vector<Waiting> batch);
    void transmit(std::uint64_t number, const Sent& sent);
    void repeat_unanswered();
    void replied(std::uint64_t number, const Result<std::string>& payload);
    void finish(const Waiting& waiting, const std::optional<ClaimReply::Entry>& word);
    void take_over(const Waiting& waiting, const ClaimReply::Entry& word);
    void tell(const Waiting& waiting, const std::optional<ClaimReply::Entry>& word);

    PopLink& link_;
    CommitPort& commits_;
    Clock& clock_;
    const Options options_;
    Look look_;
    std::deque<Waiting> queue_;           // not sent yet
    std::map<std::uint64_t, Sent> sent_;  // by number of the message
    std::deque<std::uint64_t> once_;      // sent once, oldest first; some of them answered
    std::size_t waiting_ = 0;             // in queue_ and sent_
    std::uint64_t requests_sent_ = 0;
    std::uint64_t last_number_ = 0;  // of a message: wall clock in microseconds, always rising
    unsigned hints_in_flight_ = 0;
    bool started_ = false;
};

}  // namespace nodex::replication
