// One seal or open of an AEAD under a key that is set up for it alone. Pure and thread-safe.
#pragma once
#include "edge/crypto/crypto.h"

namespace nodex::crypto {

enum class Aead : std::uint8_t {
    chacha20_poly1305,   // RFC 8439; nonce[12]
    xchacha20_poly1305,  // draft-irtf-cfrg-xchacha-03; nonce[24]
};
inline constexpr std::size_t aead_tag_bytes = 16;

// Writes plaintext.size() + aead_tag_bytes octets to `target`, ciphertext and then the tag.
void seal_with(Aead cipher, const SecretKey& key, Bytes nonce, Bytes plaintext, Bytes associated,
               std::uint8_t* target) noexcept;
// Writes sealed.size() - aead_tag_bytes octets to `target`. False: it does not open or is shorter
// than a tag, and `target` has nothing to be read.
[[nodiscard]] bool open_with(Aead cipher, const SecretKey& key, Bytes nonce, Bytes sealed,
                             Bytes associated, std::uint8_t* target) noexcept;

}  // namespace nodex::crypto
