// The centre inside the edge process (--standalone): ledger, link and a thread that drives them. The gateway
// cannot tell it from a centre behind NATS: it only sees the agent.
#pragma once
#include <atomic>
#include <memory>
#include <thread>

#include "edge/crypto/crypto.h"
#include "replication/central/central.h"
#include "replication/central/rocks_ledger_store.h"
#include "replication/thread_mailbox.h"
#include "replication/transport_inproc.h"
#include "storage/store.h"

namespace nodex::core {

class Standalone {
  public:
    // Tables live in the c_* families of `store`.
    Standalone(storage::Store& store, storage::Durability durability, Clock& clock, PopId pop,
               crypto::SecretKey key_hash_secret, crypto::SecretKey link_key);
    ~Standalone();
    // Loads and verifies the ledger (balances against rows), then serves on its own thread.
    Status start();
    void stop();
    [[nodiscard]] replication::Transport& transport() noexcept { return link_.pop(); }

  private:
    void run() noexcept;

    replication::RocksLedgerStore ledger_store_;
    replication::InprocLink link_;
    replication::Central central_;
    replication::ThreadMailbox mailbox_;
    std::atomic<bool> stopping_{false};
    std::thread thread_;
};

}  // namespace nodex::core
