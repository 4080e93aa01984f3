// ServerConnection: the client's socket as HTTP/1.1 exchanges, one at a time, in order. Moves
// bytes, knows no JSON. Enforces the deadlines of limits.h (handshake, head, body, keep-alive,
// stalled reader). The edge and the provider simulator both serve on it. Loop-thread only.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "edge/channel/channel.h"
#include "edge/http/message.h"

namespace nodex {

class ServerConnection;

// Handles requests of connections; implemented by the gateway's router, the admin socket, the
// provider. All callbacks come from the loop, never from inside a verb of ServerConnection.
class RequestHandler {
  public:
    // A head arrived; answers the most body bytes to accept. `head` stays valid until
    // request_complete() returns. The handler may respond right here (an early answer): the rest of
    // the body is then drained or the connection closed after the answer.
    virtual std::uint64_t request_head(ServerConnection& connection,
                                       const http::RequestHead& head) noexcept = 0;
    virtual void request_body(ServerConnection& connection, Bytes bytes) noexcept = 0;
    virtual void request_complete(ServerConnection& connection) noexcept = 0;
    // The message was refused (by the parser, or because head or body came too slowly: timed_out).
    // The handler writes an error answer (JSON envelope) with the given status through respond();
    // the connection closes after it. Never inside an exchange: one that has begun is ended by
    // request_abandoned first.
    virtual void request_refused(ServerConnection& connection, http::Refusal refusal) noexcept = 0;
    // After a response began: the outbound queue has room again (see ServerConnection::writable()).
    virtual void response_writable(ServerConnection& connection) noexcept = 0;
    // The client went away (or a deadline cut it) before the response was finished. The exchange is
    // over for this connection; never called after finish(). `reason` for logs.
    virtual void request_abandoned(ServerConnection& connection, Error reason) noexcept = 0;
    // At the end of the turn in which the response was finished: all of it is with the channel (or
    // lost). For access logs. `exchange` is null by then. May be ignored.
    virtual void response_sent(ServerConnection& connection) noexcept = 0;

  protected:
    ~RequestHandler() = default;
};

// Opens and closes connections; implemented by the listener (connection/acceptor.h).
class ServerConnectionOwner {
  public:
    virtual void connection_closed(
        ServerConnection& connection) noexcept = 0;  // may be reused or destroyed now

  protected:
    ~ServerConnectionOwner() = default;
};

class ServerConnection {
  public:
    // reading_head --> reading_body --> responding --> reading_head      any --> closing --> idle
    enum class Phase : std::uint8_t {
        idle,
        handshaking,
        reading_head,
        reading_body,
        responding,
        closing
    };

    ServerConnection(Loop& loop, RequestHandler& handler, ServerConnectionOwner& owner) noexcept;
    ~ServerConnection();

    void open(int fd, std::shared_ptr<tls::ServerContext> context, bool secure_listener) noexcept;
    // How long it may wait between requests; when it is open, from the next response on.
    void set_keep_alive(Nanoseconds keep_alive) noexcept;
    // Draining (SIGTERM): no further request after the current one; an idle connection closes now.
    void drain() noexcept;
    // For the acceptor, from the loop: the end of everything here, as if the client had gone. Who serves a
    // request on it is told from in here (request_abandoned).
    void abandon() noexcept;

    // --- the response, in this order: begin, write*, finish ---
    // `head` is a serialised response head up to and including the blank line minus the framing and
    // connection fields, which this class adds itself: see ResponseFraming.
    struct Response {
        int status = 200;
        Bytes fields;                      // "name: value\r\n" lines, already serialised and safe
        std::int64_t content_length = -1;  // -1: chunked (or close-delimited for HTTP/1.0)
    };
    void begin(const Response& response) noexcept;
    void write(Bytes body) noexcept;  // HEAD requests: dropped
    void finish() noexcept;  // the response is complete; the next pipelined request may start
    // A cut that the client can see: the chunked body is not ended, the connection is aborted.
    void cut() noexcept;
    // begin + write + finish in one.
    void respond(int status, Bytes fields, Bytes body) noexcept;

    [[nodiscard]] bool writable() const noexcept;
    [[nodiscard]] Phase phase() const noexcept;
    [[nodiscard]] std::string peer_address() const;

    // A slot for the handler: what it serves on this connection now. Null between requests.
    void* exchange = nullptr;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

const char* name(ServerConnection::Phase phase) noexcept;

}  // namespace nodex
