// Knows where the body of one message ends, and checks chunked framing byte by byte before llhttp sees it:
// llhttp bounds neither size digits nor extensions nor trailers and lets folded trailers pass. Pure.
#pragma once
#include <cstdint>

#include "edge/base/bytes.h"

namespace nodex::http {

// chunk     = 1*8HEXDIG [";" extension] CR LF data CR LF        (RFC 9112 section 7.1)
// last      = 1*8"0" [";" extension] CR LF *trailer CR LF
// trailer   = token ":" value CR LF
// size --> extension --> size_lf --> data --> data_cr --> data_lf --> size
//                          \--> trailer_start --> trailer_name --> trailer_value --> trailer_lf -->
//                          trailer_start
//                                      \--> last_lf --> complete                    any --> malformed
class ChunkFraming {
  public:
    enum class Phase : std::uint8_t {
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_start,
        trailer_name,
        trailer_value,
        trailer_lf,
        last_lf,
        complete,
        malformed
    };
    // Answers how many of `bytes` belong to the body; all of them unless complete or malformed.
    std::size_t take(Bytes bytes) noexcept;
    [[nodiscard]] Phase phase() const noexcept { return phase_; }

  private:
    Phase after(char c) noexcept;
    Phase after_size(char c) noexcept;
    Phase after_size_line() noexcept;
    Phase after_extension(char c) noexcept;
    Phase after_trailer(char c) noexcept;

    Phase phase_ = Phase::size;
    std::uint8_t digits_count_ = 0;  // of the size being read
    std::uint64_t size_ = 0;         // of the chunk; counts down in data
    std::uint32_t extension_line_bytes_ = 0;
    std::uint32_t extension_body_bytes_ = 0;  // over all chunks
    std::uint32_t trailer_bytes_ = 0;
};

class BodyFraming {
  public:
    enum class Kind : std::uint8_t { none, length, chunked, until_end };
    enum class Verdict : std::uint8_t { need_more, complete, malformed };
    struct Step {
        std::size_t taken_bytes = 0;
        Verdict verdict = Verdict::need_more;
    };

    void begin(Kind kind, std::uint64_t length) noexcept;
    [[nodiscard]] Kind kind() const noexcept { return kind_; }
    // Takes what belongs to this body. none and a length of 0 are complete at once, also with no bytes.
    Step take(Bytes bytes) noexcept;

  private:
    Kind kind_ = Kind::none;
    std::uint64_t remaining_bytes_ = 0;  // for length
    ChunkFraming chunks_;                // for chunked
};

}  // namespace nodex::http
