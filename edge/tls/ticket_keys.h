// What BoringSSL needs of TicketKeys (tls_context.h).
#pragma once
#include "edge/tls/handles.h"
#include "edge/tls/tls_context.h"

namespace nodex::tls {

struct TicketKeysAccess {
    using State = TicketKeys::State;
    // Makes `context` seal and open its tickets with `keys`, which must outlive every connection of it.
    static void install(ssl_ctx_st* context, TicketKeys& keys);
    static State& state(TicketKeys& keys) noexcept { return *keys.state_; }
};

}  // namespace nodex::tls
