// What decoders of messages share.
#pragma once

#include "edge/base/limits.h"
#include "edge/base/result.h"

namespace nodex::replication {

// Octets that are no message of this protocol: the sender is at fault, no client.
inline Error malformed() noexcept {
    return {ErrorCode::malformed, ErrorSource::central};
}

// A chunk costs its length field at least, so one message cannot hold more of them.
inline constexpr std::size_t message_chunks_max = limits::message_bytes_max / sizeof(std::uint32_t);

}  // namespace nodex::replication
