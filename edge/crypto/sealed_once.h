// One message, sealed under a key of its own. Pure and thread-safe.
#pragma once
#include <optional>
#include <string>

#include "edge/crypto/crypto.h"

namespace nodex::crypto {

// A message under a key that seals it and nothing else, such as one derived from random octets that
// go with it: ChaCha20-Poly1305 (RFC 8439), nonce zero, `context` as associated data.
// sealed = ciphertext tag[16]; nothing when it does not open.
inline constexpr std::size_t sealed_once_overhead_bytes = 16;
std::string seal_once(const SecretKey& key, Bytes plaintext, Bytes context);
std::optional<std::string> open_once(const SecretKey& key, Bytes sealed, Bytes context);

}  // namespace nodex::crypto
