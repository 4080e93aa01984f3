// RemoteReader: reads an answer that another POP owns: from the owner, or, when it cannot be
// reached, from whoever has the copies, which may be this POP.
//
//   owner --unavailable, timed out twice--> copies --the same--> unavailable
//
// An owner that could not be reached is not asked again for a moment, so that each following read
// does not pay its deadline.
#pragma once
#include <deque>
#include <functional>
#include <map>

#include "replication/answer_reads.h"
#include "replication/peer_link.h"

namespace nodex::replication {

class RemoteReader {
  public:
    // unavailable(central): neither the owner nor the copies can be reached; errors of the store.
    // `copied`: the owner was not reached, the copies were asked.
    using Done = std::function<void(Result<ReadReply> reply, bool copied)>;

    RemoteReader(PeerLink& link, const PeerRoster& roster, AnswerReads& own, Clock& clock)
        : link_(link), roster_(roster), own_(own), clock_(clock) {}

    // `done` runs once, later or at once.
    void read(const ReadRequest& request, Done done);
    // Whether something of that owner's answer can still be read: of a copy, or because the owner
    // lives after all. False also when nobody who could know answers.
    void is_kept(const ClaimRequest::Entry& entry, const ClaimReply::Entry& word,
                 std::function<void(bool kept)> told);
    void tick();
    // Who waits gets `unavailable`.
    void stop();

    [[nodiscard]] bool busy() const noexcept { return !asked_.empty() || !paced_.empty(); }
    [[nodiscard]] std::uint64_t reads_count() const noexcept { return reads_count_; }
    [[nodiscard]] std::uint64_t copies_read_count() const noexcept { return copies_read_count_; }
    [[nodiscard]] std::uint64_t failures_count() const noexcept { return failures_count_; }

  private:
    struct Asked {
        ReadRequest request;
        Done done;
        Nanoseconds asked_ns = 0;
        unsigned timeouts = 0;
        bool copied = false;  // the copies were asked
    };
    struct Paced {
        Nanoseconds at_ns = 0;
        Done done;
        ReadReply reply;
        bool copied = false;
    };
    void ask_owner(std::uint64_t number);
    void ask_copies(std::uint64_t number);
    void owner_replied(std::uint64_t number, const Result<std::string>& payload);
    void finish(std::uint64_t number, Result<ReadReply> reply);

    PeerLink& link_;
    const PeerRoster& roster_;
    AnswerReads& own_;
    Clock& clock_;
    std::uint64_t last_number_ = 0;
    std::map<std::uint64_t, Asked> asked_;
    std::deque<Paced> paced_;              // came back too early with nothing; oldest first
    std::map<PopId, Nanoseconds> silent_;  // until when that owner is not asked
    std::uint64_t reads_count_ = 0;
    std::uint64_t copies_read_count_ = 0;
    std::uint64_t failures_count_ = 0;
};

}  // namespace nodex::replication
