// What goes over the wire: messages, feed records, envelopes.
#include "replication/body_keys.h"
#include "replication/body_messages.h"
#include "replication/central/operator_seal.h"
#include "replication/feed_records.h"
#include "replication/messages.h"
#include "replication/peer_messages.h"
#include "replication/pop_report.h"
#include "tests/fuzz/decoders.h"

namespace nodex::fuzz {
namespace {

using namespace replication;

// Trailing octets are ignored by contract, so the encoding is a prefix of the input. Flags are any
// octet but 0, written as 1: compared after a second round.
template <auto Decode>
bool stable(Bytes bytes) {
    const auto first = Decode(bytes);
    if (!first) return false;
    const std::string encoded = encode(*first);
    NX_ASSERT(encoded.size() <= bytes.size());
    const auto second = Decode(encoded);
    NX_ASSERT(second.has_value());
    NX_ASSERT(encode(*second) == encoded);
    return true;
}

// Of this version or another (feed_records.h): what was understood goes both ways.
bool feed_record(Bytes bytes) {
    const auto encode_any = [](const auto& each) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(each)>, UnknownRecord>)
            return {};
        else
            return encode(each);
    };
    const Result<FeedRecord> record = decode_feed_record(bytes);
    if (!record) return false;
    if (std::holds_alternative<UnknownRecord>(*record)) return true;
    const std::string encoded = std::visit(encode_any, *record);
    const Result<FeedRecord> again = decode_feed_record(encoded);
    NX_ASSERT(again.has_value());
    NX_ASSERT(std::visit(encode_any, *again) == encoded);
    return true;
}

// Under a key of zeros.
bool envelope(Bytes bytes) {
    static const crypto::SecretKey key;
    (void)claimed_sender(bytes);
    const Envelope head{MessageType::ship_request, PopId{1}, 1, 1, 1};
    NX_ASSERT(open(seal(head, bytes.substr(0, 4'096), key), key).has_value());
    const Result<OpenedMessage> opened = open(bytes, key);
    if (!opened) return false;
    NX_ASSERT(opened->payload.size() + envelope_head_bytes + envelope_tail_bytes == bytes.size());
    return true;
}

// Whatever was decoded does not open under a key that did not seal it, and opens once it is sealed.
bool sealed_command(Bytes bytes) {
    static const crypto::SecretKey key;
    Result<SealedCommand> command = decode_sealed_command(bytes);
    if (!command) return false;
    (void)open_command(*command, key);
    NX_ASSERT(stable<decode_sealed_command>(bytes));
    seal_command(*command, key, bytes.substr(0, 4'096));
    NX_ASSERT(open_command(*decode_sealed_command(encode(*command)), key) == bytes.substr(0, 4'096));
    return true;
}

// Under a key of zeros, to a command without a number.
bool sealed_reply(Bytes bytes) {
    static const crypto::SecretKey key;
    return open_reply(CommandId{}, key, bytes).has_value();
}

// What was unfolded packs again, to the same batch.
bool packed_ship_request(Bytes bytes) {
    const Result<ShipRequest> request = decode_packed_ship_request(bytes);
    if (!request) return false;
    const std::string plain = encode(*request);
    NX_ASSERT(encode(*decode_packed_ship_request(pack(plain))) == plain);
    return true;
}

constexpr Decoder message_table[] = {
    {"register_request", stable<decode_register_request>},
    {"register_reply", stable<decode_register_reply>},
    {"lease_request", stable<decode_lease_request>},
    {"lease_reply", stable<decode_lease_reply>},
    {"ship_request", stable<decode_ship_request>},
    {"ship_reply", stable<decode_ship_reply>},
    {"feed_request", stable<decode_feed_request>},
    {"feed_reply", stable<decode_feed_reply>},
    {"feed_hint", stable<decode_feed_hint>},
    {"query_request", stable<decode_query_request>},
    {"query_reply", stable<decode_query_reply>},
    {"feed_record", feed_record},
    {"envelope", envelope},
    {"claim_request", stable<decode_claim_request>},
    {"claim_reply", stable<decode_claim_reply>},
    {"claim_hint", stable<decode_claim_hint>},
    {"body_key_request", stable<decode_body_key_request>},
    {"body_key_reply", stable<decode_body_key_reply>},
    {"peers_reply", stable<decode_peers_reply>},
    {"read_request", stable<decode_read_request>},
    {"read_reply", stable<decode_read_reply>},
    {"copy_request", stable<decode_copy_request>},
    {"copy_reply", stable<decode_copy_reply>},
    {"pop_report", stable<decode_pop_report>},
    {"report_reply", stable<decode_report_reply>},
    {"reference_request", stable<decode_reference_request>},
    {"reference_reply", stable<decode_reference_reply>},
    {"body_request", stable<decode_body_request>},
    {"body_reply", stable<decode_body_reply>},
    {"sealed_command", sealed_command},
    {"sealed_reply", sealed_reply},
    {"packed_ship_request", packed_ship_request},
};

}  // namespace

std::span<const Decoder> message_decoders() noexcept {
    return message_table;
}

}  // namespace nodex::fuzz
