// One zstd frame (RFC 8878) around octets that we keep or send. The only place that knows the
// library.
#pragma once
#include <string>

#include "edge/base/bytes.h"

namespace nodex::storage {

// Appends `plain` as a frame that tells its size. False, and nothing appended, when the frame would
// take more than `frame_bytes_max`. `level`: zstd's; negative ones are faster and pack less. Any
// thread; each keeps a context of its own.
[[nodiscard]] bool append_frame(Bytes plain, int level, std::size_t frame_bytes_max,
                                std::string& target);
// The most that the frame of so many octets takes, of whatever octets.
[[nodiscard]] std::size_t frame_bytes_bound(std::size_t plain_bytes) noexcept;

// Appends what `frame` holds. It may be anybody's octets: false, and nothing appended, unless they
// are one whole frame of the current format, nothing behind it, that tells its size and holds just
// that, at most `plain_bytes_max`; nothing is reserved before the size is found to be within.
[[nodiscard]] bool append_unframed(Bytes frame, std::size_t plain_bytes_max, std::string& target);

}  // namespace nodex::storage
