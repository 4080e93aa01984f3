// The envelope around every message: layout, checksum, MAC. Payloads are in messages.cc.
#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "replication/crc32c.h"
#include "replication/decoding.h"
#include "replication/messages.h"

namespace nodex::replication {
namespace {

constexpr std::uint16_t magic = 0x584E;
constexpr std::uint8_t envelope_version = 1;
constexpr std::size_t mac_bytes = 16;

}  // namespace

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
