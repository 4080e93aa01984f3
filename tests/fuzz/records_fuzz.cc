// Fuzzes the decoders of stored records: no input crashes them, and what they accept encodes to the
// same bytes (the layout is canonical: chains and state hashes are taken over it). First octet:
// which record.
#include <cstddef>
#include <cstdint>
#include <string>

#include "storage/keyspace.h"
#include "storage/outbox_retention.h"
#include "storage/records.h"

namespace nodex::storage {
namespace {

template <class Decode>
void check(Bytes bytes, Decode decode) {
    const auto record = decode(bytes);
    if (!record) return;
    std::string encoded;
    encode(*record, encoded);
    NX_ASSERT(encoded == bytes);
}

// Version 1 is read and never written.
void check_settlement(Bytes bytes) {
    const auto record = decode_settlement(bytes);
    if (!record) return;
    const std::string encoded = encode(*record);
    NX_ASSERT(bytes.front() == 1 || encoded == bytes);
    NX_ASSERT(encode(*decode_settlement(encoded)) == encoded);
}

void check_retention(Bytes bytes) {
    const auto retention = OutboxRetention::decode(bytes);
    if (retention) NX_ASSERT(retention->encode() == bytes);
}

}  // namespace
}  // namespace nodex::storage

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace nodex::storage;
    if (size == 0) return 0;
    const nodex::Bytes bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    switch (data[0] % 8) {
        case 0: check(bytes, decode_open_request); break;
        case 1: {
            check(bytes, decode_answer);
            const auto answer = decode_answer(bytes);
            if (answer.has_value()) NX_ASSERT(expiry_of_answer(bytes) == answer->expires_ms);
            break;
        }
        case 2: check_settlement(bytes); break;
        case 3: check(bytes, decode_lease_counters); break;
        case 4: check(bytes, decode_outbox_mark); break;
        case 5: check(bytes, decode_body_key); break;
        case 6: check(bytes, decode_buddy_copy); break;
        case 7: check_retention(bytes); break;
    }
    return 0;
}
