// API keys: what a customer holds. 256 random bits as "nxk_" and 43 base62 characters.
// The text is shown once; everything we keep or compare is its keyed hash.
#pragma once
#include <string>

#include "edge/base/bytes.h"
#include "edge/base/ids.h"
#include "edge/base/random.h"
#include "edge/crypto/crypto.h"

namespace nodex::crypto {

inline constexpr Bytes api_key_prefix = "nxk_";
inline constexpr std::size_t api_key_bytes = 47;  // prefix and 43 characters: 62^43 is just above 2^256

std::string make_api_key(Random& random);

// Whether `text` looks like one: refuses garbage before it costs a hash and a look-up.
bool has_api_key_shape(Bytes text) noexcept;

// HMAC-SHA256(secret, text). `secret` lives outside the data directory, so that a stolen data directory
// cannot be searched for keys. Look-up is by this digest; compare with equal_constant_time.
KeyHash hash_api_key(const SecretKey& secret, Bytes text) noexcept;

}  // namespace nodex::crypto
