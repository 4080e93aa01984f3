// The server side of tls_context.h: certificates by name, and new connections.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/tls/certificate.h"
#include "edge/tls/handles.h"
#include "edge/tls/tls_context.h"

namespace nodex::tls {

class ServerContextImpl final : public ServerContext {
  public:
    ServerContextImpl(std::vector<Certificate> certificates, std::shared_ptr<TicketKeys> ticket_keys);
    ~ServerContextImpl() override;

    // A connection waiting for a ClientHello. This context must outlive it.
    [[nodiscard]] Handle<ssl_st> start() const;
    // For the library's callback: puts the certificate for the client's SNI on `connection`.
    [[nodiscard]] bool select_certificate(ssl_st* connection) const noexcept;

  private:
    struct Entry;
    [[nodiscard]] const Entry& entry_for(std::string_view host) const noexcept;

    std::shared_ptr<TicketKeys> ticket_keys_;  // outlives context_, which points to it
    std::vector<Entry> entries_;               // never empty; the first is used when no name matches
    std::unordered_map<std::string, std::size_t> by_name_;  // exact names, and wildcards as ".example.com"
    Handle<ssl_ctx_st> context_;
};

}  // namespace nodex::tls
