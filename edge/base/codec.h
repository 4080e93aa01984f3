// Little-endian records: what is stored, chained and sent between nodes. The layout is fixed and
// canonical (equal values give equal bytes), because chains and state hashes are taken over the
// bytes; protobuf was tried on paper and dropped for that reason: its serialisation is not
// canonical.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

#include "edge/base/bytes.h"

namespace nodex {

// Appends to a caller's string. Strings and nested records are prefixed with a u32 length.
class ByteWriter {
  public:
    explicit ByteWriter(std::string& target) noexcept : target_(target) {}

    template <class Integer>
    void integer(Integer value) {
        static_assert(std::is_integral_v<Integer> || std::is_enum_v<Integer>);
        char bytes[sizeof(Integer)];
        std::memcpy(bytes, &value, sizeof value);  // every supported target is little endian
        target_.append(bytes, sizeof bytes);
    }
    void raw_bytes(Bytes bytes) { target_.append(bytes); }
    void string(Bytes bytes) {
        integer(static_cast<std::uint32_t>(bytes.size()));
        target_.append(bytes);
    }
    template <std::size_t Size, class Tag>
    void opaque(const Opaque<Size, Tag>& value) {
        target_.append(value.view());
    }

  private:
    std::string& target_;
};

// Reads what ByteWriter wrote. Reading past the end gives zeros and makes ok() false for good, so a
// decoder reads straight through and checks once. Views borrow the source.
class ByteReader {
  public:
    explicit ByteReader(Bytes source) noexcept : rest_(source) {}

    template <class Integer>
    Integer integer() noexcept {
        static_assert(std::is_integral_v<Integer> || std::is_enum_v<Integer>);
        Integer value{};
        const Bytes bytes = raw_bytes(sizeof value);
        if (ok_) std::memcpy(&value, bytes.data(), sizeof value);
        return value;
    }
    // An enumeration: a value above `last` makes the record malformed.
    template <class Enum>
    Enum enumerator(Enum last) noexcept {
        const auto value = integer<std::underlying_type_t<Enum>>();
        if (value > static_cast<std::underlying_type_t<Enum>>(last)) ok_ = false;
        return ok_ ? static_cast<Enum>(value) : Enum{};
    }
    Bytes raw_bytes(std::size_t size) noexcept {
        if (!ok_ || rest_.size() < size) {
            ok_ = false;
            return {};
        }
        const Bytes bytes = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return bytes;
    }
    Bytes string() noexcept { return raw_bytes(integer<std::uint32_t>()); }
    template <class Value>
    Value opaque() noexcept {
        const Bytes bytes = raw_bytes(Value::size);
        return ok_ ? Value::from(bytes) : Value{};
    }
    [[nodiscard]] Bytes rest() const noexcept { return rest_; }
    [[nodiscard]] bool ok() const noexcept { return ok_; }
    // Everything was there and nothing is left over.
    [[nodiscard]] bool finished() const noexcept { return ok_ && rest_.empty(); }

  private:
    Bytes rest_;
    bool ok_ = true;
};

// Big-endian integer for RocksDB keys, so that byte order is number order.
template <class Integer>
void append_ordered(std::string& key, Integer value) {
    for (int shift = static_cast<int>(sizeof(Integer)) * 8 - 8; shift >= 0; shift -= 8)
        key.push_back(static_cast<char>((value >> shift) & 0xff));
}
inline std::uint64_t read_ordered64(Bytes bytes) noexcept {
    NX_ASSERT(bytes.size() >= 8);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<unsigned char>(bytes[i]);
    return value;
}

}  // namespace nodex
