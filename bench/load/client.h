// One connection of the load generator: sends a prepared request, takes the answer apart far enough to
// time it, and goes on. Loop-thread only.
#pragma once
#include <memory>

#include "bench/load/options.h"
#include "bench/load/recorder.h"
#include "edge/channel/channel.h"
#include "edge/http/response_parser.h"
#include "edge/http/sse.h"

namespace nodex::bench {

class Client;

// The worker; told from the loop.
class ClientOwner {
  public:
    virtual void client_opened(Client& client) noexcept = 0;
    virtual void client_ready(Client& client) noexcept = 0;   // a request may be sent
    virtual void request_ended(Client& client) noexcept = 0;  // once per send(), except after Client::close()
    virtual void client_closed(Client& client, Error error) noexcept = 0;  // to be opened again, or not

  protected:
    ~ClientOwner() = default;
};

// What the clients of a worker share.
struct ClientContext {
    Loop& loop;
    Recorder& recorder;
    const Options& options;
    RequestTemplate request;  // its key is overwritten for each request
    SocketAddress address;
    std::shared_ptr<tls::ClientContext> tls;  // null: plain
    std::uint64_t run = 0;                    // in the idempotency keys
    std::uint64_t next_number = 0;
};

// closed --> opening --> ready <--> busy       each but closed --> closing --> closed
enum class ClientPhase : std::uint8_t { closed, opening, ready, busy, closing };

class Client final : ChannelOwner, http::ResponseEvents, http::SseEvents {
  public:
    Client(ClientContext& context, ClientOwner& owner) noexcept;

    void open() noexcept;
    void open_at(Nanoseconds at_ns) noexcept;  // later, from a timer
    // Sends the next request, which was meant to start at `intended_ns`.
    void send(Nanoseconds intended_ns, bool waited) noexcept;
    // Ends the connection without counting what is unfinished on it; client_closed follows, except when it
    // is closed already.
    void close() noexcept;

    [[nodiscard]] ClientPhase phase() const noexcept { return phase_; }
    [[nodiscard]] Nanoseconds intended_ns() const noexcept { return intended_ns_; }
    // Of the last opening: it succeeded; it ended in failure (opening again at once would only make noise).
    [[nodiscard]] bool opened() const noexcept { return opened_; }
    [[nodiscard]] bool failed() const noexcept { return failed_; }

  private:
    void enter(ClientPhase next) noexcept;
    void finish() noexcept;
    void fail(Failure failure) noexcept;
    void timeout_passed() noexcept;

    void channel_opened() noexcept override;
    void channel_received(Bytes bytes) noexcept override;
    void channel_ended() noexcept override;
    void channel_writable() noexcept override {}
    void channel_closed(Error error) noexcept override;
    void response_head(const http::ResponseHead& head) noexcept override;
    void response_body(Bytes bytes) noexcept override;
    void response_complete() noexcept override { complete_ = true; }
    void server_event(const http::ServerEvent& event) noexcept override;

    enum class Answer : std::uint8_t { plain, events, unexpected };  // as its head says

    ClientContext& context_;
    ClientOwner& owner_;
    ClientPhase phase_ = ClientPhase::closed;
    bool opened_ = false;
    bool failed_ = false;
    // Of the current request:
    Answer answer_ = Answer::plain;
    bool complete_ = false;
    bool events_done_ = false;    // [DONE] was seen
    bool events_broken_ = false;  // an error event was seen
    bool token_seen_ = false;
    bool malformed_ = false;
    Nanoseconds intended_ns_ = 0;
    Nanoseconds event_ns_ = 0;    // the last event, 0: none yet
    Nanoseconds now_ns_ = 0;      // read once for all that arrived together; opening: when it began
    Channel channel_;
    http::ResponseParser parser_;
    http::SseParser events_;
    Timer timer_;  // opening later, or the request's timeout
};

}  // namespace nodex::bench
