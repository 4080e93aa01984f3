// Eight octets a step, both ways.
#include "replication/crc32c.h"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace nodex::replication {
namespace {

// tables[k][b] is the CRC of b followed by k zeros.
using CrcTables = std::array<std::array<std::uint32_t, 256>, 8>;
constexpr CrcTables make_tables() {
    CrcTables tables{};
    for (std::uint32_t octet = 0; octet < 256; ++octet) {
        std::uint32_t value = octet;
        for (int bit = 0; bit < 8; ++bit)
            value = (value >> 1) ^ ((value & 1) != 0 ? 0x82f63b78u : 0);
        tables[0][octet] = value;
    }
    for (std::size_t table = 1; table < 8; ++table)
        for (std::size_t octet = 0; octet < 256; ++octet) {
            const std::uint32_t before = tables[table - 1][octet];
            tables[table][octet] = (before >> 8) ^ tables[0][before & 0xff];
        }
    return tables;
}
constexpr CrcTables tables = make_tables();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t by_instruction(Bytes data) noexcept {
    std::uint64_t crc = ~0u;
    for (; data.size() >= 8; data.remove_prefix(8)) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data(), 8);
        crc = _mm_crc32_u64(crc, word);
    }
    auto rest = static_cast<std::uint32_t>(crc);
    for (const char octet : data) rest = _mm_crc32_u8(rest, static_cast<unsigned char>(octet));
    return ~rest;
}
#endif

using Way = std::uint32_t (*)(Bytes) noexcept;
Way fastest() noexcept {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2") != 0) return by_instruction;
#endif
    return crc32c_by_tables;
}

}  // namespace

std::uint32_t crc32c_by_tables(Bytes data) noexcept {
    std::uint32_t crc = ~0u;
    while (data.size() >= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, data.data(), 8);
        word ^= crc;
        crc = 0;
        for (std::size_t i = 0; i < 8; ++i) crc ^= tables[7 - i][(word >> (8 * i)) & 0xff];
        data.remove_prefix(8);
    }
    for (const char octet : data)
        crc = (crc >> 8) ^ tables[0][(crc ^ static_cast<unsigned char>(octet)) & 0xff];
    return ~crc;
}

std::uint32_t crc32c(Bytes data) noexcept {
    static const Way way = fastest();
    return way(data);
}

}  // namespace nodex::replication
