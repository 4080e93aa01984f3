// SHA-256, HMAC-SHA256 and comparison in constant time.
#include <openssl/digest.h>
#include <openssl/hmac.h>
#include <openssl/mem.h>
#include <openssl/sha.h>

#include <new>

#include "edge/crypto/crypto.h"
#include "edge/crypto/octets.h"

namespace nodex::crypto {
namespace {

// The stream's state is BoringSSL's own, kept as octets so that the header needs none of its types.
static_assert(sizeof(SHA256_CTX) == 112);
static_assert(alignof(SHA256_CTX) <= 8);

SHA256_CTX* context(unsigned char* state) noexcept {
    return std::launder(reinterpret_cast<SHA256_CTX*>(state));
}

}  // namespace

Sha256 sha256(Bytes data) noexcept {
    Sha256 digest;
    SHA256(octets(data), data.size(), digest.data());
    return digest;
}

Sha256 hmac_sha256(Bytes key, Bytes data) noexcept {
    // A null key would mean "reuse the last key" to HMAC_Init_ex; an empty one is legal and is not null.
    static constexpr std::uint8_t empty_key = 0;
    Sha256 mac;
    unsigned mac_bytes = 0;
    const void* done = HMAC(EVP_sha256(), key.empty() ? &empty_key : octets(key), key.size(), octets(data),
                            data.size(), mac.data(), &mac_bytes);
    NX_ASSERT(done != nullptr);
    NX_ASSERT(mac_bytes == mac.size());
    return mac;
}

Sha256Stream::Sha256Stream() noexcept {
    ::new (state_.data()) SHA256_CTX;
    SHA256_Init(context(state_.data()));
}

void Sha256Stream::update(Bytes data) noexcept {
    if (!data.empty()) SHA256_Update(context(state_.data()), data.data(), data.size());
}

Sha256 Sha256Stream::finish() noexcept {
    Sha256 digest;
    SHA256_Final(digest.data(), context(state_.data()));
    return digest;
}

bool equal_constant_time(Bytes left, Bytes right) noexcept {
    return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;
}

void cleanse(void* target, std::size_t size) noexcept {
    OPENSSL_cleanse(target, size);
}

}  // namespace nodex::crypto
