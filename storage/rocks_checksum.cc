// CRC-32C for RocksDB's log by the processor's instruction. Debian builds RocksDB for any amd64, so
// its own is by tables: 1.4 us of a request of 60 (bench/results/profile.md). The linker sends the
// archive's calls of rocksdb::crc32c::Extend() here (meson.build, --wrap); `before` means the same
// there (util/crc32c.h). Not in sanitizer builds, where RocksDB is a shared library and keeps its
// own.
#include <cstddef>
#include <cstdint>

#include "edge/base/crc32c.h"

extern "C" std::uint32_t __wrap__ZN7rocksdb6crc32c6ExtendEjPKcm(std::uint32_t before,
                                                                const char* octets,
                                                                std::size_t size);
extern "C" std::uint32_t __wrap__ZN7rocksdb6crc32c6ExtendEjPKcm(std::uint32_t before,
                                                                const char* octets,
                                                                std::size_t size) {
    return nodex::crc32c({octets, size}, before);
}
