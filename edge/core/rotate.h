// `nodex-edge --rotate-node-key`: another node.key for the data of a stopped node, without losing an answer.
//
//   node.key.next made --> rows of account keys rewrapped, batch by batch --> renamed to node.key
//
// Killed at any moment it is started again and goes on from where it was; until it has ended the node refuses
// to start, because rows of both keys may be there.
#pragma once
#include "edge/core/config.h"

namespace nodex::core {

// Errors: bad_configuration (a key file is missing or not private), unavailable (the node is running),
// corrupt (a row that neither key opens), io_failure; the log says which and what to do.
Status rotate_node_key(const Config& config);

// bad_configuration with a log line "key_rotation_unfinished" while node.key.next exists.
Status check_no_rotation(const Config& config);

}  // namespace nodex::core
