// One connection to a provider: resolves, connects, carries one request at a time, waits in its pool between
// requests. Owned by its pool, so it can finish closing after the request that used it is gone.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "edge/channel/channel.h"
#include "edge/http/response_parser.h"
#include "edge/upstream/endpoint.h"
#include "edge/upstream/resolver.h"

namespace nodex::upstream {

class Connection;

// Whether a failed request may have reached the provider.
enum class Delivery : std::uint8_t {
    impossible,  // the kernel never took a byte of it: sending it again cannot run the model twice
    possible,
};

// The request on a connection. Called from the loop, never from inside a verb of Connection. After
// answer_complete() or answer_failed() the connection has forgotten it.
class Exchange {
  public:
    virtual Bytes request() noexcept = 0;  // the whole message; read once, when it can be written
    virtual void answer_head(const http::ResponseHead& head) noexcept = 0;
    virtual void answer_body(Bytes bytes) noexcept = 0;
    virtual void answer_complete() noexcept = 0;
    virtual void answer_failed(Error error, Delivery delivery) noexcept = 0;

  protected:
    ~Exchange() = default;
};

// The pool. Either may destroy nothing that is on the stack: connections live until the pool goes.
class ConnectionOwner {
  public:
    virtual void connection_pooled(Connection& connection) noexcept = 0;  // ready for another request
    virtual void connection_unpooled(Connection& connection) noexcept = 0;  // it waited, and is closing now
    virtual void connection_vacant(Connection& connection) noexcept = 0;  // closed; may be opened again

  protected:
    ~ConnectionOwner() = default;
};

// What a request waits for, at most. `end_ns` is an instant.
struct Deadlines {
    Nanoseconds connect_ns = 0;     // look-up, connect and handshake together
    Nanoseconds first_byte_ns = 0;  // from the request's departure to the end of the answer's head
    Nanoseconds idle_ns = 0;        // between two bytes of the body
    Nanoseconds end_ns = 0;
};

// vacant --> resolving --> connecting --> awaiting_head --> receiving --> complete --> pooled
//                                            ^----------------------------------------'
// each but vacant --> closing --> vacant
enum class ConnectionPhase : std::uint8_t {
    vacant, resolving, connecting, awaiting_head, receiving, complete, pooled, closing
};
const char* name(ConnectionPhase phase) noexcept;

class Connection final : ChannelOwner, http::ResponseEvents {
  public:
    Connection(Loop& loop, Resolver& resolver, ConnectionOwner& owner) noexcept;
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();  // asserts vacant

    // Opens a vacant connection for `exchange`. `context` null: plain.
    void open(const EndpointConfig& endpoint, std::shared_ptr<tls::ClientContext> context,
              Exchange& exchange, const Deadlines& deadlines) noexcept;
    // Sends on a pooled connection.
    void reuse(Exchange& exchange, const Deadlines& deadlines) noexcept;
    void pause() noexcept;   // the exchange is full: the kernel's window holds the provider back
    void resume() noexcept;
    // The exchange goes away: the connection closes at once, which is the only cancel signal providers know.
    void abandon() noexcept;
    // Ends a pooled connection.
    void close_pooled() noexcept;

    [[nodiscard]] ConnectionPhase phase() const noexcept { return phase_; }
    // The current request went over a connection that had carried another one before.
    [[nodiscard]] bool reused() const noexcept { return reused_; }

  private:
    enum class Next : std::uint8_t { pool, close, abort };       // after a complete answer
    enum class Manner : std::uint8_t { orderly, abrupt };

    void enter(ConnectionPhase next) noexcept;
    [[nodiscard]] bool carries_exchange() const noexcept;

    void resolve(const std::string& host, std::uint16_t port) noexcept;
    void resolve_done() noexcept;
    void connect_next() noexcept;
    void send_request() noexcept;
    void deadline_passed() noexcept;
    void arm_deadline() noexcept;
    void finish(Next next) noexcept;
    void fail(Error error) noexcept;
    void close(Manner manner, Error reason) noexcept;
    void close_join() noexcept;
    [[nodiscard]] Delivery delivery() const noexcept;

    void channel_opened() noexcept override;
    void channel_received(Bytes bytes) noexcept override;
    void channel_ended() noexcept override;
    void channel_writable() noexcept override {}
    void channel_closed(Error error) noexcept override;
    void response_head(const http::ResponseHead& head) noexcept override;
    void response_body(Bytes bytes) noexcept override;
    void response_complete() noexcept override;

    Loop& loop_;
    Resolver& resolver_;
    ConnectionOwner& owner_;
    ConnectionPhase phase_ = ConnectionPhase::vacant;
    bool paused_ = false;            // by the exchange
    bool reused_ = false;
    Exchange* exchange_ = nullptr;   // non-null exactly while carries_exchange()
    Deadlines deadlines_;            // of the current exchange
    Nanoseconds connect_by_ns_ = 0;  // resolving, connecting
    Nanoseconds progress_ns_ = 0;    // awaiting_head: departure; receiving: last byte
    std::uint64_t sent_before_ = 0;  // the channel's sent_bytes() when the request was handed over
    std::uint64_t body_bytes_ = 0;   // of the current answer
    std::size_t address_index_ = 0;  // connecting: the next of resolution_.addresses to try
    std::string host_;
    std::shared_ptr<tls::ClientContext> context_;
    Channel channel_;
    http::ResponseParser parser_;
    Resolution resolution_;
    Timer timer_;
};

}  // namespace nodex::upstream
