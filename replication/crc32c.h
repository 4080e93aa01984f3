// CRC-32C (Castagnoli, reflected 0x82f63b78; RFC 3720, 12.1), the checksum of an envelope.
#pragma once
#include <cstdint>

#include "edge/base/bytes.h"

namespace nodex::replication {

// By the processor's own instruction where it has one (SSE4.2), else by tables: chosen once, at run
// time. A 350-octet record takes 40 ns by the instruction, 230 ns by tables.
[[nodiscard]] std::uint32_t crc32c(Bytes data) noexcept;
// Any processor's way.
[[nodiscard]] std::uint32_t crc32c_by_tables(Bytes data) noexcept;

}  // namespace nodex::replication
