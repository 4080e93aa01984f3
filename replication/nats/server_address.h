// Where the local nats-server is. Only plain nats:// to a loopback address: TLS between hosts is
// the server's business (leaf node and hub), never libnats's, whose OpenSSL has the names of our
// BoringSSL.
#pragma once
#include <cstdint>
#include <string>

#include "edge/base/bytes.h"
#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex::replication {

struct ServerAddress {
    std::string url;   // as configured: may hold a user and a password, never logged
    std::string host;  // numeric: 127.0.0.1, ::1
    std::uint16_t port = 4222;
    [[nodiscard]] std::string text() const;  // for logs: without user and password
};

// bad_configuration(configuration); `problem` is a sentence that says why and what to do.
Result<ServerAddress> parse_server_address(Bytes url, std::string& problem);

// What a nats-server says first (INFO) about TLS.
enum class TlsDemand : std::uint8_t {
    none,
    required,     // libnats would begin TLS at once: it must not connect
    unreachable,  // nobody answers there, or not in NATS's protocol
};
// Opens a socket of its own, reads the first line, closes it. Blocks, at most `timeout_ns`.
TlsDemand ask_tls_demand(const ServerAddress& address, Nanoseconds timeout_ns) noexcept;

}  // namespace nodex::replication
