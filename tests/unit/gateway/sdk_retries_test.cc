// An SDK's own retry finds its first attempt; nobody else does.
#include "edge/gateway/sdk_retries.h"

#include <gtest/gtest.h>

#include "tests/support/together.h"

namespace nodex::gateway {
namespace {

Fingerprint fingerprint_of(std::uint8_t octet) {
    Fingerprint fingerprint;
    fingerprint.octets.fill(octet);
    return fingerprint;
}

TEST(SdkRetries, ARetryFindsTheNewestFirstAttempt) {
    SdkRetries retries;
    retries.remember(KeyId{1}, fingerprint_of(7), "first", 0);
    retries.remember(KeyId{1}, fingerprint_of(7), "second", second);
    EXPECT_EQ(retries.find(KeyId{1}, fingerprint_of(7), 2 * second), "second");
}

TEST(SdkRetries, AnotherKeyOrBodyFindsNothing) {
    SdkRetries retries;
    retries.remember(KeyId{1}, fingerprint_of(7), "first", 0);
    EXPECT_FALSE(retries.find(KeyId{2}, fingerprint_of(7), 0));
    EXPECT_FALSE(retries.find(KeyId{1}, fingerprint_of(8), 0));
}

TEST(SdkRetries, TheWindowIsTenMinutes) {
    SdkRetries retries;
    retries.remember(KeyId{1}, fingerprint_of(7), "first", 0);
    EXPECT_TRUE(retries.find(KeyId{1}, fingerprint_of(7), SdkRetries::window));
    EXPECT_FALSE(retries.find(KeyId{1}, fingerprint_of(7), SdkRetries::window + 1));
    EXPECT_FALSE(retries.find(KeyId{1}, fingerprint_of(7), 0));  // it was forgotten
}

TEST(SdkRetries, ManyCoresSeeWholeTextsAndTheirOwnNewest) {
    constexpr std::size_t cores = 4;
    constexpr KeyId everyone{99};
    SdkRetries retries;
    test::together(cores, [&](std::size_t index) {
        const KeyId own{index + 1};
        const std::string text(
            64, static_cast<char>('a' + index));  // too long to be copied in one piece
        for (std::uint8_t i = 0; i < 250; ++i) {
            const Nanoseconds now_ns = i * second;
            retries.remember(own, fingerprint_of(i), text, now_ns);
            EXPECT_EQ(retries.find(own, fingerprint_of(i), now_ns), text);
            retries.remember(everyone, fingerprint_of(0), text, now_ns);
            const auto found = retries.find(everyone, fingerprint_of(0), now_ns);
            ASSERT_TRUE(found);
            EXPECT_EQ(*found, std::string(64, found->front())) << "a text of two cores";
        }
    });
}

}  // namespace
}  // namespace nodex::gateway
