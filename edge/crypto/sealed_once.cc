// The nonce zero is sound because the key seals nothing else.
#include "edge/crypto/sealed_once.h"

#include "edge/crypto/aead.h"

namespace nodex::crypto {
namespace {

constexpr char once_nonce[12] = {};

Bytes zero_nonce() noexcept {
    return {once_nonce, sizeof once_nonce};
}

std::uint8_t* writable(std::string& text) noexcept {
    return reinterpret_cast<std::uint8_t*>(text.data());
}

}  // namespace

std::string seal_once(const SecretKey& key, Bytes plaintext, Bytes context) {
    std::string sealed(plaintext.size() + aead_tag_bytes, '\0');
    seal_with(Aead::chacha20_poly1305, key, zero_nonce(), plaintext, context, writable(sealed));
    return sealed;
}

std::optional<std::string> open_once(const SecretKey& key, Bytes sealed, Bytes context) {
    if (sealed.size() < aead_tag_bytes) return std::nullopt;
    std::string plaintext(sealed.size() - aead_tag_bytes, '\0');
    if (!open_with(Aead::chacha20_poly1305, key, zero_nonce(), sealed, context, writable(plaintext)))
        return std::nullopt;
    return plaintext;
}

}  // namespace nodex::crypto
