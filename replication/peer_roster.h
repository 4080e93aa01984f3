// PeerRoster: which other POPs there are, whose copies are where, and the keys of this POP's pairs.
// Asked of the centre at registration and again from time to time; what was told last stays valid
// while the centre cannot be reached.
#pragma once
#include <functional>
#include <map>

#include "replication/pair_keys.h"
#include "replication/pop_link.h"

namespace nodex::replication {

class PeerRoster {
  public:
    PeerRoster(PopLink& link, const crypto::SecretKey& link_key, Clock& clock)
        : link_(link), link_key_(link_key), clock_(clock) {}

    void start();  // registered: asks now
    void tick();

    // Null: no POP that we know of.
    [[nodiscard]] const crypto::SecretKey* key_of(PopId pop) const noexcept;
    // Who has the copies of `pop`'s answers; 0: nobody.
    [[nodiscard]] PopId buddy_of(PopId pop) const noexcept;
    [[nodiscard]] PopId own_buddy() const noexcept { return own_buddy_; }
    [[nodiscard]] std::size_t count() const noexcept { return peers_.size(); }  // of the others

  private:
    void ask();
    void told(const PeersReply& reply);

    struct Peer {
        PopId buddy{};
        crypto::SecretKey key;
    };
    PopLink& link_;
    const crypto::SecretKey link_key_;
    Clock& clock_;
    std::map<PopId, Peer> peers_;
    PopId own_buddy_{};
    bool started_ = false;
    bool asking_ = false;
    Nanoseconds ask_at_ns_ = 0;
};

}  // namespace nodex::replication
