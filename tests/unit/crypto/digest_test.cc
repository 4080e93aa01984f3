// SHA-256 and HMAC-SHA256 against published vectors.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "edge/crypto/crypto.h"

namespace nodex::crypto {
namespace {

std::string hex(const Sha256& digest) {
    return to_hex(view(digest));
}

// FIPS 180-4 examples.
TEST(Sha256Test, MatchesThePublishedVectors) {
    EXPECT_EQ(hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(hex(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, AStreamGivesTheDigestOfItsPiecesJoined) {
    std::string text(1000, 'a');
    for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
    for (std::size_t piece = 1; piece < 140; ++piece) {
        Sha256Stream stream;
        for (std::size_t offset = 0; offset < text.size(); offset += piece)
            stream.update(Bytes(text).substr(offset, piece));
        stream.update({});
        EXPECT_EQ(stream.finish(), sha256(text)) << piece;
    }
}

TEST(Sha256Test, ACopiedStreamGoesOnByItself) {
    Sha256Stream stream;
    stream.update("abc");
    Sha256Stream copy = stream;
    copy.update("def");
    EXPECT_EQ(stream.finish(), sha256("abc"));
    EXPECT_EQ(copy.finish(), sha256("abcdef"));
}

// RFC 4231, test cases 1 to 4, 6 and 7.
TEST(HmacSha256, MatchesTheVectorsOfRfc4231) {
    EXPECT_EQ(hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
              "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    EXPECT_EQ(hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hex(hmac_sha256(std::string(20, '\xaa'), std::string(50, '\xdd'))),
              "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    EXPECT_EQ(hex(hmac_sha256(*from_hex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
                              std::string(50, '\xcd'))),
              "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    EXPECT_EQ(
        hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256, AnEmptyKeyIsAKey) {
    EXPECT_EQ(hex(hmac_sha256({}, "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(EqualConstantTime, ComparesLengthAndContent) {
    EXPECT_TRUE(equal_constant_time("", ""));
    EXPECT_TRUE(equal_constant_time("same", "same"));
    EXPECT_FALSE(equal_constant_time("same", "samf"));
    EXPECT_FALSE(equal_constant_time("same", "same "));
}

TEST(Cleanse, OverwritesWithZeros) {
    std::string secret = "secret";
    cleanse(secret.data(), secret.size());
    EXPECT_EQ(secret, std::string(6, '\0'));
}

TEST(SecureRandomTest, TwoDrawsDiffer) {
    std::string first(32, '\0'), second(32, '\0');
    secure_random().fill(first.data(), first.size());
    secure_random().fill(second.data(), second.size());
    EXPECT_NE(first, second);
    EXPECT_NE(first, std::string(32, '\0'));
}

// Draws come out of blocks: sizes that do not divide a block must neither repeat nor leave octets out.
TEST(SecureRandomTest, DrawsOfAllSizesAcrossBlocksAreDifferent) {
    std::set<std::string> seen;
    for (std::size_t size = 8; size <= 200; ++size) {
        std::string drawn(size, '\0');
        secure_random().fill(drawn.data(), drawn.size());
        EXPECT_TRUE(seen.insert(drawn.substr(0, 8)).second);
        EXPECT_TRUE(seen.insert(drawn.substr(size - 8)).second || size < 16);
    }
}

TEST(SecureRandomTest, ChildOfForkDrawsOtherOctetsThanItsParent) {
    std::array<char, 16> ours{}, theirs{};
    secure_random().fill(ours.data(), ours.size());  // a block has been begun
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        secure_random().fill(theirs.data(), theirs.size());
        ::_exit(::write(ends[1], theirs.data(), theirs.size()) == 16 ? 0 : 1);
    }
    ASSERT_GT(child, 0);
    secure_random().fill(ours.data(), ours.size());
    ASSERT_EQ(::read(ends[0], theirs.data(), theirs.size()), 16);
    EXPECT_NE(ours, theirs);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
    ::close(ends[0]);
    ::close(ends[1]);
}

}  // namespace
}  // namespace nodex::crypto
