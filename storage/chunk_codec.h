// The inside of a sealed chunk: flags u8 (bit 0: zstd), payload.
#pragma once
#include <string>

#include "edge/base/bytes.h"

namespace nodex::storage {

// Below this a zstd frame costs more time than the rest of the seal and saves some hundred octets at most.
inline constexpr std::size_t compressed_chunk_bytes_min = 1'024;

// Appends the chunk for `plaintext` (at most limits::stored_chunk_bytes_max, asserted), compressed at level 1
// when that makes it smaller.
void encode_chunk(Bytes plaintext, std::string& target);

// Appends the plaintext of `chunk`; false, and nothing appended, when it is malformed or would be larger
// than limits::stored_chunk_bytes_max. Its octets have passed the seal, but not necessarily our own encoder.
[[nodiscard]] bool decode_chunk(Bytes chunk, std::string& target);

}  // namespace nodex::storage
