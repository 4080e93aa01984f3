// Server-sent events (WHATWG HTML section 9.2): parsing what providers send, writing what clients get.
#pragma once
#include <cstdint>
#include <string>

#include "edge/base/bytes.h"
#include "edge/base/result.h"

namespace nodex::http {

// One event. Views are valid during the callback. Comments and retry fields are dropped; `id` of a provider
// is dropped.
struct ServerEvent {
    Bytes type;             // the `event` field, "" when absent
    Bytes data;             // `data` lines joined by LF
    bool has_data = false;  // an event without data lines is not dispatched by the standard; it is not
                            // delivered here either
};

class SseEvents {
  public:
    virtual void server_event(const ServerEvent& event) noexcept = 0;

  protected:
    ~SseEvents() = default;
};

// Accepts LF, CR, CRLF, a BOM, any split, also inside a character or a line end. One event at most
// limits::event_bytes_max: beyond it limit_exceeded(provider) for good. Zero copy when an event lies within
// one feed().
class SseParser {
  public:
    Status feed(Bytes bytes, SseEvents& events) noexcept;
    // True when bytes of an unfinished event are pending: the stream was cut inside an event.
    [[nodiscard]] bool in_event() const noexcept;
    void reset() noexcept;

  private:
    std::size_t take_events(Bytes text, SseEvents& events) noexcept;

    std::string pending_;         // bytes of the unfinished event
    std::size_t line_start_ = 0;  // in pending_: its unfinished line
    std::size_t scanned_ = 0;     // in pending_: the unfinished line has no end before here
    std::string joined_;          // data lines of a multi-line event
    bool skip_lf_ = false;        // the last event ended with a CR: a LF that follows belongs to it
    bool started_ = false;        // the first bytes (a BOM) have been looked at
    bool failed_ = false;
};

// Appends "id: evt_00042\nevent: type\ndata: ...\n\n". `number` from 1 (0: no id line); `type` may be "";
// data is split at LF, CR and CRLF into several data lines, so no client byte can forge a field.
void append_event(std::string& target, std::uint64_t number, Bytes type, Bytes data);
void append_comment(std::string& target, Bytes text);  // ": text\n\n", for heartbeats

// "evt_00042" -> 42. Nothing unless "evt_" and 5 to 19 digits, without superfluous zeros beyond five digits.
// "evt_00000" is 0: before the first event.
Result<std::uint64_t> parse_event_id(Bytes text) noexcept;
std::string event_id(std::uint64_t number);

}  // namespace nodex::http
