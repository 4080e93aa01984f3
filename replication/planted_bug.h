// Planted bugs: single rules of the protocol that the simulator switches off to prove that its
// checkers would see their absence. Everything outside tests/sim passes `none`.
#pragma once
#include <cstdint>

namespace nodex::replication {

enum class PlantedBug : std::uint8_t {
    none,
    delta_grants,  // POP: the grant of a reply is added to what it has, instead of being the new
                   // total
    forgotten_returns,   // POP: what its disk forgot that it gave back is spent again
    no_key_dedup,        // centre: a second execution of an idempotency key is charged too
    new_use_by_arrival,  // centre: what arrives after the time of its key's answer is a new use
    no_sequence_check,   // centre: a shipped batch is applied wherever it starts
    truncate_on_send,    // POP: the outbox is truncated when it was sent, not when the ledger has
                         // applied it
    grant_held_claims,   // centre: a key that another POP holds is granted all the same
    release_any_claim,   // centre: whoever asks may free a key
    takeover_of_the_living,  // centre: an owner counts as dead however lately it spoke
    accept_old_epoch,   // POP and centre: what a ledger of before a restore says and is told counts
    hint_without_look,  // POP: a hint releases the claim without a look whether the request is here
    silence_while_away,  // centre: a POP counts as silent for the time when nobody listened to it
    reuse_incarnation,   // centre: a POP with a new disk goes on as the one it had
    trust_any_disk,      // centre and POP: nobody compares the chains of the outbox and the ledger
    early_reclaim,       // centre: a lease is closed before the POP's term is over
    no_reclaim,          // centre: a lease whose POP is gone is never closed
    forgotten_shreds,    // centre: an order to destroy body keys does not reach the POPs
    repeated_key_numbers,  // centre: body keys of a restored ledger go on from its last number
    hasty_key_retention,   // centre: every body key that it does not know itself may go
};

}  // namespace nodex::replication
