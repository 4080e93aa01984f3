// Transport: request/reply and publish/subscribe between a POP and the centre, in NATS's terms.
// Twins: in process (standalone), simulated, and NATS. It may lose, repeat and reorder messages:
// nothing above may care.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "edge/base/bytes.h"
#include "edge/base/clock.h"
#include "edge/base/mailbox.h"
#include "edge/base/result.h"

namespace nodex::replication {

// Answers one request. `respond` may be kept and called later, once, by the thread that drives the
// end; a second answer is not heard, and after the end was detached none is sent.
using Respond = std::function<void(std::string reply)>;
using RequestHandler = std::function<void(Bytes subject, Bytes payload, Respond respond)>;

// A POP's end. `subject` of subscribe() and serve() may be a pattern (replication/subject.h).
class Transport {
  public:
    using ReplyHandler = std::function<void(Result<std::string> reply)>;
    using MessageHandler = std::function<void(Bytes subject, Bytes payload)>;
    virtual ~Transport() = default;

    // Handlers run while this mailbox is delivered: its thread drives this end. Set before the
    // first request; nullptr: no handler runs any more, what is outstanding or comes is dropped.
    virtual void attach(Mailbox* mailbox) = 0;
    // Driving thread, at least ten times a second: ends requests whose deadline has passed.
    virtual void expire() = 0;
    // To the centre, or to the POP that serves the subject. The handler runs exactly once, on the
    // thread that drives this end of the transport: the reply, or timed_out(central),
    // unavailable(central) (nobody listens). Payload at most limits::message_bytes_max and its
    // envelope.
    virtual void request(Bytes subject, std::string payload, Nanoseconds timeout_ns,
                         ReplyHandler handler) = 0;
    virtual void publish(Bytes subject, std::string payload) = 0;
    // For the process's lifetime; made once at start.
    virtual void subscribe(Bytes subject, MessageHandler handler) = 0;
    // As subscribe, for requests of other POPs: nx.v1.pop.<this POP>.<sender>.<verb>. Whoever asks
    // is not known but by the message's own MAC.
    virtual void serve(Bytes subject, RequestHandler handler) = 0;
};

// The centre's end: answers requests of its queue group.
class TransportServer {
  public:
    using Respond = replication::Respond;
    using RequestHandler = replication::RequestHandler;
    virtual ~TransportServer() = default;
    // As Transport::attach; what arrived before attach(nullptr) is still answered while the mailbox
    // is delivered.
    virtual void attach(Mailbox* mailbox) = 0;
    virtual void keep() {}  // driving thread, ten times a second: upkeep of the connection
    virtual void serve(Bytes subject, RequestHandler handler) = 0;
    virtual void publish(Bytes subject, std::string payload) = 0;
};

}  // namespace nodex::replication
