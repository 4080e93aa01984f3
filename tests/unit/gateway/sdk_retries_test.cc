// An SDK's own retry finds its first attempt; nobody else does.
#include "edge/gateway/sdk_retries.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace nodex::gateway
