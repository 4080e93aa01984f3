// What a POP keeps. A layout is canonical (chains and state hashes are taken over it): what a
// decoder accepts is encoded to the same bytes.
#include "storage/chunk_codec.h"
#include "storage/keyspace.h"
#include "storage/outbox_retention.h"
#include "storage/records.h"
#include "storage/vault.h"
#include "tests/fuzz/decoders.h"

namespace nodex::fuzz {
namespace {

using namespace storage;

template <auto Decode>
bool canonical(Bytes bytes) {
    const auto record = Decode(bytes);
    if (!record) return false;
    std::string encoded;
    encode(*record, encoded);
    NX_ASSERT(encoded == bytes);
    return true;
}

// Compaction drops rows by their expiry without decoding the rest.
bool answer(Bytes bytes) {
    if (!canonical<decode_answer>(bytes)) return false;
    NX_ASSERT(expiry_of_answer(bytes) == decode_answer(bytes)->expires_ms);
    return true;
}
bool buddy_copy(Bytes bytes) {
    if (!canonical<decode_buddy_copy>(bytes)) return false;
    NX_ASSERT(expiry_of_buddy_copy(bytes) == decode_buddy_copy(bytes)->expires_ms);
    return true;
}

// Version 1 is read and never written.
bool settlement(Bytes bytes) {
    const auto record = decode_settlement(bytes);
    if (!record) return false;
    const std::string encoded = encode(*record);
    NX_ASSERT(bytes.front() == 1 || encoded == bytes);
    NX_ASSERT(encode(*decode_settlement(encoded)) == encoded);
    return true;
}

bool retention(Bytes bytes) {
    const auto record = OutboxRetention::decode(bytes);
    if (!record) return false;
    NX_ASSERT(record->encode() == bytes);
    return true;
}

// What follows the seal of a chunk. Its frame need not be ours: only the plaintext must come back.
bool chunk(Bytes bytes) {
    std::string plaintext;
    if (!decode_chunk(bytes, plaintext)) {
        NX_ASSERT(plaintext.empty());
        return false;
    }
    std::string encoded;
    encode_chunk(plaintext, encoded);
    std::string again;
    const bool accepted = decode_chunk(encoded, again);
    NX_ASSERT(accepted && again == plaintext);
    return true;
}

bool key_record(Bytes bytes) {
    return Vault::version_of(bytes).has_value();
}

bool lease_row_key(Bytes bytes) {
    const auto scope = parse_lease_key(bytes);
    if (!scope) return false;
    NX_ASSERT(lease_key(*scope).view() == bytes);
    return true;
}
bool chunk_row_key(Bytes bytes) {
    const auto parts = parse_body_key(bytes);
    if (!parts) return false;
    NX_ASSERT(body_key(parts->body, parts->number).view() == bytes);
    return true;
}

constexpr Decoder record_table[] = {
    {"open_request", canonical<decode_open_request>},
    {"answer", answer},
    {"settlement", settlement},
    {"lease_counters", canonical<decode_lease_counters>},
    {"outbox_mark", canonical<decode_outbox_mark>},
    {"body_key", canonical<decode_body_key>},
    {"buddy_copy", buddy_copy},
    {"retention", retention},
    {"chunk", chunk},
    {"key_record", key_record},
    {"lease_row_key", lease_row_key},
    {"chunk_row_key", chunk_row_key},
};

}  // namespace

std::span<const Decoder> record_decoders() noexcept {
    return record_table;
}

}  // namespace nodex::fuzz
