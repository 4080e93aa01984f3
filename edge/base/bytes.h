// Octets: views, fixed-size identifiers, hex. Octet buffers are std::string and views are
// std::string_view everywhere, because every library we sit on (llhttp, RocksDB, simdjson) speaks
// char.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/result.h"

namespace nodex {

using Bytes = std::string_view;  // octets, not necessarily text; borrowed

// A fixed-size opaque value (digest, identifier). Tag keeps a request id from being used as a body
// id.
template <std::size_t Size, class Tag>
struct Opaque {
    static constexpr std::size_t size = Size;
    std::array<std::uint8_t, Size> octets{};

    [[nodiscard]] Bytes view() const noexcept {
        return {reinterpret_cast<const char*>(octets.data()), Size};
    }
    static Opaque from(Bytes bytes) noexcept {
        NX_ASSERT(bytes.size() == Size);
        Opaque value;
        std::memcpy(value.octets.data(), bytes.data(), Size);
        return value;
    }
    [[nodiscard]] bool is_zero() const noexcept { return *this == Opaque{}; }
    auto operator<=>(const Opaque&) const noexcept = default;
};

// For unordered containers: the value is already uniform, so its first word is its hash.
struct OpaqueHash {
    template <std::size_t Size, class Tag>
    std::size_t operator()(const Opaque<Size, Tag>& value) const noexcept {
        static_assert(Size >= sizeof(std::size_t));
        std::size_t word;
        std::memcpy(&word, value.octets.data(), sizeof word);
        return word;
    }
};

// Lower-case hexadecimal, two characters an octet.
std::string to_hex(Bytes bytes);
// Nothing if `text` has an odd length or a character outside [0-9a-fA-F].
std::optional<std::string> from_hex(Bytes text);

// Exact decimal, no sign, no space, at most 19 digits; nothing otherwise.
std::optional<std::uint64_t> parse_decimal(Bytes text) noexcept;

// ASCII only: field names and tokens are compared this way (RFC 9110 section 5.1).
bool equals_ignore_case(Bytes left, Bytes right) noexcept;

}  // namespace nodex
