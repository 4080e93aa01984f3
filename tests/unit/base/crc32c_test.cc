// Known answers, and both ways against each other at every length and place.
#include "edge/base/crc32c.h"

#include <gtest/gtest.h>

#include <string>

#include "edge/base/random.h"

namespace nodex::crc32c_test {
namespace {

TEST(Crc32c, MatchesTheKnownAnswersBothWays) {  // RFC 3720 appendix B.4
    for (const auto way : {crc32c, crc32c_by_tables}) {
        EXPECT_EQ(way("123456789", 0), 0xe3069283u);
        EXPECT_EQ(way(std::string(32, '\0'), 0), 0x8a9136aau);
        EXPECT_EQ(way(std::string(32, '\xff'), 0), 0x62a8ab43u);
        EXPECT_EQ(way("", 0), 0u);
    }
}

TEST(Crc32c, IsTheSameBothWaysAtEveryLengthAndPlace) {
    std::string octets(512, 0);
    SeededRandom random(1);
    random.fill(octets.data(), octets.size());
    for (std::size_t from = 0; from < 9; ++from)
        for (std::size_t size = 0; size <= 100; ++size) {
            const Bytes part = Bytes(octets).substr(from, size);
            ASSERT_EQ(crc32c(part), crc32c_by_tables(part)) << from << ' ' << size;
        }
    EXPECT_EQ(crc32c(octets), crc32c_by_tables(octets));
}

TEST(Crc32c, OfAWholeIsThatOfItsPartsOneBehindTheOther) {
    const Bytes whole = "the quick brown fox jumps over the lazy dog";
    for (const auto way : {crc32c, crc32c_by_tables})
        for (std::size_t size = 0; size <= whole.size(); ++size)
            EXPECT_EQ(way(whole.substr(size), way(whole.substr(0, size), 0)), way(whole, 0));
}

}  // namespace
}  // namespace nodex::crc32c_test
