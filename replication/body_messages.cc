// Layouts of the messages for one body, each encoder beside its decoder.
#include "replication/body_messages.h"

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "replication/decoding.h"

namespace nodex::replication {
namespace {

void write_body(ByteWriter& writer, const storage::SealedBody& body) {
    writer.opaque(body.id);
    writer.integer(body.bytes);
    writer.opaque(body.digest);
    writer.integer(body.kek_version);
    writer.integer(body.expires_ms);
}
storage::SealedBody read_body(ByteReader& reader) noexcept {
    storage::SealedBody body;
    body.id = reader.opaque<BodyId>();
    body.bytes = reader.integer<std::uint64_t>();
    body.digest = reader.opaque<storage::BodyDigest>();
    body.kek_version = reader.integer<std::uint32_t>();
    body.expires_ms = reader.integer<std::int64_t>();
    return body;
}

}  // namespace

// request[16]; authority string, when there is one
std::string encode(const ReferenceRequest& request) {
    std::string target;
    ByteWriter writer(target);
    writer.opaque(request.request);
    if (!request.authority.empty()) writer.string(request.authority);
    return target;
}
Result<ReferenceRequest> decode_reference_request(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    ReferenceRequest request;
    request.request = reader.opaque<RequestId>();
    if (!reader.rest().empty()) request.authority = reader.string();
    if (!reader.ok()) return malformed();
    return request;
}

// state u8 account u64 owner u16, twice: id[16] bytes u64 digest[32] version u32 expires_ms i64;
// refused u8, when it is
std::string encode(const ReferenceReply& reply) {
    std::string target;
    ByteWriter writer(target);
    writer.integer(reply.state);
    writer.integer(reply.account);
    writer.integer(reply.owner);
    write_body(writer, reply.answer);
    write_body(writer, reply.sent);
    if (reply.refused) writer.integer(std::uint8_t{1});
    return target;
}
Result<ReferenceReply> decode_reference_reply(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    ReferenceReply reply;
    reply.state = reader.enumerator(ReferenceState::last);
    reply.account = reader.integer<AccountId>();
    reply.owner = reader.integer<PopId>();
    reply.answer = read_body(reader);
    reply.sent = read_body(reader);
    const bool told = !reader.finished();
    const auto refused = told ? reader.integer<std::uint8_t>() : std::uint8_t{0};
    if (!reader.ok() || refused > 1) return malformed();
    reply.refused = refused == 1;
    return reply;
}

// body[16] from_chunk u32 bytes_max u32
std::string encode(const BodyRequest& request) {
    std::string target;
    ByteWriter writer(target);
    writer.opaque(request.body);
    writer.integer(request.from_chunk);
    writer.integer(request.bytes_max);
    return target;
}
Result<BodyRequest> decode_body_request(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    BodyRequest request;
    request.body = reader.opaque<BodyId>();
    request.from_chunk = reader.integer<std::uint32_t>();
    request.bytes_max = reader.integer<std::uint32_t>();
    if (!reader.ok()) return malformed();
    return request;
}

// key_record string count u32 [chunk string]
std::string encode(const BodyReply& reply) {
    std::string target;
    ByteWriter writer(target);
    writer.string(reply.key_record);
    writer.integer(static_cast<std::uint32_t>(reply.chunks.size()));
    for (const std::string& chunk : reply.chunks) writer.string(chunk);
    return target;
}
Result<BodyReply> decode_body_reply(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    BodyReply reply;
    reply.key_record = std::string(reader.string());
    const auto count = reader.integer<std::uint32_t>();
    if (!reader.ok() || count > message_chunks_max || count > reader.rest().size() / sizeof count)
        return malformed();
    reply.chunks.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) reply.chunks.emplace_back(reader.string());
    if (!reader.ok()) return malformed();
    return reply;
}

}  // namespace nodex::replication
