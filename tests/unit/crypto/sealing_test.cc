// Key wrapping and body sealing: known answers, and every way stored octets can be wrong.
#include <gtest/gtest.h>

#include <vector>

#include "edge/crypto/crypto.h"
#include "edge/crypto/sealed_once.h"

namespace nodex::crypto {
namespace {

// Gives prepared octets, for known answers.
class FixedRandom final : public Random {
  public:
    explicit FixedRandom(std::string octets) : octets_(std::move(octets)) {}
    void fill(void* target, std::size_t size) noexcept override {
        NX_ASSERT(size == octets_.size());
        std::memcpy(target, octets_.data(), size);
    }

  private:
    std::string octets_;
};

std::string octets_from(std::uint8_t first, std::size_t count) {
    std::string octets;
    for (std::size_t i = 0; i < count; ++i) octets.push_back(static_cast<char>(first + i));
    return octets;
}

const std::string zero_key(32, '\0');

// Key, nonce and first plaintext block of draft-irtf-cfrg-xchacha-03 section A.3.1, so the ciphertext is the
// draft's; the tag, over our shorter text, was computed by an independent implementation.
TEST(KeyWrap, MatchesAnIndependentXChaCha20Poly1305) {
    FixedRandom nonce(octets_from(0x40, 24));
    const std::string wrapped = wrap_key(SecretKey(octets_from(0x80, 32)),
                                         SecretKey("Ladies and Gentlemen of the clas"), "context", nonce);
    EXPECT_EQ(to_hex(wrapped), to_hex(octets_from(0x40, 24)) +
                                   "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                                   "e5ecbd67dea1ea90bba9825141fb0c90");
}

TEST(KeyWrap, OpensWithItsKeyAndContextOnly) {
    SeededRandom random(1);
    const SecretKey wrapping = SecretKey::generate(random);
    const SecretKey key = SecretKey::generate(random);
    const std::string wrapped = wrap_key(wrapping, key, "context", random);
    ASSERT_EQ(wrapped.size(), wrapped_key_bytes);
    const std::optional<SecretKey> opened = unwrap_key(wrapping, wrapped, "context");
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->view(), key.view());
    EXPECT_FALSE(unwrap_key(wrapping, wrapped, "contexT"));
    EXPECT_FALSE(unwrap_key(key, wrapped, "context"));
}

// Computed by an implementation that meets the vector of RFC 8439, section 2.8.2.
TEST(SealedOnce, MatchesAnIndependentChaCha20Poly1305) {
    EXPECT_EQ(
        to_hex(seal_once(SecretKey(octets_from(0x80, 32)), "a message of some length", "context")),
        "4b7c77c84d298faca8114a9984aec24713e806dcad1db5004b0bdef617f7b55d8510d8b228576991");
}

TEST(SealedOnce, OpensUnalteredWithItsKeyAndContextOnly) {
    const SecretKey key(octets_from(0, 32));
    for (const std::string& text : {std::string(), std::string("x"), std::string(70'000, 'y')})
        EXPECT_EQ(open_once(key, seal_once(key, text, "context"), "context"), text);
    const std::string sealed = seal_once(key, "text", "context");
    EXPECT_FALSE(open_once(key, sealed, "contexT"));
    EXPECT_FALSE(open_once(SecretKey(zero_key), sealed, "context"));
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        std::string altered = sealed;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        EXPECT_FALSE(open_once(key, altered, "context")) << i;
        EXPECT_FALSE(open_once(key, Bytes(sealed).substr(0, i), "context")) << i;
    }
}

TEST(KeyWrap, RefusesEveryAlteredOctetAndEveryOtherLength) {
    SeededRandom random(2);
    const SecretKey wrapping = SecretKey::generate(random);
    const std::string wrapped = wrap_key(wrapping, SecretKey(zero_key), "context", random);
    for (std::size_t i = 0; i < wrapped.size(); ++i) {
        std::string altered = wrapped;
        altered[i] = static_cast<char>(altered[i] ^ 1);
        EXPECT_FALSE(unwrap_key(wrapping, altered, "context")) << i;
    }
    for (std::size_t size = 0; size < wrapped.size(); ++size)
        EXPECT_FALSE(unwrap_key(wrapping, Bytes(wrapped).substr(0, size), "context")) << size;
    EXPECT_FALSE(unwrap_key(wrapping, wrapped + '\0', "context"));
}

TEST(KeyWrap, TheSameKeyIsNeverWrappedToTheSameOctets) {
    const SecretKey key(zero_key);
    EXPECT_NE(wrap_key(key, key, "", secure_random()), wrap_key(key, key, "", secure_random()));
}

constexpr std::array<std::uint8_t, 7> zero_prefix{};

std::string sealed(const BodySealer& sealer, std::uint32_t counter, bool last, Bytes plaintext) {
    std::string target;
    sealer.seal(counter, last, plaintext, target);
    return target;
}

// The ciphertext is that of the GCM specification's test case 14 (all zero); both tags and the second chunk
// were computed by OpenSSL's AES-256-GCM from the layout in body_sealer.cc.
TEST(BodySealerTest, MatchesAnIndependentAesGcm) {
    const BodySealer zeros(SecretKey(zero_key), zero_prefix, "");
    EXPECT_EQ(to_hex(sealed(zeros, 0, false, std::string(16, '\0'))),
              "cea7403d4d606b6e074ec5d3baf39d18ce231933723966dd269cd5a9a2634a64");
    const BodySealer sealer(SecretKey(octets_from(0, 32)), {'p', 'r', 'e', 'f', 'i', 'x', '!'}, "header");
    EXPECT_EQ(to_hex(sealed(sealer, 0x01020304, true, "last chunk")),
              "55133f91c884068fd74a848a9a7d58723f942c691e3231e56599");
}

TEST(BodySealerTest, CommitmentIsTheHkdfExpansionOfTheKey) {
    const auto commitment = BodySealer(SecretKey(octets_from(0, 32)), zero_prefix, "any header").commitment();
    EXPECT_EQ(to_hex(Bytes(reinterpret_cast<const char*>(commitment.data()), commitment.size())),
              "57a7f03e7641e72ef142725dbd9de2f5");
}

class BodyChunks : public testing::Test {
  protected:
    BodySealer sealer{SecretKey(octets_from(0, 32)), {1, 2, 3, 4, 5, 6, 7}, "header"};
    std::string target = "kept";
};

TEST_F(BodyChunks, OpenAfterWhatIsAlreadyThere) {
    const std::vector<std::string> plaintexts = {"", "x", std::string(64 * 1024, 'y')};
    std::string expected = target;
    for (std::uint32_t i = 0; i < 3; ++i) {
        const std::string chunk = sealed(sealer, i, i == 2, plaintexts[i]);
        EXPECT_EQ(chunk.size(), plaintexts[i].size() + BodySealer::overhead_bytes);
        ASSERT_TRUE(sealer.open(i, i == 2, chunk, target));
        expected += plaintexts[i];
    }
    EXPECT_EQ(target, expected);
}

TEST_F(BodyChunks, AreRefusedWhenAlteredAnywhere) {
    const std::string chunk = sealed(sealer, 0, false, "a chunk of some length");
    for (std::size_t i = 0; i < chunk.size(); ++i) {
        std::string altered = chunk;
        altered[i] = static_cast<char>(altered[i] ^ 0x80);
        EXPECT_FALSE(sealer.open(0, false, altered, target)) << i;
    }
    for (std::size_t size = 0; size < chunk.size(); ++size)
        EXPECT_FALSE(sealer.open(0, false, Bytes(chunk).substr(0, size), target)) << size;
    EXPECT_EQ(target, "kept");
}

TEST_F(BodyChunks, AreRefusedInAnotherPlace) {
    const std::string chunk = sealed(sealer, 5, false, "text");
    EXPECT_FALSE(sealer.open(4, false, chunk, target));
    EXPECT_FALSE(sealer.open(5 + 256, false, chunk, target));
    EXPECT_FALSE(sealer.open(5, true, chunk, target));
    EXPECT_EQ(target, "kept");
}

TEST_F(BodyChunks, ATruncatedBodyHasNoLastChunk) {
    const std::string first = sealed(sealer, 0, false, "first");
    const std::string last = sealed(sealer, 1, true, "last");
    EXPECT_FALSE(sealer.open(0, true, first, target)) << "the first chunk must not pass for the end";
    EXPECT_FALSE(sealer.open(0, true, last, target)) << "nor the last one without the first";
}

TEST_F(BodyChunks, AreRefusedUnderAnotherKeyPrefixOrHeader) {
    const std::string chunk = sealed(sealer, 0, true, "text");
    EXPECT_FALSE(
        BodySealer(SecretKey(zero_key), {1, 2, 3, 4, 5, 6, 7}, "header").open(0, true, chunk, target));
    EXPECT_FALSE(BodySealer(SecretKey(octets_from(0, 32)), {1, 2, 3, 4, 5, 6, 8}, "header")
                     .open(0, true, chunk, target));
    EXPECT_FALSE(BodySealer(SecretKey(octets_from(0, 32)), {1, 2, 3, 4, 5, 6, 7}, "headeR")
                     .open(0, true, chunk, target));
}

TEST_F(BodyChunks, OpenAfterTheSealerHasMoved) {
    const std::string chunk = sealed(sealer, 0, true, "text");
    BodySealer moved(std::move(sealer));
    EXPECT_TRUE(moved.open(0, true, chunk, target));
}

}  // namespace
}  // namespace nodex::crypto
