// Layouts of the messages between POPs, each encoder beside its decoder. As in messages.cc counts
// are checked against the rest of the message before anything is reserved.
#include "replication/peer_messages.h"

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "edge/crypto/crypto.h"
#include "replication/decoding.h"

namespace nodex::replication {
namespace {

void write_chunks(ByteWriter& writer, const std::vector<std::string>& chunks) {
    writer.integer(static_cast<std::uint32_t>(chunks.size()));
    for (const std::string& chunk : chunks) writer.string(chunk);
}
bool read_chunks(ByteReader& reader, std::vector<std::string>& chunks) {
    const auto count = reader.integer<std::uint32_t>();
    if (!reader.ok() || count > message_chunks_max || count > reader.rest().size() / sizeof count)
        return false;
    chunks.reserve(count);
    for (std::uint32_t i = 0; i < count; ++i) chunks.emplace_back(reader.string());
    return reader.ok();
}

}  // namespace

// buddy u16 count u16 [pop u16 buddy u16 sealed_key[72]]
std::string encode(const PeersReply& reply) {
    NX_ASSERT(reply.peers.size() <= limits::peers_max);
    std::string target;
    ByteWriter writer(target);
    writer.integer(reply.buddy);
    writer.integer(static_cast<std::uint16_t>(reply.peers.size()));
    for (const PeersReply::Peer& peer : reply.peers) {
        NX_ASSERT(peer.sealed_key.size() == crypto::wrapped_key_bytes);
        writer.integer(peer.pop);
        writer.integer(peer.buddy);
        writer.raw_bytes(peer.sealed_key);
    }
    return target;
}
Result<PeersReply> decode_peers_reply(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    PeersReply reply;
    reply.buddy = reader.integer<PopId>();
    const auto count = reader.integer<std::uint16_t>();
    if (!reader.ok() || count > limits::peers_max) return malformed();
    for (unsigned i = 0; i < count && reader.ok(); ++i) {
        PeersReply::Peer peer;
        peer.pop = reader.integer<PopId>();
        peer.buddy = reader.integer<PopId>();
        peer.sealed_key = std::string(reader.raw_bytes(crypto::wrapped_key_bytes));
        reply.peers.push_back(std::move(peer));
    }
    if (!reader.ok()) return malformed();
    return reply;
}

// owner u16 account u64 idempotency[16] fingerprint[32] request[16] from_chunk u32 bytes_max u32
// wait_ms u32
std::string encode(const ReadRequest& request) {
    std::string target;
    ByteWriter writer(target);
    writer.integer(request.owner);
    writer.integer(request.account);
    writer.opaque(request.idempotency);
    writer.opaque(request.fingerprint);
    writer.opaque(request.request);
    writer.integer(request.from_chunk);
    writer.integer(request.bytes_max);
    writer.integer(request.wait_ms);
    return target;
}
Result<ReadRequest> decode_read_request(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    ReadRequest request;
    request.owner = reader.integer<PopId>();
    request.account = reader.integer<AccountId>();
    request.idempotency = reader.opaque<IdempotencyId>();
    request.fingerprint = reader.opaque<Fingerprint>();
    request.request = reader.opaque<RequestId>();
    request.from_chunk = reader.integer<std::uint32_t>();
    request.bytes_max = reader.integer<std::uint32_t>();
    request.wait_ms = reader.integer<std::uint32_t>();
    if (!reader.ok() || request.idempotency.is_zero()) return malformed();
    return request;
}

// state u8 request[16] session[16] body[16] stream u8 chunks_count u32 key_record string
// answer string (storage/records.cc; empty: none) chunks (count u32 [string])
std::string encode(const ReadReply& reply) {
    std::string target;
    ByteWriter writer(target);
    writer.integer(reply.state);
    writer.opaque(reply.request);
    writer.opaque(reply.session);
    writer.opaque(reply.body);
    writer.integer(static_cast<std::uint8_t>(reply.stream));
    writer.integer(reply.chunks_count);
    writer.string(reply.key_record);
    writer.string(reply.answer ? storage::encode(*reply.answer) : std::string());
    write_chunks(writer, reply.chunks);
    return target;
}
Result<ReadReply> decode_read_reply(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    ReadReply reply;
    reply.state = reader.enumerator(ReadState::last);
    reply.request = reader.opaque<RequestId>();
    reply.session = reader.opaque<SessionId>();
    reply.body = reader.opaque<BodyId>();
    reply.stream = reader.integer<std::uint8_t>() != 0;
    reply.chunks_count = reader.integer<std::uint32_t>();
    reply.key_record = std::string(reader.string());
    const Bytes answer = reader.string();
    if (!read_chunks(reader, reply.chunks)) return malformed();
    if (answer.empty()) {
        if (reply.state == ReadState::finished) return malformed();
        return reply;
    }
    auto decoded = storage::decode_answer(answer);
    if (!decoded) return malformed();
    reply.answer = std::move(*decoded);
    return reply;
}

// life u64 count u16 [account u64 idempotency[16] request[16] first_chunk u32 open string
// key_record string answer string chunks (count u32 [string])]
std::string encode(const CopyRequest& request) {
    NX_ASSERT(request.pieces.size() <= limits::buddy_batch_pieces_max);
    std::string target;
    ByteWriter writer(target);
    writer.integer(request.life);
    writer.integer(static_cast<std::uint16_t>(request.pieces.size()));
    for (const CopyRequest::Piece& piece : request.pieces) {
        writer.integer(piece.account);
        writer.opaque(piece.idempotency);
        writer.opaque(piece.request);
        writer.integer(piece.first_chunk);
        writer.string(piece.open);
        writer.string(piece.key_record);
        writer.string(piece.answer);
        write_chunks(writer, piece.chunks);
    }
    return target;
}
Result<CopyRequest> decode_copy_request(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    CopyRequest request;
    request.life = reader.integer<std::uint64_t>();
    const auto count = reader.integer<std::uint16_t>();
    if (!reader.ok() || count > limits::buddy_batch_pieces_max) return malformed();
    for (unsigned i = 0; i < count; ++i) {
        CopyRequest::Piece piece;
        piece.account = reader.integer<AccountId>();
        piece.idempotency = reader.opaque<IdempotencyId>();
        piece.request = reader.opaque<RequestId>();
        piece.first_chunk = reader.integer<std::uint32_t>();
        piece.open = std::string(reader.string());
        piece.key_record = std::string(reader.string());
        piece.answer = std::string(reader.string());
        if (!read_chunks(reader, piece.chunks)) return malformed();
        if (piece.chunks.size() > UINT32_MAX - piece.first_chunk) return malformed();
        request.pieces.push_back(std::move(piece));
    }
    if (!reader.ok()) return malformed();
    return request;
}

// count u16 [verdict u8 chunks_count u32]
std::string encode(const CopyReply& reply) {
    std::string target;
    ByteWriter writer(target);
    writer.integer(static_cast<std::uint16_t>(reply.outcomes.size()));
    for (const storage::BuddyCopies::Outcome& outcome : reply.outcomes) {
        writer.integer(outcome.verdict);
        writer.integer(outcome.chunks_count);
    }
    return target;
}
Result<CopyReply> decode_copy_reply(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    CopyReply reply;
    const auto count = reader.integer<std::uint16_t>();
    if (!reader.ok() || count > limits::buddy_batch_pieces_max) return malformed();
    reply.outcomes.resize(count);
    for (storage::BuddyCopies::Outcome& outcome : reply.outcomes) {
        outcome.verdict = reader.enumerator(storage::CopyVerdict::last);
        outcome.chunks_count = reader.integer<std::uint32_t>();
    }
    if (!reader.ok()) return malformed();
    return reply;
}

}  // namespace nodex::replication
