// Central: the service around the ledger: answers nx.v1.rpc.* requests of POPs and of the admin
// socket, publishes feeds. One apply thread (the one that drives the TransportServer). In
// nodex-edge --standalone it runs in the same process (central_thread.h); in nodex-central it
// stands alone.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "edge/base/clock.h"
#include "edge/base/ids.h"
#include "edge/base/limits.h"
#include "edge/base/random.h"
#include "edge/crypto/crypto.h"
#include "replication/central/commands.h"
#include "replication/central/ledger_store.h"
#include "replication/planted_bug.h"
#include "replication/transport.h"

namespace nodex::replication {

// The POPs that may speak, each with the key of its MACs (AgentOptions::link_key at the POP).
using LinkKeys = std::vector<std::pair<PopId, crypto::SecretKey>>;

struct CentralOptions {
    crypto::SecretKey key_hash_secret;  // HMAC secret of API keys; the same at every POP
    LinkKeys link_keys;
    PlantedBug planted_bug = PlantedBug::none;
    // Wraps the accounts' body keys. Given, or else read from (at the first start: made in) the
    // file `root_key_path`. Neither: no body keys are given out (simulator).
    std::optional<crypto::SecretKey> root_key;
    std::string root_key_path;
    Nanoseconds lease_term = limits::lease_ttl;  // how long a POP spends without hearing of us
    Commanders commanders;                       // nobody: it serves, and cannot be operated
    ShipPieces ship_pieces{};                    // a batch is one write
};

struct CentralStats;  // central_stats.h

class Central {
  public:
    Central(LedgerStore& store, TransportServer& server, Clock& clock, Random& random,
            CentralOptions options);
    ~Central();
    // Loads, verifies (balances recomputed from rows when `verify_rows`), then serves.
    // corrupt(storage) when they differ. bad_configuration: the root key is missing, or not the one
    // that this ledger's body keys are wrapped by (log line "root_key_refused").
    Status start(bool verify_rows);
    void tick();  // every 100 ms from the driving thread: lease expiry
    // From now on these; a POP that is no longer among them is not heard.
    void replace_pops(LinkKeys keys, Commanders commanders);
    // Valid as long as this; any thread may read.
    [[nodiscard]] const CentralStats& stats() const noexcept;
    // The store failed: nothing is answered any more, and nothing that was answered is lost.
    [[nodiscard]] bool failed() const noexcept;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::replication
