// Central: the service around the ledger: answers nx.v1.rpc.* requests of POPs and of the admin socket,
// publishes feeds. One apply thread (the one that drives the TransportServer). In nodex-edge --standalone it
// runs in the same process; in nodex-central it stands alone.
#pragma once
#include <memory>
#include <string>

#include "edge/base/clock.h"
#include "edge/base/random.h"
#include "edge/crypto/crypto.h"
#include "replication/central/ledger_store.h"
#include "replication/transport.h"

namespace nodex::replication {

struct CentralOptions {
    crypto::SecretKey key_hash_secret;  // HMAC secret of API keys; the same at every POP
};

class Central {
  public:
    Central(LedgerStore& store, TransportServer& server, Clock& clock, Random& random, CentralOptions options);
    ~Central();
    // Loads, verifies (balances recomputed from rows when `verify_rows`), then serves. corrupt(storage) when they differ.
    Status start(bool verify_rows);
    void tick();  // every 100 ms from the driving thread: lease expiry

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::replication
