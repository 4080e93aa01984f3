// Incremental response parser for what providers send: hostile until proven otherwise.
// Strict status line and fields, 1xx swallowed and bounded, 101 / CL+TE / bad TE / bytes after the end are
// errors.
#pragma once
#include <memory>

#include "edge/http/message.h"

namespace nodex::http {

class ResponseEvents {
  public:
    virtual void response_head(const ResponseHead& head) noexcept = 0;  // valid during the call
    virtual void response_body(Bytes bytes) noexcept = 0;               // de-chunked
    virtual void response_complete() noexcept = 0;                      // framing says that it is whole

  protected:
    ~ResponseEvents() = default;
};

class ResponseParser {
  public:
    ResponseParser();
    ~ResponseParser();
    ResponseParser(ResponseParser&&) noexcept;
    ResponseParser& operator=(ResponseParser&&) noexcept;

    void begin(Method request_method) noexcept;  // before each request: HEAD answers have no body
    // malformed(provider) poisons the connection: close it, never reuse.
    Status feed(Bytes bytes, ResponseEvents& events) noexcept;
    // The connection ended. Success when the body was delimited by the end and is now complete
    // (response_complete was called), peer_closed(provider) when it was cut.
    Status finish(ResponseEvents& events) noexcept;
    [[nodiscard]] bool complete() const noexcept;
    // After complete(): may another request be sent on this connection?
    [[nodiscard]] bool reusable() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::http
