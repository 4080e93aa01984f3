// Messages between POPs, and what the centre tells a POP about the others. Same envelope and rules
// as messages.h; between POPs the MAC is under the pair's key (pair_keys.h), `pop` of the envelope
// is the sender's in both directions, and the subject is nx.v1.pop.<receiver>.<sender>.<verb>.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/ids.h"
#include "edge/base/result.h"
#include "storage/buddy_copies.h"
#include "storage/records.h"

namespace nodex::replication {

// rpc.peers: an empty request. Asked again from time to time: POPs come, keys change.
struct PeersReply {
    struct Peer {
        PopId pop{};
        PopId buddy{};           // which POP has copies of its answers; 0: none
        std::string sealed_key;  // the pair's, for the asking POP (pair_keys.h)
    };
    PopId buddy{};            // of the asking POP; 0: none, there is no other
    std::vector<Peer> peers;  // without the asking POP
};

// read: what has the holder of this claim, from `from_chunk` on? Asked of the owner, or, when it
// cannot be reached, of the POP that has the copies.
struct ReadRequest {
    PopId owner{};  // another than the receiver: the receiver's copies are meant
    AccountId account{};
    IdempotencyId idempotency;
    Fingerprint fingerprint;
    RequestId request;  // whose chunks the asker has already; zero: none yet
    std::uint32_t from_chunk = 0;
    std::uint32_t bytes_max = 0;  // of chunks, ended by the one that reaches it
    std::uint32_t wait_ms = 0;    // how long the reply may be held for something new
};
enum class ReadState : std::uint8_t {
    running,   // more will come
    finished,  // `answer` says how many chunks there are
    cut,       // a copy that has no end, and its owner is silent: what is here is all
    gone,      // nothing under that key, or another request than the asker's
    mismatch,  // the key was used with another body
    last = mismatch,
};
struct ReadReply {
    ReadState state = ReadState::gone;
    RequestId request;
    SessionId session;
    BodyId body;
    bool stream = false;
    std::uint32_t chunks_count = 0;         // stored at the sender
    std::string key_record;                 // vault.h; "": not stored (yet), or shredded
    std::optional<storage::Answer> answer;  // finished; also cut, when its end was copied
    std::vector<std::string> chunks;        // sealed, from `from_chunk`
};

// copy: pieces of answers for the buddy. No pieces: the sender lives.
struct CopyRequest {
    struct Piece {
        AccountId account{};
        IdempotencyId idempotency;
        RequestId request;
        std::uint32_t first_chunk = 0;
        std::string open;        // encoded OpenRequest, with the first piece
        std::string key_record;  // with chunk 0
        std::string answer;      // encoded Answer, with the last piece
        std::vector<std::string> chunks;
    };
    std::uint64_t life = 0;  // drawn at random by each process
    std::vector<Piece> pieces;
};
struct CopyReply {
    std::vector<storage::BuddyCopies::Outcome> outcomes;  // of the pieces, in their order
};

std::string encode(const PeersReply&);
std::string encode(const ReadRequest&);
std::string encode(const ReadReply&);
std::string encode(const CopyRequest&);
std::string encode(const CopyReply&);

// malformed(central) for anything else, as all decoders of messages.
Result<PeersReply> decode_peers_reply(Bytes) noexcept;
Result<ReadRequest> decode_read_request(Bytes) noexcept;
Result<ReadReply> decode_read_reply(Bytes) noexcept;
Result<CopyRequest> decode_copy_request(Bytes) noexcept;
Result<CopyReply> decode_copy_reply(Bytes) noexcept;

}  // namespace nodex::replication
