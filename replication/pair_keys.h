// Pair keys: what two POPs authenticate each other's messages with. The centre derives a pair's key
// from both link keys, which it alone has, and tells it to each of the two sealed under a key that
// follows from that POP's own link key. So there is no secret more to keep, a POP cannot speak for
// another one, and a changed link key changes the keys of all its pairs.
#pragma once
#include <optional>
#include <utility>
#include <vector>

#include "edge/base/random.h"
#include "edge/crypto/crypto.h"
#include "replication/peer_messages.h"

namespace nodex::replication {

using LinkKeys = std::vector<std::pair<PopId, crypto::SecretKey>>;

// HMAC-SHA-256(link key of the lower POP | of the higher, "nx-pair-v1", lower u16, higher u16).
crypto::SecretKey pair_key(PopId one, const crypto::SecretKey& link_of_one, PopId other,
                           const crypto::SecretKey& link_of_other) noexcept;

// The centre: every other POP and its pair key, sealed for `pop`; whose buddy is which. A POP's
// buddy is the next one in the order of their numbers, the first after the last.
PeersReply peers_of(PopId pop, const LinkKeys& link_keys, Random& random);

// The POP: the key that `sealed` holds; nothing when it is not of this pair or not from the centre.
std::optional<crypto::SecretKey> open_pair_key(PopId pop, const crypto::SecretKey& link_key,
                                               PopId peer, Bytes sealed) noexcept;

}  // namespace nodex::replication
