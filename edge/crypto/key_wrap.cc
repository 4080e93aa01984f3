// SecretKey, keys wrapped by keys and keys derived from keys.
// wrapped = nonce[24] ciphertext[32] tag[16]. The nonce is random: 192 bits make a repetition
// negligible however many keys one wrapping key covers, which 96 bits of AES-GCM would not.
#include <openssl/digest.h>
#include <openssl/hkdf.h>

#include "edge/crypto/aead.h"
#include "edge/crypto/crypto.h"
#include "edge/crypto/octets.h"

namespace nodex::crypto {
namespace {

constexpr std::size_t key_bytes = 32;
constexpr std::size_t wrap_nonce_bytes = 24;
static_assert(wrap_nonce_bytes + key_bytes + aead_tag_bytes == wrapped_key_bytes);

}  // namespace

SecretKey::SecretKey(Bytes bytes) noexcept {
    NX_ASSERT(bytes.size() == octets_.size());
    std::memcpy(octets_.data(), bytes.data(), octets_.size());
}

SecretKey SecretKey::generate(Random& random) noexcept {
    SecretKey key;
    random.fill(key.octets_.data(), key.octets_.size());
    return key;
}

SecretKey derive_key(const SecretKey& key, Bytes purpose) noexcept {
    std::array<std::uint8_t, key_bytes> derived;
    const int made = HKDF(derived.data(), derived.size(), EVP_sha256(), octets(key.view()),
                          key_bytes, nullptr, 0, octets(purpose), purpose.size());
    NX_ASSERT(made == 1);
    SecretKey result(Bytes(reinterpret_cast<const char*>(derived.data()), derived.size()));
    cleanse(derived.data(), derived.size());
    return result;
}

std::string wrap_key(const SecretKey& wrapping, const SecretKey& key, Bytes context,
                     Random& random) {
    std::string wrapped(wrapped_key_bytes, '\0');
    auto* nonce = reinterpret_cast<std::uint8_t*>(wrapped.data());
    random.fill(nonce, wrap_nonce_bytes);
    seal_with(Aead::xchacha20_poly1305, wrapping, Bytes(wrapped).substr(0, wrap_nonce_bytes),
              key.view(), context, nonce + wrap_nonce_bytes);
    return wrapped;
}

std::optional<SecretKey> unwrap_key(const SecretKey& wrapping, Bytes wrapped,
                                    Bytes context) noexcept {
    if (wrapped.size() != wrapped_key_bytes) return std::nullopt;
    std::array<std::uint8_t, key_bytes> plain;
    if (!open_with(Aead::xchacha20_poly1305, wrapping, wrapped.substr(0, wrap_nonce_bytes),
                   wrapped.substr(wrap_nonce_bytes), context, plain.data()))
        return std::nullopt;
    std::optional<SecretKey> key(Bytes(reinterpret_cast<const char*>(plain.data()), plain.size()));
    cleanse(plain.data(), plain.size());
    return key;
}

}  // namespace nodex::crypto
