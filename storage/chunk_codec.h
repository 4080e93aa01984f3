// The inside of a sealed chunk: flags u8 (bit 0: zstd), payload.
#pragma once
#include <string>

#include "edge/base/bytes.h"

namespace nodex::storage {

// Below this a zstd frame seldom gains more than its header costs.
inline constexpr std::size_t compressed_chunk_bytes_min = 256;

// Appends the chunk for `plaintext` (at most limits::stored_chunk_bytes_max, asserted), compressed at level 1
// when that makes it smaller.
void encode_chunk(Bytes plaintext, std::string& target);

// Appends the plaintext of `chunk`; false, and nothing appended, when it is malformed or would be larger
// than limits::stored_chunk_bytes_max. Its octets have passed the seal, but not necessarily our own encoder.
[[nodiscard]] bool decode_chunk(Bytes chunk, std::string& target);

}  // namespace nodex::storage
