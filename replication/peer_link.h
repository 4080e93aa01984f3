// PeerLink: requests between this POP and others: seals, checks and matches them as PopLink does
// with the centre. A message whose MAC is not the pair's is dropped without an answer.
#pragma once
#include <functional>
#include <map>
#include <string>

#include "replication/peer_roster.h"
#include "replication/pop_link.h"
#include "replication/transport.h"

namespace nodex::replication {

class PeerLink {
  public:
    // The payload of a reply of the expected type from that POP; or timed_out, unavailable (it
    // does not listen), malformed, forbidden (not its MAC).
    using Done = std::function<void(Result<std::string> payload)>;
    using Answer = std::function<void(Bytes payload)>;
    // `answer` may be kept and called later, once, on the thread that drives the transport; or
    // never: the asker's deadline ends it. `payload` is borrowed.
    using Handler = std::function<void(PopId from, Bytes payload, Answer answer)>;

    // `correlation_from`: as PopLink's.
    PeerLink(Transport& transport, PopLink& link, const PeerRoster& roster,
             std::uint64_t correlation_from);

    // `verb`: the last token of the subject. False: that POP is not known, and `done` is dropped.
    [[nodiscard]] bool request(PopId to, Bytes verb, MessageType type, Bytes payload,
                               Nanoseconds timeout_ns, Done done);
    // At start; the reply's type is the one after `type`.
    void serve(MessageType type, Handler handler) { handlers_[type] = std::move(handler); }

    [[nodiscard]] std::uint64_t refused_count() const noexcept { return refused_count_; }
    [[nodiscard]] PopId pop() const noexcept { return link_.pop(); }

  private:
    void handle(Bytes subject, Bytes message, const Respond& respond);

    Transport& transport_;
    PopLink& link_;
    const PeerRoster& roster_;
    std::map<MessageType, Handler> handlers_;
    std::uint64_t last_correlation_;
    std::uint64_t refused_count_ = 0;  // messages that were not what they claimed
};

}  // namespace nodex::replication
