// Planted bugs: single rules of the protocol that the simulator switches off to prove that its
// checkers would see their absence. Everything outside tests/sim passes `none`.
#pragma once
#include <cstdint>

namespace nodex::replication {

enum class PlantedBug : std::uint8_t {
    none,
    delta_grants,  // POP: the grant of a reply is added to what it has, instead of being the new
                   // total
    no_key_dedup,  // centre: a second execution of an idempotency key is charged too
    no_sequence_check,  // centre: a shipped batch is applied wherever it starts
    truncate_on_send,   // POP: the outbox is truncated when it was sent, not when the ledger has
                        // applied it
    grant_held_claims,  // centre: a key that another POP holds is granted all the same
    release_any_claim,  // centre: whoever asks may free a key
    takeover_of_the_living,  // centre: an owner counts as dead however lately it spoke
    accept_old_epoch,   // POP and centre: what a ledger of before a restore says and is told counts
    hint_without_look,  // POP: a hint releases the claim without a look whether the request is here
};

}  // namespace nodex::replication
