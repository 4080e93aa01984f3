// AEADs of BoringSSL, a context for each call.
#include "edge/crypto/aead.h"

#include <openssl/aead.h>
#include <openssl/err.h>

#include "edge/crypto/octets.h"

namespace nodex::crypto {
namespace {

const EVP_AEAD* algorithm(Aead cipher) noexcept {
    switch (cipher) {
        case Aead::chacha20_poly1305: return EVP_aead_chacha20_poly1305();
        case Aead::xchacha20_poly1305: return EVP_aead_xchacha20_poly1305();
    }
    NX_ASSERT(false);
    return nullptr;
}

// Wiped when it goes out of scope.
class KeyedCipher {
  public:
    KeyedCipher(Aead cipher, const SecretKey& key) noexcept {
        const Bytes bytes = key.view();
        const int made = EVP_AEAD_CTX_init(&context_, algorithm(cipher), octets(bytes),
                                           bytes.size(), aead_tag_bytes, nullptr);
        NX_ASSERT(made == 1);
    }
    ~KeyedCipher() {
        EVP_AEAD_CTX_cleanup(&context_);
        cleanse(&context_, sizeof context_);
    }
    KeyedCipher(const KeyedCipher&) = delete;
    KeyedCipher& operator=(const KeyedCipher&) = delete;
    [[nodiscard]] const EVP_AEAD_CTX* get() const noexcept { return &context_; }

  private:
    EVP_AEAD_CTX context_;
};

}  // namespace

void seal_with(Aead cipher, const SecretKey& key, Bytes nonce, Bytes plaintext, Bytes associated,
               std::uint8_t* target) noexcept {
    const std::size_t sealed_bytes = plaintext.size() + aead_tag_bytes;
    std::size_t written = 0;
    const KeyedCipher keyed(cipher, key);
    const int done = EVP_AEAD_CTX_seal(keyed.get(), target, &written, sealed_bytes, octets(nonce),
                                       nonce.size(), octets(plaintext), plaintext.size(),
                                       octets(associated), associated.size());
    NX_ASSERT(done == 1);
    NX_ASSERT(written == sealed_bytes);
}

bool open_with(Aead cipher, const SecretKey& key, Bytes nonce, Bytes sealed, Bytes associated,
               std::uint8_t* target) noexcept {
    if (sealed.size() < aead_tag_bytes) return false;
    const std::size_t plain_bytes = sealed.size() - aead_tag_bytes;
    std::size_t written = 0;
    const KeyedCipher keyed(cipher, key);
    const int done = EVP_AEAD_CTX_open(keyed.get(), target, &written, plain_bytes, octets(nonce),
                                       nonce.size(), octets(sealed), sealed.size(),
                                       octets(associated), associated.size());
    if (done != 1) {
        ERR_clear_error();  // or the thread's next TLS call would read it as its own
        return false;
    }
    NX_ASSERT(written == plain_bytes);
    return true;
}

}  // namespace nodex::crypto
