// Records: what is written is read back; what is short or long is refused.
#include "edge/base/codec.h"

#include <gtest/gtest.h>

#include "edge/base/ids.h"

namespace nodex {
namespace {

TEST(Codec, ReadsBackWhatWasWritten) {
    std::string bytes;
    ByteWriter writer(bytes);
    writer.integer<std::uint16_t>(0xbeef);
    writer.string("abc");
    writer.opaque(RequestId::from("0123456789abcdef"));
    ByteReader reader(bytes);
    EXPECT_EQ(reader.integer<std::uint16_t>(), 0xbeef);
    EXPECT_EQ(reader.string(), "abc");
    EXPECT_EQ(reader.opaque<RequestId>(), RequestId::from("0123456789abcdef"));
    EXPECT_TRUE(reader.finished());
}

TEST(Codec, AShortRecordFailsForGoodAndReadsZeros) {
    ByteReader reader(
        Bytes("\x05\x00\x00\x00"
              "ab",
              6));
    EXPECT_EQ(reader.string(), "");
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.integer<std::uint8_t>(), 0);
    EXPECT_FALSE(reader.finished());
}

TEST(Codec, LeftOverBytesAreNotFinished) {
    ByteReader reader("ab");
    reader.integer<std::uint8_t>();
    EXPECT_TRUE(reader.ok());
    EXPECT_FALSE(reader.finished());
}

TEST(Codec, OrderedKeysSortAsNumbers) {
    std::string small, large;
    append_ordered(small, std::uint64_t{255});
    append_ordered(large, std::uint64_t{256});
    EXPECT_LT(small, large);
    EXPECT_EQ(read_ordered64(large), 256u);
}

}  // namespace
}  // namespace nodex
