// Finds where a head ends in a byte stream, however it is split, and keeps what has arrived until then.
// Checks what must be known before the end: line ends, sizes, the blank line some clients send first.
#pragma once
#include <string>

#include "edge/base/bytes.h"

namespace nodex::http {

class HeadCollector {
  public:
    enum class Step : std::uint8_t {
        need_more,      // all bytes were taken; call again with more
        start_line,     // start_line() is known, for an early refusal; call again with the rest
        complete,       // head() is known; the rest belongs to the body
        malformed,      // a LF without its CR, or a second blank line in front
        line_too_long,  // start line over `start_line_bytes_max`
        too_large,      // head over limits::head_bytes_max
    };
    struct Options {
        std::size_t start_line_bytes_max;
        bool blank_line_allowed;  // one CRLF in front of the start line (RFC 9112 section 2.2)
    };
    explicit HeadCollector(Options options) noexcept : options_(options) {}

    // Takes `fresh` up to the end of the head. After start_line, call again with the same bytes. The same
    // refusal comes whatever the split: checks are made in the order of the stream.
    Step take(Bytes fresh) noexcept;
    // Of `fresh`, how much complete has taken.
    [[nodiscard]] std::size_t taken_bytes() const noexcept { return offset_; }

    // Valid right after start_line and complete; without CR LF, and with both final CR LF, respectively. They
    // lie in `fresh` when the whole head came at once, else in this object.
    [[nodiscard]] Bytes start_line() const noexcept { return start_line_; }
    [[nodiscard]] Bytes head() const noexcept { return head_; }
    // Copies a head() that lies in `fresh` in here, so that it outlives the bytes it came in.
    void keep() noexcept;

    [[nodiscard]] bool empty() const noexcept {
        return total_bytes_ == 0;
    }                         // no byte of a head has been seen
    void reset() noexcept;    // for the next head; memory is kept
    void release() noexcept;  // reset, and memory is given back

  private:
    Step end_line(Bytes fresh, std::size_t line_end) noexcept;
    Step end_start_line(Bytes fresh) noexcept;
    Step end_head(Bytes fresh) noexcept;
    Step take_rest(Bytes fresh) noexcept;
    void absorb(Bytes fresh) noexcept;

    Options options_;
    std::string pending_;  // of a head that came in pieces; empty: it lies in `fresh`
    Bytes start_line_;
    Bytes head_;
    std::size_t offset_ = 0;       // in `fresh`: the next byte to look at
    std::size_t head_start_ = 0;   // in `fresh`: the first byte that is not in pending_
    std::size_t total_bytes_ = 0;  // of the head, looked at so far
    std::size_t line_bytes_ = 0;   // of the unfinished line, from earlier feeds
    char last_ = '\0';             // the byte before `fresh`
    bool start_line_seen_ = false;
    bool blank_line_seen_ = false;
};

}  // namespace nodex::http
