// Directives: what a request asks this provider to do to it, as text inside the request:
//   [[nodex: tokens=8 pace_ms=0 cut_after=3]]
// They travel in the body, so they pass any gateway that leaves bodies alone. README.md lists them.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "edge/base/bytes.h"

namespace nodex::provider {

struct Directives {
    // The answer.
    std::optional<std::uint64_t> tokens, first_token_ms, pace_ms, answer_bytes;
    std::string id;          // /nodex/calls counts by it
    // Instead of the answer.
    std::optional<std::uint64_t> status, retry_after, slow_head;
    std::string body_text;   // of an error status; '_' stands for a space
    bool hang = false, redirect = false, bad_status_line = false;
    // Faults after a number of events of a stream.
    std::optional<std::uint64_t> hang_after, cut_after, reset_after, error_event_after, silence_after;
    std::uint64_t silence_ms = 1'000;
    // Faults of the bytes.
    std::optional<std::uint64_t> cut_bytes, chunk_bytes, extra_bytes, huge_event;
    bool split_utf8 = false, crlf = false, comments = false, no_usage = false, no_done = false,
         bad_json = false;
    bool wrong_content_type = false, gzip_lie = false;
};

// Finds the first [[nodex: ...]] in `text` and reads it into `directives`. Answers "" or what is wrong with
// it: an unknown name must not pass for a test that tests nothing.
std::string read_directives(Bytes text, Directives& directives);
[[nodiscard]] bool has_directives(Bytes text) noexcept;

}  // namespace nodex::provider
