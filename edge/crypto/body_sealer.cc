// Body chunks: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizar 2015).
//   nonce            prefix[7] counter u32 big endian last u8 (0 or 1)
//   associated data  SHA-256(header)[32] counter u32 big endian
//   sealed chunk     ciphertext[as plaintext] tag[16]
//   commitment       HKDF-Expand-SHA256(key, "commit")[0..16]: the key is uniform, so the extracting half is
//                    left out (RFC 5869 section 3.3); it was two thirds of the cost of a body's first chunk
// A chunk that is moved, dropped from the middle or the end, or taken from another body does not open.
#include <openssl/aead.h>
#include <openssl/digest.h>
#include <openssl/err.h>
#include <openssl/hkdf.h>

#include "edge/crypto/crypto.h"

namespace nodex::crypto {
namespace {

constexpr std::size_t nonce_bytes = 12;
constexpr std::size_t associated_bytes = 36;
constexpr std::size_t counter_offset_in_nonce = 7;
constexpr std::size_t last_offset_in_nonce = 11;
constexpr std::size_t counter_offset_in_associated = 32;
constexpr Bytes commitment_label = "commit";

void store_big_endian(std::uint8_t* target, std::uint32_t value) noexcept {
    for (int shift = 24; shift >= 0; shift -= 8) *target++ = static_cast<std::uint8_t>(value >> shift);
}

}  // namespace

struct BodySealer::State {
    EVP_AEAD_CTX cipher;
    std::array<std::uint8_t, nonce_bytes> nonce{};            // prefix filled, the rest zero
    std::array<std::uint8_t, associated_bytes> associated{};  // header digest filled, the rest zero
    std::array<std::uint8_t, 16> commitment{};

    State() noexcept { EVP_AEAD_CTX_zero(&cipher); }
    ~State() {
        EVP_AEAD_CTX_cleanup(&cipher);
        cleanse(&cipher, sizeof cipher);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

namespace {

// What differs from chunk to chunk.
struct ChunkBinding {
    std::array<std::uint8_t, nonce_bytes> nonce;
    std::array<std::uint8_t, associated_bytes> associated;

    ChunkBinding(std::array<std::uint8_t, nonce_bytes> nonce_template,
                 std::array<std::uint8_t, associated_bytes> associated_template, std::uint32_t counter,
                 bool last) noexcept
        : nonce(nonce_template), associated(associated_template) {
        store_big_endian(nonce.data() + counter_offset_in_nonce, counter);
        nonce[last_offset_in_nonce] = last ? 1 : 0;
        store_big_endian(associated.data() + counter_offset_in_associated, counter);
    }
};

}  // namespace

BodySealer::BodySealer(const SecretKey& key, std::array<std::uint8_t, 7> nonce_prefix, Bytes header) noexcept
    : state_(std::make_unique<State>()) {
    const auto* key_octets = reinterpret_cast<const std::uint8_t*>(key.view().data());
    const std::size_t key_bytes = key.view().size();
    const int made = EVP_AEAD_CTX_init(&state_->cipher, EVP_aead_aes_256_gcm(), key_octets, key_bytes,
                                       overhead_bytes, nullptr);
    NX_ASSERT(made == 1);
    std::memcpy(state_->nonce.data(), nonce_prefix.data(), nonce_prefix.size());
    const Sha256 digest = sha256(header);
    std::memcpy(state_->associated.data(), digest.data(), digest.size());
    const int derived =
        HKDF_expand(state_->commitment.data(), state_->commitment.size(), EVP_sha256(), key_octets, key_bytes,
                    reinterpret_cast<const std::uint8_t*>(commitment_label.data()), commitment_label.size());
    NX_ASSERT(derived == 1);
}

BodySealer::~BodySealer() = default;
BodySealer::BodySealer(BodySealer&&) noexcept = default;
BodySealer& BodySealer::operator=(BodySealer&&) noexcept = default;

void BodySealer::seal(std::uint32_t counter, bool last, Bytes plaintext, std::string& target) const noexcept {
    const ChunkBinding binding(state_->nonce, state_->associated, counter, last);
    const std::size_t offset = target.size();
    const std::size_t sealed_bytes = plaintext.size() + overhead_bytes;
    target.resize(offset + sealed_bytes);
    std::size_t written = 0;
    const int sealed = EVP_AEAD_CTX_seal(
        &state_->cipher, reinterpret_cast<std::uint8_t*>(target.data() + offset), &written, sealed_bytes,
        binding.nonce.data(), binding.nonce.size(), reinterpret_cast<const std::uint8_t*>(plaintext.data()),
        plaintext.size(), binding.associated.data(), binding.associated.size());
    NX_ASSERT(sealed == 1);
    NX_ASSERT(written == sealed_bytes);
}

bool BodySealer::open(std::uint32_t counter, bool last, Bytes sealed, std::string& target) const noexcept {
    if (sealed.size() < overhead_bytes) return false;
    const ChunkBinding binding(state_->nonce, state_->associated, counter, last);
    const std::size_t offset = target.size();
    const std::size_t plain_bytes = sealed.size() - overhead_bytes;
    // EVP_AEAD_CTX_open wants room for the whole input in some ciphers; GCM needs the plaintext's only.
    target.resize(offset + plain_bytes);
    std::size_t written = 0;
    const int opened = EVP_AEAD_CTX_open(
        &state_->cipher, reinterpret_cast<std::uint8_t*>(target.data() + offset), &written, plain_bytes,
        binding.nonce.data(), binding.nonce.size(), reinterpret_cast<const std::uint8_t*>(sealed.data()),
        sealed.size(), binding.associated.data(), binding.associated.size());
    if (opened != 1) {
        ERR_clear_error();  // or the thread's next TLS call would read it as its own
        target.resize(offset);
        return false;
    }
    NX_ASSERT(written == plain_bytes);
    return true;
}

std::array<std::uint8_t, 16> BodySealer::commitment() const noexcept {
    return state_->commitment;
}

}  // namespace nodex::crypto
