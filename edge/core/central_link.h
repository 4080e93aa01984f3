// A POP's link to a centre of its own: the local nats-server, and the key of this POP's MACs.
#pragma once
#include <memory>

#include "edge/core/config.h"
#include "edge/crypto/crypto.h"
#include "replication/nats/nats_transport.h"

namespace nodex::core {

struct CentralConnection {
    std::unique_ptr<replication::NatsTransport> transport;
    crypto::SecretKey link_key;
};

// Connects in the background. bad_configuration, with a log line that says what to do, when
// [central] is missing or its key file is not ours alone.
Result<CentralConnection> open_central_link(const Config& config, Clock& clock);

}  // namespace nodex::core
