// Messages for an operator's read of one body: where it is (the centre says), and its sealed chunks
// (the POP that has it). The body stays sealed under its account's key all the way.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/ids.h"
#include "edge/base/result.h"
#include "storage/records.h"

namespace nodex::replication {

// rpc.reference
struct ReferenceRequest {
    RequestId request;
    // An operator's sealed `body.get` of that request (central/operator_seal.h), for a POP that the
    // centre does not trust wholly. May be empty.
    std::string authority = {};
};
enum class ReferenceState : std::uint8_t {
    known,
    unknown,  // never settled, or its bodies have expired
    deleted,  // by an operator
    last = deleted,
};
struct ReferenceReply {
    ReferenceState state = ReferenceState::unknown;
    AccountId account{};
    PopId owner{};
    storage::SealedBody answer;  // id zero: there is none
    storage::SealedBody sent;    // same; what the client sent
    // Nothing is told to this POP: no operator asks through it. The state is `unknown` then, which
    // is what a POP of before this field reads.
    bool refused = false;
};

// pop.<holder>.<asker>.body
struct BodyRequest {
    BodyId body;
    std::uint32_t from_chunk = 0;
    std::uint32_t bytes_max = 0;  // ended by the chunk that reaches it
};
struct BodyReply {
    std::string key_record;           // vault.h; "": not here, or its key is destroyed
    std::vector<std::string> chunks;  // sealed, from `from_chunk`; none: that was all
};

std::string encode(const ReferenceRequest&);
std::string encode(const ReferenceReply&);
std::string encode(const BodyRequest&);
std::string encode(const BodyReply&);
// malformed(central) for anything else, as all decoders of messages.
Result<ReferenceRequest> decode_reference_request(Bytes) noexcept;
Result<ReferenceReply> decode_reference_reply(Bytes) noexcept;
Result<BodyRequest> decode_body_request(Bytes) noexcept;
Result<BodyReply> decode_body_reply(Bytes) noexcept;

}  // namespace nodex::replication
