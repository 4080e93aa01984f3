// The client side of tls_context.h: trust, and new connections with their host checked.
#pragma once
#include <string>

#include "edge/tls/handles.h"
#include "edge/tls/session_cache.h"
#include "edge/tls/tls_context.h"

namespace nodex::tls {

class ClientContextImpl final : public ClientContext {
  public:
    explicit ClientContextImpl(Handle<ssl_ctx_st> context);

    // A connection that will accept only a certificate for `host` (DNS name, or IP literal without brackets);
    // null when `host` can be neither. This context must outlive it.
    [[nodiscard]] Handle<ssl_st> start(const std::string& host);
    [[nodiscard]] SessionCache& sessions() noexcept { return sessions_; }

  private:
    SessionCache sessions_;
    Handle<ssl_ctx_st> context_;
};

// The host given to start(); valid as long as the connection.
const std::string& host_of(const ssl_st* connection) noexcept;

}  // namespace nodex::tls
