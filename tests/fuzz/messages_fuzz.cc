// Fuzzes the decoders of messages and feed records: no input crashes them, and what they accept
// means the same after it was encoded again. First octet: which decoder.
#include <cstddef>
#include <cstdint>

#include "replication/body_keys.h"
#include "replication/body_messages.h"
#include "replication/feed_records.h"
#include "replication/messages.h"
#include "replication/peer_messages.h"
#include "replication/pop_report.h"

namespace nodex::replication {
namespace {

// Trailing octets are ignored by contract, so the encoding is a prefix of the input. Flags are any
// octet but 0, written as 1: compared after a second round.
template <class Decode>
void check(Bytes bytes, Decode decode) {
    const auto first = decode(bytes);
    if (!first) return;
    const std::string encoded = encode(*first);
    NX_ASSERT(encoded.size() <= bytes.size());
    const auto second = decode(encoded);
    NX_ASSERT(second.has_value());
    NX_ASSERT(encode(*second) == encoded);
}

void check_record(Bytes bytes) {
    const Result<FeedRecord> record = decode_feed_record(bytes);
    if (!record) return;
    const auto encode_any = [](const auto& each) { return encode(each); };
    const std::string encoded = std::visit(encode_any, *record);
    NX_ASSERT(decode_feed_record(encoded).has_value());
}

void check_envelope(Bytes bytes) {
    static const crypto::SecretKey key;
    (void)claimed_sender(bytes);
    const Result<OpenedMessage> opened = open(bytes, key);
    if (opened)
        NX_ASSERT(opened->payload.size() + envelope_head_bytes + envelope_tail_bytes ==
                  bytes.size());
    NX_ASSERT(
        open(seal({MessageType::ship_request, PopId{1}, 1, 1, 1}, bytes.substr(0, 4'096), key), key)
            .has_value());
}

}  // namespace

void fuzz_message(std::uint8_t choice, Bytes bytes) {
    switch (choice % 29) {
        case 0: check(bytes, decode_register_request); break;
        case 1: check(bytes, decode_register_reply); break;
        case 2: check(bytes, decode_lease_request); break;
        case 3: check(bytes, decode_lease_reply); break;
        case 4: check(bytes, decode_ship_request); break;
        case 5: check(bytes, decode_ship_reply); break;
        case 6: check(bytes, decode_feed_request); break;
        case 7: check(bytes, decode_feed_reply); break;
        case 8: check(bytes, decode_feed_hint); break;
        case 9: check(bytes, decode_query_request); break;
        case 10: check(bytes, decode_query_reply); break;
        case 11: check_record(bytes); break;
        case 12: check_envelope(bytes); break;
        case 13: check(bytes, decode_claim_request); break;
        case 14: check(bytes, decode_claim_reply); break;
        case 15: check(bytes, decode_claim_hint); break;
        case 16: check(bytes, decode_body_key_request); break;
        case 17: check(bytes, decode_body_key_reply); break;
        case 18: check(bytes, decode_peers_reply); break;
        case 19: check(bytes, decode_read_request); break;
        case 20: check(bytes, decode_read_reply); break;
        case 21: check(bytes, decode_copy_request); break;
        case 22: check(bytes, decode_copy_reply); break;
        case 23: check(bytes, decode_pop_report); break;
        case 24: check(bytes, decode_report_reply); break;
        case 25: check(bytes, decode_reference_request); break;
        case 26: check(bytes, decode_reference_reply); break;
        case 27: check(bytes, decode_body_request); break;
        default: check(bytes, decode_body_reply); break;
    }
}

}  // namespace nodex::replication

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size > 0)
        nodex::replication::fuzz_message(data[0],
                                         {reinterpret_cast<const char*>(data) + 1, size - 1});
    return 0;
}
