// ChaCha20-Poly1305 (RFC 8439) with the nonce zero, which is sound because the key seals nothing
// else.
#include "edge/crypto/sealed_once.h"

#include <openssl/aead.h>
#include <openssl/err.h>

#include "edge/crypto/octets.h"

namespace nodex::crypto {
namespace {

constexpr std::size_t once_tag_bytes = sealed_once_overhead_bytes;
constexpr std::array<std::uint8_t, 12> once_nonce{};

// One keyed ChaCha20-Poly1305, wiped when it goes out of scope.
class OnceCipher {
  public:
    explicit OnceCipher(const SecretKey& key) noexcept {
        const Bytes bytes = key.view();
        const int made = EVP_AEAD_CTX_init(&context_, EVP_aead_chacha20_poly1305(), octets(bytes),
                                           bytes.size(), once_tag_bytes, nullptr);
        NX_ASSERT(made == 1);
    }
    ~OnceCipher() {
        EVP_AEAD_CTX_cleanup(&context_);
        cleanse(&context_, sizeof context_);
    }
    OnceCipher(const OnceCipher&) = delete;
    OnceCipher& operator=(const OnceCipher&) = delete;
    [[nodiscard]] const EVP_AEAD_CTX* get() const noexcept { return &context_; }

  private:
    EVP_AEAD_CTX context_;
};

std::uint8_t* writable(std::string& text) noexcept {
    return reinterpret_cast<std::uint8_t*>(text.data());
}

}  // namespace

std::string seal_once(const SecretKey& key, Bytes plaintext, Bytes context) {
    std::string sealed(plaintext.size() + once_tag_bytes, '\0');
    std::size_t size = 0;
    const OnceCipher cipher(key);
    const int done = EVP_AEAD_CTX_seal(cipher.get(), writable(sealed), &size, sealed.size(),
                                       once_nonce.data(), once_nonce.size(), octets(plaintext),
                                       plaintext.size(), octets(context), context.size());
    NX_ASSERT(done == 1);
    NX_ASSERT(size == sealed.size());
    return sealed;
}

std::optional<std::string> open_once(const SecretKey& key, Bytes sealed, Bytes context) {
    if (sealed.size() < once_tag_bytes) return std::nullopt;
    std::string plaintext(sealed.size(), '\0');
    std::size_t size = 0;
    const OnceCipher cipher(key);
    const int done = EVP_AEAD_CTX_open(cipher.get(), writable(plaintext), &size, plaintext.size(),
                                       once_nonce.data(), once_nonce.size(), octets(sealed),
                                       sealed.size(), octets(context), context.size());
    if (done != 1) {
        ERR_clear_error();  // or the thread's next TLS call would read it as its own
        return std::nullopt;
    }
    plaintext.resize(size);
    return plaintext;
}

}  // namespace nodex::crypto
