// Puts the parts of a standalone node's centre together.
#include "edge/core/standalone.h"

#include "edge/crypto/crypto.h"

namespace nodex::core {

Standalone::Standalone(storage::Store& store, storage::Durability durability, Clock& clock,
                       replication::CentralOptions options)
    : ledger_store_(store, durability),
      link_(clock),
      centre_(ledger_store_, link_.centre(), clock, crypto::secure_random(), std::move(options)) {}

}  // namespace nodex::core
