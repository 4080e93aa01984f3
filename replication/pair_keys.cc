// Pair keys: see the header.
#include "replication/pair_keys.h"

#include <algorithm>

#include "edge/base/codec.h"
#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

constexpr Bytes pair_label = "nx-pair-v1";
constexpr Bytes sealing_label = "nx-pair-sealing-v1";

crypto::SecretKey sealing_key(const crypto::SecretKey& link_key) noexcept {
    return crypto::SecretKey(crypto::view(crypto::hmac_sha256(link_key.view(), sealing_label)));
}

// What a sealed pair key is bound to: who may open it, and for talking to whom.
std::string sealing_context(PopId pop, PopId peer) {
    std::string context(pair_label);
    ByteWriter writer(context);
    writer.integer(pop);
    writer.integer(peer);
    return context;
}

// 0 when there is no other.
PopId buddy_of(PopId pop, const LinkKeys& link_keys) noexcept {
    PopId first{}, next{};
    for (const auto& [each, key] : link_keys) {
        if (each == pop) continue;
        if (first == PopId{} || each < first) first = each;
        if (each > pop && (next == PopId{} || each < next)) next = each;
    }
    return next == PopId{} ? first : next;
}

}  // namespace

crypto::SecretKey pair_key(PopId one, const crypto::SecretKey& link_of_one, PopId other,
                           const crypto::SecretKey& link_of_other) noexcept {
    NX_ASSERT(one != other);
    if (one > other) return pair_key(other, link_of_other, one, link_of_one);
    std::string secret(link_of_one.view());
    secret += link_of_other.view();
    const crypto::Sha256 key = crypto::hmac_sha256(secret, sealing_context(one, other));
    crypto::cleanse(secret.data(), secret.size());
    return crypto::SecretKey(crypto::view(key));
}

PeersReply peers_of(PopId pop, const LinkKeys& link_keys, Random& random) {
    PeersReply reply;
    const auto own = std::find_if(link_keys.begin(), link_keys.end(),
                                  [pop](const auto& each) { return each.first == pop; });
    if (own == link_keys.end()) return reply;
    reply.buddy = buddy_of(pop, link_keys);
    const crypto::SecretKey sealing = sealing_key(own->second);
    for (const auto& [peer, link_key] : link_keys) {
        if (peer == pop || reply.peers.size() >= limits::peers_max) continue;
        const crypto::SecretKey key = pair_key(pop, own->second, peer, link_key);
        reply.peers.push_back({peer, buddy_of(peer, link_keys),
                               crypto::wrap_key(sealing, key, sealing_context(pop, peer), random)});
    }
    return reply;
}

std::optional<crypto::SecretKey> open_pair_key(PopId pop, const crypto::SecretKey& link_key,
                                               PopId peer, Bytes sealed) noexcept {
    return crypto::unwrap_key(sealing_key(link_key), sealed, sealing_context(pop, peer));
}

}  // namespace nodex::replication
