// The envelope around every message: layout, checksum, MAC. Payloads are in messages.cc.
#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "replication/decoding.h"
#include "replication/messages.h"

namespace nodex::replication {
namespace {

constexpr std::uint16_t magic = 0x584E;
constexpr std::uint8_t envelope_version = 1;
constexpr std::size_t mac_bytes = 16;

// CRC-32C (Castagnoli, reflected 0x82f63b78), eight octets a step: tables[k][b] is the CRC of b
// followed by k zeros.
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

}  // namespace

std::uint32_t crc32c(Bytes data) noexcept {
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

std::string seal(const Envelope& envelope, Bytes payload, const crypto::SecretKey& link_key) {
    NX_ASSERT(payload.size() <= limits::message_bytes_max);
    std::string message;
    message.reserve(envelope_head_bytes + payload.size() + envelope_tail_bytes);
    ByteWriter writer(message);
    writer.integer(magic);
    writer.integer(envelope_version);
    writer.integer(envelope.type);
    writer.integer(envelope.protocol);
    writer.integer(envelope.pop);
    writer.integer(envelope.incarnation);
    writer.integer(envelope.epoch);
    writer.integer(envelope.correlation);
    writer.integer(static_cast<std::uint32_t>(payload.size()));
    NX_ASSERT(message.size() == envelope_head_bytes);
    writer.raw_bytes(payload);
    writer.integer(crc32c(message));
    const crypto::Sha256 mac = crypto::hmac_sha256(link_key.view(), message);
    writer.raw_bytes(crypto::view(mac).substr(0, mac_bytes));
    return message;
}

std::optional<PopId> claimed_sender(Bytes message) noexcept {
    if (message.size() < envelope_head_bytes + envelope_tail_bytes) return std::nullopt;
    ByteReader reader(message.substr(6));
    return static_cast<PopId>(reader.integer<std::uint16_t>());
}

Result<OpenedMessage> open(Bytes message, const crypto::SecretKey& link_key) noexcept {
    ByteReader reader(message);
    OpenedMessage opened;
    if (reader.integer<std::uint16_t>() != magic) return malformed();
    if (reader.integer<std::uint8_t>() != envelope_version) return malformed();
    opened.envelope.type = reader.enumerator(MessageType::last);
    opened.envelope.protocol = reader.integer<std::uint16_t>();
    opened.envelope.pop = static_cast<PopId>(reader.integer<std::uint16_t>());
    opened.envelope.incarnation = reader.integer<std::uint32_t>();
    opened.envelope.epoch = reader.integer<std::uint64_t>();
    opened.envelope.correlation = reader.integer<std::uint64_t>();
    opened.payload = reader.raw_bytes(reader.integer<std::uint32_t>());
    const auto checksum = reader.integer<std::uint32_t>();
    const Bytes mac = reader.raw_bytes(mac_bytes);
    if (!reader.finished()) return malformed();
    if (raw(opened.envelope.type) == 0) return malformed();
    const Bytes covered = message.substr(0, message.size() - mac_bytes);
    if (checksum != crc32c(covered.substr(0, covered.size() - sizeof checksum))) return malformed();
    const crypto::Sha256 expected = crypto::hmac_sha256(link_key.view(), covered);
    if (!crypto::equal_constant_time(mac, crypto::view(expected).substr(0, mac_bytes)))
        return Error{ErrorCode::forbidden, ErrorSource::central};
    return opened;
}

ChainHash next_chain(const ChainHash& before, Bytes record) noexcept {
    crypto::Sha256Stream stream;
    stream.update(before.view());
    stream.update(record);
    return ChainHash::from(crypto::view(stream.finish()));
}

}  // namespace nodex::replication
