// Parses server-sent events. Two passes over an event: find the blank line, then read the lines in between;
// the first is eight bytes a step and lets the second run on whole events only.
#include <algorithm>
#include <cstring>

#include "edge/base/limits.h"
#include "edge/http/sse.h"

namespace nodex::http {
namespace {

constexpr Bytes byte_order_mark = "\xEF\xBB\xBF";
constexpr std::size_t keep_capacity_bytes = 64 * 1024;  // a larger buffer is given back after its event

// Non-zero where a byte of `word` equals `c`: the classic has-zero-byte test.
std::uint64_t matches(std::uint64_t word, char c) noexcept {
    const std::uint64_t ones = 0x0101010101010101ULL;
    const std::uint64_t x = word ^ (ones * static_cast<unsigned char>(c));
    return (x - ones) & ~x & (ones << 7);
}

// The index of the first CR or LF at or after `from`, or the size. Not two memchr: with one kind of line end
// only, the search for the other would run to the end of the buffer for every line.
std::size_t line_end(Bytes text, std::size_t from) noexcept {
    while (from + 8 <= text.size()) {
        std::uint64_t word;
        std::memcpy(&word, text.data() + from, sizeof word);
        if ((matches(word, '\n') | matches(word, '\r')) != 0) break;
        from += 8;
    }
    while (from < text.size() && text[from] != '\n' && text[from] != '\r') ++from;
    return from;
}

// Behind the line end at `at`: one byte, or two for CR LF.
std::size_t next_line(Bytes text, std::size_t at) noexcept {
    return text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n' ? at + 2 : at + 1;
}

// Reads the lines of one event (WHATWG HTML section 9.2.6). `joined` is used when there are several data
// lines.
ServerEvent read_event(Bytes block, std::string& joined) noexcept {
    ServerEvent event;
    unsigned data_count = 0;
    for (std::size_t at = 0; at < block.size();) {
        const std::size_t end = line_end(block, at);
        const Bytes line = block.substr(at, end - at);
        at = end < block.size() ? next_line(block, end) : end;
        const std::size_t colon = std::min(line.find(':'), line.size());
        const Bytes field = line.substr(0, colon);
        Bytes value = line.substr(std::min(colon + 1, line.size()));
        if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
        if (field == "event") event.type = value;
        if (field != "data") continue;
        event.has_data = true;
        if (data_count++ == 0) {
            event.data = value;
            continue;
        }
        if (data_count == 2) joined.assign(event.data);
        joined.append(1, '\n').append(value);
        event.data = joined;
    }
    return event;
}

}  // namespace

// Takes whole events off the front of `text`. Answers how many bytes are done with.
std::size_t SseParser::take_events(Bytes text, SseEvents& events) noexcept {
    std::size_t event_start = 0;
    std::size_t line_start = line_start_;
    std::size_t scanned = scanned_;
    while (!failed_) {
        const std::size_t end = line_end(text, scanned);
        scanned = end;
        if (end == text.size()) break;
        const bool cr_at_end = text[end] == '\r' && end + 1 == text.size();
        if (end > line_start) {
            if (cr_at_end) break;  // perhaps half a line end: looked at again with the next byte
            line_start = scanned = next_line(text, end);
            continue;
        }
        const Bytes block = text.substr(event_start, line_start - event_start);
        if (block.size() > limits::event_bytes_max) {
            failed_ = true;
            break;
        }
        const ServerEvent event = read_event(block, joined_);
        if (event.has_data) events.server_event(event);
        // The blank line's CR ends the event at once; its LF, if one follows, is skipped wherever it comes.
        skip_lf_ = cr_at_end;
        event_start = line_start = scanned = next_line(text, end);
    }
    scanned_ = scanned - event_start;
    line_start_ = line_start - event_start;
    return event_start;
}

Status SseParser::feed(Bytes bytes, SseEvents& events) noexcept {
    constexpr Error too_large{.code = ErrorCode::limit_exceeded, .source = ErrorSource::provider};
    if (failed_) return too_large;
    if (bytes.empty()) return {};
    if (skip_lf_) {
        skip_lf_ = false;
        if (bytes.front() == '\n') bytes.remove_prefix(1);
    }
    const bool buffered = !pending_.empty();
    if (buffered) pending_.append(bytes);
    Bytes text = buffered ? Bytes(pending_) : bytes;
    std::size_t done_bytes = 0;
    if (!started_) {
        if (text.size() < byte_order_mark.size() && byte_order_mark.substr(0, text.size()) == text) {
            if (!buffered) pending_.assign(text);
            return {};
        }
        started_ = true;
        if (text.substr(0, byte_order_mark.size()) == byte_order_mark) done_bytes = byte_order_mark.size();
    }
    done_bytes += take_events(text.substr(done_bytes), events);
    if (text.size() - done_bytes > limits::event_bytes_max) failed_ = true;
    if (failed_) {
        std::string().swap(pending_);
        return too_large;
    }
    if (!buffered)
        pending_.assign(text.substr(done_bytes));
    else if (done_bytes > 0)
        pending_.erase(0, done_bytes);
    if (pending_.empty() && pending_.capacity() > keep_capacity_bytes) std::string().swap(pending_);
    if (joined_.capacity() > keep_capacity_bytes) std::string().swap(joined_);
    return {};
}

bool SseParser::in_event() const noexcept {
    return !pending_.empty();
}

void SseParser::reset() noexcept {
    pending_.clear();
    joined_.clear();
    scanned_ = 0;
    line_start_ = 0;
    started_ = false;
    skip_lf_ = false;
    failed_ = false;
}

}  // namespace nodex::http
