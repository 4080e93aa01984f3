// The TLS parameters we accept, the same as server and as client except where named.
#pragma once
#include <string>

#include "edge/tls/handles.h"

namespace nodex::tls {

enum class Role : std::uint8_t { server, client };

// A new SSL_CTX with: TLS 1.2 and 1.3; ECDHE with AES-GCM or ChaCha20-Poly1305; X25519 and P-256 (as client
// P-384 too: in TLS 1.2 it also limits the certificates of providers); no SHA-1 signatures; no session cache
// of the library's own; no 0-RTT, no renegotiation.
Handle<ssl_ctx_st> make_context(Role role);

// The place in an SSL_CTX (ex_data) of the object of ours that made it.
int owner_index() noexcept;

// The oldest entry of this thread's BoringSSL error queue, in its own words, and empties the queue.
std::string take_error_text();

}  // namespace nodex::tls
