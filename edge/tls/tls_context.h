// TLS configuration, server and client side. BoringSSL is visible in edge/crypto and edge/tls .cc
// files only.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "edge/base/clock.h"
#include "edge/base/random.h"
#include "edge/base/result.h"

namespace nodex::tls {

// One certificate chain (PEM) and its private key (PEM), for the DNS names it contains.
struct CertificateFiles {
    std::string chain_path;
    std::string key_path;
};

// Keys that seal session tickets: shared by every core (and by successive ServerContexts across a
// reload), rotated every 12 h with the previous key still accepted, so a ticket lives 24 h at most.
// Rotation happens at use; rotate_if_due() is for a node without traffic, whose old key would
// otherwise stay in memory. Thread-safe; `random` and `clock` must be too, and outlive it.
class TicketKeys {
  public:
    TicketKeys(Random& random, Clock& clock);
    ~TicketKeys();
    void rotate_if_due();

  private:
    friend class ServerContextImpl;
    friend struct TicketKeysAccess;
    struct State;
    std::unique_ptr<State> state_;
};

// What a server offers: TLS 1.2 and 1.3, ECDHE with AEAD only, X25519 and P-256, no SHA-1
// signatures, ALPN http/1.1 with a fatal alert on mismatch, no 0-RTT, no renegotiation, tickets.
// Certificates are chosen by SNI (exact, then wildcard one label deep), the first one when nothing
// matches. Immutable: a reload makes a new one.
class ServerContext {
  public:
    // Errors: bad_configuration(configuration) with the reason in the log (unreadable file, key
    // that does not match, key file readable by group or others).
    static Result<std::shared_ptr<ServerContext>> create(
        const std::vector<CertificateFiles>& certificates, std::shared_ptr<TicketKeys> ticket_keys);
    virtual ~ServerContext() = default;
};

// What we ask of providers: TLS 1.2 or 1.3, chain verified against the CA store, host name (or
// address) checked, SNI, ALPN http/1.1, session reuse per host.
struct ClientOptions {
    std::string ca_file;  // empty: the system store (/etc/ssl/certs/ca-certificates.crt)
};
class ClientContext {
  public:
    static Result<std::shared_ptr<ClientContext>> create(const ClientOptions& options);
    virtual ~ClientContext() = default;
};

}  // namespace nodex::tls
