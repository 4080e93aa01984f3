// Ledger::Holder: the account or key whose money a lease holds, behind one face for
// ledger_leases.cc and ledger_settle.cc.
#pragma once
#include "replication/central/ledger.h"

namespace nodex::replication {

struct Ledger::Holder {
    std::optional<ledger::Account> account;  // exactly one of the two
    std::optional<ledger::Key> key;
    bool may_grow = false;  // grants are allowed
    Nano free = 0;          // not held and not spent
};

}  // namespace nodex::replication
