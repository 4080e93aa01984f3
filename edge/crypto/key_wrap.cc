// SecretKey, keys wrapped by keys and keys derived from keys.
// wrapped = nonce[24] ciphertext[32] tag[16]. The nonce is random: 192 bits make a repetition
// negligible however many keys one wrapping key covers, which 96 bits of AES-GCM would not.
#include <openssl/aead.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/hkdf.h>

#include "edge/crypto/crypto.h"
#include "edge/crypto/octets.h"

namespace nodex::crypto {
namespace {

constexpr std::size_t key_bytes = 32;
constexpr std::size_t wrap_nonce_bytes = 24;
constexpr std::size_t tag_bytes = 16;
static_assert(wrap_nonce_bytes + key_bytes + tag_bytes == wrapped_key_bytes);

// One keyed XChaCha20-Poly1305, wiped when it goes out of scope.
class WrappingCipher {
  public:
    explicit WrappingCipher(const SecretKey& key) noexcept {
        const Bytes bytes = key.view();
        const int made = EVP_AEAD_CTX_init(&context_, EVP_aead_xchacha20_poly1305(), octets(bytes),
                                           bytes.size(), tag_bytes, nullptr);
        NX_ASSERT(made == 1);
    }
    ~WrappingCipher() {
        EVP_AEAD_CTX_cleanup(&context_);
        cleanse(&context_, sizeof context_);
    }
    WrappingCipher(const WrappingCipher&) = delete;
    WrappingCipher& operator=(const WrappingCipher&) = delete;
    [[nodiscard]] const EVP_AEAD_CTX* get() const noexcept { return &context_; }

  private:
    EVP_AEAD_CTX context_;
};

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
    std::size_t sealed_bytes = 0;
    const WrappingCipher cipher(wrapping);
    const int sealed = EVP_AEAD_CTX_seal(
        cipher.get(), nonce + wrap_nonce_bytes, &sealed_bytes, key_bytes + tag_bytes, nonce,
        wrap_nonce_bytes, octets(key.view()), key_bytes, octets(context), context.size());
    NX_ASSERT(sealed == 1);
    NX_ASSERT(sealed_bytes == key_bytes + tag_bytes);
    return wrapped;
}

std::optional<SecretKey> unwrap_key(const SecretKey& wrapping, Bytes wrapped,
                                    Bytes context) noexcept {
    if (wrapped.size() != wrapped_key_bytes) return std::nullopt;
    std::array<std::uint8_t, key_bytes> plain;
    std::size_t plain_bytes = 0;
    const WrappingCipher cipher(wrapping);
    const int opened = EVP_AEAD_CTX_open(
        cipher.get(), plain.data(), &plain_bytes, plain.size(), octets(wrapped), wrap_nonce_bytes,
        octets(wrapped) + wrap_nonce_bytes, key_bytes + tag_bytes, octets(context), context.size());
    if (opened != 1) {
        ERR_clear_error();  // or the thread's next TLS call would read it as its own
        return std::nullopt;
    }
    NX_ASSERT(plain_bytes == key_bytes);
    std::optional<SecretKey> key(Bytes(reinterpret_cast<const char*>(plain.data()), plain.size()));
    cleanse(plain.data(), plain.size());
    return key;
}

}  // namespace nodex::crypto
