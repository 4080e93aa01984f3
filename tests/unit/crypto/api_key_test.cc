// API keys: their shape, that they carry all their bits, and their hash.
#include "edge/crypto/api_key.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace nodex::crypto {
namespace {

// Every octet the same, for the ends of the range.
class ConstantRandom final : public Random {
  public:
    explicit ConstantRandom(std::uint8_t octet) : octet_(octet) {}
    void fill(void* target, std::size_t size) noexcept override { std::memset(target, octet_, size); }

  private:
    std::uint8_t octet_;
};

TEST(ApiKey, HasThePublishedShape) {
    const std::string key = make_api_key(secure_random());
    EXPECT_EQ(key.size(), api_key_bytes);
    EXPECT_EQ(key.substr(0, 4), "nxk_");
    EXPECT_TRUE(has_api_key_shape(key));
    EXPECT_NE(key, make_api_key(secure_random()));
}

// 2^256 - 1 in base 62, computed with arbitrary precision arithmetic elsewhere.
TEST(ApiKey, HoldsAll256Bits) {
    ConstantRandom zeros(0x00);
    ConstantRandom ones(0xff);
    EXPECT_EQ(make_api_key(zeros), "nxk_" + std::string(43, '0'));
    EXPECT_EQ(make_api_key(ones), "nxk_yhjskwdA6OZ1AL1YmHWZWm8LLG7HjnuCA2j5rOw8Xp1");
}

TEST(ApiKey, ShapeRefusesEverythingElse) {
    const std::string key = make_api_key(secure_random());
    EXPECT_FALSE(has_api_key_shape(""));
    EXPECT_FALSE(has_api_key_shape("nxk_"));
    EXPECT_FALSE(has_api_key_shape(key.substr(0, 46)));
    EXPECT_FALSE(has_api_key_shape(key + "0"));
    EXPECT_FALSE(has_api_key_shape("sk__" + key.substr(4)));
    for (const char c : {'-', '_', ' ', '\0', '\n', '\x80', '/', ':', '@', '[', '`', '{'}) {
        std::string other = key;
        other[20] = c;
        EXPECT_FALSE(has_api_key_shape(other)) << static_cast<int>(c);
    }
}

TEST(ApiKey, HashIsTheHmacUnderTheServersSecret) {
    const SecretKey secret(std::string(32, 's'));
    const std::string key = make_api_key(secure_random());
    EXPECT_EQ(hash_api_key(secret, key).view(), view(hmac_sha256(secret.view(), key)));
    EXPECT_NE(hash_api_key(secret, key), hash_api_key(SecretKey(std::string(32, 't')), key));
}

}  // namespace
}  // namespace nodex::crypto
