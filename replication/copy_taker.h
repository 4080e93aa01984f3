// CopyTaker: the buddy's side of copies: writes the pieces that other POPs send, and knows which of
// them are still heard of.
#pragma once
#include <map>
#include <optional>
#include <vector>

#include "replication/commit_port.h"
#include "replication/peer_link.h"
#include "replication/peer_messages.h"
#include "replication/peer_roster.h"

namespace nodex::replication {

class CopyTaker {
  public:
    // Takes copies of those only whose buddy this POP is, by the roster.
    CopyTaker(PeerLink& link, const PeerRoster& roster, CommitPort& commits, Clock& clock,
              storage::BuddyCopies::Options options);

    void start();  // reads how much is kept; pieces that come earlier are dropped

    // The process of `owner` that sent something within copy_sender_silence; nothing: silence.
    [[nodiscard]] std::optional<std::uint64_t> live(PopId owner) const noexcept;
    [[nodiscard]] std::uint64_t kept_bytes() const noexcept { return copies_.bytes(); }
    [[nodiscard]] std::uint64_t dropped_count() const noexcept { return dropped_count_; }

  private:
    struct Incoming {
        PopId from{};
        CopyRequest request;
        PeerLink::Answer answer;
    };
    struct Heard {
        std::uint64_t life = 0;
        Nanoseconds at_ns = 0;
    };
    void take(PopId from, Bytes payload, PeerLink::Answer answer);
    void write();

    const PeerRoster& roster_;
    CommitPort& commits_;
    Clock& clock_;
    const PopId self_;
    storage::BuddyCopies copies_;
    bool ready_ = false;
    bool writing_ = false;
    std::vector<Incoming> inbox_;
    std::size_t inbox_bytes_ = 0;
    std::map<PopId, Heard> heard_;
    std::uint64_t dropped_count_ = 0;  // messages for which there was no room, or from others
};

}  // namespace nodex::replication
