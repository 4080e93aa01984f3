// Digests, MACs, sealing and key wrapping. All pure and thread-safe. BoringSSL stays in the .cc
// files.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "edge/base/bytes.h"
#include "edge/base/random.h"

namespace nodex::crypto {

using Sha256 = std::array<std::uint8_t, 32>;
inline Bytes view(const Sha256& digest) noexcept {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

Sha256 sha256(Bytes data) noexcept;
Sha256 hmac_sha256(Bytes key, Bytes data) noexcept;
// Incremental SHA-256, for bodies hashed while they arrive. 112 bytes, no heap.
class Sha256Stream {
  public:
    Sha256Stream() noexcept;
    void update(Bytes data) noexcept;
    Sha256 finish() noexcept;  // then the stream is spent

  private:
    alignas(8) std::array<unsigned char, 112> state_;
};

// Equal in time that depends on the sizes only.
bool equal_constant_time(Bytes left, Bytes right) noexcept;
void cleanse(void* target, std::size_t size) noexcept;  // overwrite that the compiler keeps

// The process-wide secret random source: RAND_bytes, in blocks of 512 octets a thread. Thread-safe; a child
// of fork() shares nothing with its parent.
Random& secure_random() noexcept;

// 32-byte symmetric key that cleanses itself.
class SecretKey {
  public:
    SecretKey() noexcept = default;
    explicit SecretKey(Bytes bytes) noexcept;  // asserts 32 bytes
    ~SecretKey() { cleanse(octets_.data(), octets_.size()); }
    SecretKey(const SecretKey&) noexcept = default;
    SecretKey& operator=(const SecretKey&) noexcept = default;
    static SecretKey generate(Random& random) noexcept;
    [[nodiscard]] Bytes view() const noexcept {
        return {reinterpret_cast<const char*>(octets_.data()), octets_.size()};
    }

  private:
    std::array<std::uint8_t, 32> octets_{};
};

// Key wrapping: XChaCha20-Poly1305, random 24-byte nonce, `context` as associated data.
// wrapped = nonce[24] ciphertext[32] tag[16]; nothing when it does not open.
inline constexpr std::size_t wrapped_key_bytes = 72;
std::string wrap_key(const SecretKey& wrapping, const SecretKey& key, Bytes context,
                     Random& random);
std::optional<SecretKey> unwrap_key(const SecretKey& wrapping, Bytes wrapped,
                                    Bytes context) noexcept;

// A key for one purpose from a key for many: HKDF-SHA256 (RFC 5869) without salt, `purpose` as
// info. Neither tells anything about the other.
SecretKey derive_key(const SecretKey& key, Bytes purpose) noexcept;

// Body chunks: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar, 2015).
// nonce = prefix[7] counter u32 last u8; associated data = header digest, counter.
// A key seals one body only, and a counter is used once.
class BodySealer {
  public:
    static constexpr std::size_t overhead_bytes = 16;
    BodySealer(const SecretKey& key, std::array<std::uint8_t, 7> nonce_prefix,
               Bytes header) noexcept;
    ~BodySealer();
    BodySealer(BodySealer&&) noexcept;
    BodySealer& operator=(BodySealer&&) noexcept;
    // Appends the sealed chunk to `target`.
    void seal(std::uint32_t counter, bool last, Bytes plaintext,
              std::string& target) const noexcept;
    // Appends the plaintext to `target`; false (and nothing appended) when it was altered or is
    // another chunk.
    [[nodiscard]] bool open(std::uint32_t counter, bool last, Bytes sealed,
                            std::string& target) const noexcept;
    // 16 octets bound to the key: GCM does not commit to its key, this does.
    [[nodiscard]] std::array<std::uint8_t, 16> commitment() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::crypto
