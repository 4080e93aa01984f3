// A TLS client with knobs that our own deliberately lacks: old versions, other protocols, chosen sessions.
#pragma once
#include <cstdint>
#include <string>

#include "edge/tls/handles.h"
#include "edge/tls/tls_session.h"

namespace nodex::tls::test {

class RawClient {
  public:
    struct Options {
        std::uint16_t version_min = 0x0303;
        std::uint16_t version_max = 0x0304;
        std::string protocols = {};         // ALPN in wire form; empty: no extension
        std::string host = {};              // SNI; empty: no extension
        std::string ciphers = {};           // below TLS 1.3; empty: the library's own
        ssl_session_st* session = nullptr;  // to resume
    };
    explicit RawClient(const Options& options);
    ~RawClient();

    // Runs the handshake, then exchanges one message each way so that tickets arrive. True when all of it
    // worked.
    bool run(Session& server);

    // The alert that ended the handshake as this client received it, or -1.
    [[nodiscard]] int alert() const noexcept { return alert_; }
    [[nodiscard]] bool resumed() const noexcept;
    [[nodiscard]] std::string protocol() const;
    [[nodiscard]] std::string cipher() const;
    // The newest resumable session, or null.
    [[nodiscard]] Handle<ssl_session_st> session() const;

  private:
    bool pump(Session& server);
    Handle<ssl_ctx_st> context_;
    Handle<ssl_st> connection_;
    Handle<ssl_session_st> newest_;
    int alert_ = -1;
    friend struct RawClientAccess;
};

}  // namespace nodex::tls::test
