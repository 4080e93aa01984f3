// The centre inside the edge process (--standalone): ledger, link and the thread that drives them.
// The gateway cannot tell it from a centre behind NATS: it only sees the agent.
#pragma once
#include "replication/central/central_thread.h"
#include "replication/central/rocks_ledger_store.h"
#include "replication/transport_inproc.h"
#include "storage/store.h"

namespace nodex::core {

class Standalone {
  public:
    // A loop that is woken while the centre works through a batch waits for it to give way, before
    // each write of so many settlements: two tenths of a millisecond.
    static constexpr unsigned settlements_a_write = 16;
    // What a batch costs besides its settlements (seven changes of threads, a read of the outbox, its
    // new mark) is paid by the loops' processor. Nobody but operators waits for it: the money is
    // held here as there, and the outbox is in the same database.
    static constexpr Nanoseconds ship_delay_ns = 25 * millisecond;

    // Tables live in the c_* families of `store`.
    Standalone(storage::Store& store, storage::Durability durability, Clock& clock,
               replication::CentralOptions options);
    // Loads and verifies the ledger (balances against rows), then serves on its own thread.
    Status start() { return centre_.start(true); }
    void stop() { centre_.stop(); }
    [[nodiscard]] replication::Transport& transport() noexcept { return link_.pop(); }

  private:
    replication::RocksLedgerStore ledger_store_;
    replication::InprocLink link_;
    replication::CentralThread centre_;
};

}  // namespace nodex::core
