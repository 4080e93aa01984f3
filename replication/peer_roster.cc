// PeerRoster: see the header.
#include "replication/peer_roster.h"

#include "edge/base/log.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds ask_timeout = 2 * second;
constexpr Nanoseconds ask_interval = 30 * second;
constexpr Nanoseconds ask_again = second;  // after a failure

}  // namespace

void PeerRoster::start() {
    started_ = true;
    if (!asking_) ask();
}

void PeerRoster::tick() {
    if (started_ && !asking_ && clock_.now_ns() >= ask_at_ns_) ask();
}

void PeerRoster::ask() {
    asking_ = true;
    link_.request("peers", MessageType::peers_request, {}, ask_timeout,
                  [this](const Result<std::string>& payload) {
                      asking_ = false;
                      const Result<PeersReply> reply = payload
                                                           ? decode_peers_reply(*payload)
                                                           : Result<PeersReply>(payload.error());
                      ask_at_ns_ = clock_.now_ns() + (reply ? ask_interval : ask_again);
                      if (reply) told(*reply);
                  });
}

void PeerRoster::told(const PeersReply& reply) {
    std::map<PopId, Peer> peers;
    for (const PeersReply::Peer& peer : reply.peers) {
        const auto key = open_pair_key(link_.pop(), link_key_, peer.pop, peer.sealed_key);
        if (key)
            peers[peer.pop] = {peer.buddy, *key};
        else
            log::warning("peer_key_refused", {{"pop", raw(peer.pop)}});
    }
    if (peers.size() != peers_.size() || own_buddy_ != reply.buddy)
        log::info("peers_known", {{"count", peers.size()}, {"buddy", raw(reply.buddy)}});
    peers_ = std::move(peers);
    own_buddy_ = reply.buddy;
}

const crypto::SecretKey* PeerRoster::key_of(PopId pop) const noexcept {
    const auto found = peers_.find(pop);
    return found == peers_.end() ? nullptr : &found->second.key;
}

PopId PeerRoster::buddy_of(PopId pop) const noexcept {
    if (pop == link_.pop()) return own_buddy_;
    const auto found = peers_.find(pop);
    return found == peers_.end() ? PopId{} : found->second.buddy;
}

}  // namespace nodex::replication
