// One TLS connection as a pure transformation: ciphertext in, ciphertext out, no sockets.
// Loop-thread only.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "edge/base/bytes.h"
#include "edge/base/result.h"
#include "edge/tls/tls_context.h"

namespace nodex::tls {

// handshaking --> open --> closed       (failed from anywhere; terminal)
enum class Phase : std::uint8_t { handshaking, open, closed, failed };
const char* name(Phase phase) noexcept;

class Session {
  public:
    static std::unique_ptr<Session> accept(std::shared_ptr<ServerContext> context);
    // `host` is checked against the certificate and sent as SNI (not for an IP literal, which has
    // no brackets). One that can be neither gives a session that is failed(tls_certificate_invalid)
    // from the start.
    static std::unique_ptr<Session> connect(std::shared_ptr<ClientContext> context,
                                            const std::string& host);
    virtual ~Session() = default;

    [[nodiscard]] virtual Phase phase() const noexcept = 0;

    // Takes received ciphertext (all of it), advances the handshake and appends what can be
    // decrypted to `plaintext`. Client sessions start their handshake at the first feed({}, ..).
    //   peer_closed           close_notify came (what came before is in `plaintext`); phase() stays
    //   open:
    //                         an answer may still be written before close()
    //   tls_handshake_failed  alert, no common parameters, deadline is the caller's
    //   tls_certificate_invalid  (client) chain or host name; the log says why
    //   malformed             (open) a record that was altered or is none
    //   connection_reset      (open) the peer gave up with a fatal alert
    // After an error, output() may still hold an alert to be sent. A failed session repeats its
    // error, a closed one says peer_closed. All errors are of source tls.
    virtual Status feed(Bytes ciphertext, std::string& plaintext) noexcept = 0;

    // Encrypts all of `plaintext` into output(); phase() must be open. One record per call up to 16
    // KiB (the first write of a server carries its session tickets too).
    virtual Status write(Bytes plaintext) noexcept = 0;

    // Appends close_notify to output(). Feed and write are over.
    virtual void close() noexcept = 0;

    // Ciphertext to be sent, in order; the caller moves it out (swap or append and clear).
    [[nodiscard]] virtual std::string& output() noexcept = 0;

    // "TLSv1.3", "" before the handshake; static storage. And whether the session was resumed.
    [[nodiscard]] virtual const char* version() const noexcept = 0;
    [[nodiscard]] virtual bool resumed() const noexcept = 0;
};

}  // namespace nodex::tls
