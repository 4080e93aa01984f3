// Puts the parts of a standalone node's centre together.
#include "edge/core/standalone.h"

namespace nodex::core {
namespace {

replication::CentralOptions options_for(PopId pop, const crypto::SecretKey& key_hash_secret,
                                        const crypto::SecretKey& link_key) {
    replication::CentralOptions options;
    options.key_hash_secret = key_hash_secret;
    options.link_keys.emplace_back(pop, link_key);
    return options;
}

}  // namespace

Standalone::Standalone(storage::Store& store, storage::Durability durability, Clock& clock,
                       PopId pop, crypto::SecretKey key_hash_secret, crypto::SecretKey link_key)
    : ledger_store_(store, durability),
      link_(clock),
      centre_(ledger_store_, link_.centre(), clock, crypto::secure_random(),
              options_for(pop, key_hash_secret, link_key)) {}

}  // namespace nodex::core
