// The checksum that RocksDB is given is the one it would have made.
#include <gtest/gtest.h>

#include <string>

#include "edge/base/crc32c.h"
#include "edge/base/random.h"

// RocksDB's own, past the linker's --wrap.
extern "C" std::uint32_t __real__ZN7rocksdb6crc32c6ExtendEjPKcm(std::uint32_t before,
                                                                const char* octets,
                                                                std::size_t size);
namespace rocksdb::crc32c {
std::uint32_t Extend(std::uint32_t before, const char* octets, std::size_t size);  // ours
}  // namespace rocksdb::crc32c

namespace nodex::storage::rocks_checksum_test {
namespace {

TEST(RocksChecksum, IsTheOneThatRocksDbWouldHaveMade) {
    SeededRandom random(1);
    std::string octets(5'000, 0);
    random.fill(octets.data(), octets.size());
    for (std::size_t size = 0; size <= octets.size(); size = size * 5 / 4 + 1)
        for (const std::uint32_t before : {0u, 1u, 0xdeadbeefu, 0xffffffffu}) {
            const std::uint32_t theirs =
                __real__ZN7rocksdb6crc32c6ExtendEjPKcm(before, octets.data(), size);
            EXPECT_EQ(rocksdb::crc32c::Extend(before, octets.data(), size), theirs);
            EXPECT_EQ(nodex::crc32c({octets.data(), size}, before), theirs);
        }
}

// A log of either way is read by the other: what is compared above is all there is to it. That the
// call comes here at all is the linker's: without --wrap this program has no __real_ name and does
// not link.
}  // namespace
}  // namespace nodex::storage::rocks_checksum_test
