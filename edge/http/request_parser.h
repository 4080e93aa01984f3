// Incremental request parser: raw head check, llhttp (strict), our limits. Pure: bytes to events, no I/O.
#pragma once
#include <memory>

#include "edge/http/message.h"

namespace nodex::http {

// Receives what was parsed, in order. Views are valid during the call, except `head`, which stays valid
// until request_complete() has returned.
class RequestEvents {
  public:
    // The head is complete and legal. Answers the most body bytes to accept (413 beyond).
    virtual std::uint64_t request_head(const RequestHead& head) noexcept = 0;
    virtual void request_body(Bytes bytes) noexcept = 0;
    // The message ended. Answers true to go on with bytes of a pipelined request, false to stop here
    // (feed() then returns with the rest unconsumed).
    virtual bool request_complete() noexcept = 0;

  protected:
    ~RequestEvents() = default;
};

class RequestParser {
  public:
    RequestParser();
    ~RequestParser();
    RequestParser(RequestParser&&) noexcept;
    RequestParser& operator=(RequestParser&&) noexcept;

    struct Progress {
        std::size_t consumed =
            0;  // of the bytes given; less than all only after request_complete answered false
        Refusal refusal =
            Refusal::none;  // not none: nothing more may be fed; answer status_of(refusal) and close
    };
    Progress feed(Bytes bytes, RequestEvents& events) noexcept;

    // True when no byte of a next request has been seen: the connection may be closed without loss.
    [[nodiscard]] bool between_requests() const noexcept;
    [[nodiscard]] bool in_head() const noexcept;
    void reset() noexcept;  // for a new connection
    void
    release_buffers() noexcept;  // frees head memory while idle between requests (memory per idle connection)

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// Fails when llhttp was compiled loose: feeds "\r\n\rX" as end of head and must see it refused. Start-up and
// tests.
[[nodiscard]] bool llhttp_is_strict() noexcept;

}  // namespace nodex::http
