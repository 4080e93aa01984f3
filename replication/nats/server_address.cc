// Parsing of the URL, and the look at a server's INFO line.
#include "replication/nats/server_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>

#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

constexpr Bytes scheme = "nats://";

Error refused() noexcept {
    return {ErrorCode::bad_configuration, ErrorSource::configuration};
}

// The socket address of a numeric loopback host; length 0: it is none.
struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t length = 0;
};
SocketAddress loopback(const std::string& host, std::uint16_t port) noexcept {
    SocketAddress result;
    in_addr four{};
    in6_addr six{};
    if (inet_pton(AF_INET, host.c_str(), &four) == 1 && (ntohl(four.s_addr) >> 24) == 127) {
        auto& address = reinterpret_cast<sockaddr_in&>(result.storage);
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr = four;
        result.length = sizeof address;
    } else if (inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six)) {
        auto& address = reinterpret_cast<sockaddr_in6&>(result.storage);
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        address.sin6_addr = six;
        result.length = sizeof address;
    }
    return result;
}

struct Socket {
    explicit Socket(int descriptor) noexcept : fd(descriptor) {}
    ~Socket() {
        if (fd >= 0) ::close(fd);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    const int fd;
};

// True when `events` came before the deadline.
bool wait_for(int fd, short events, Nanoseconds until_ns) noexcept {
    const Nanoseconds left = until_ns - system_clock().now_ns();
    pollfd descriptor{fd, events, 0};
    return left > 0 && ::poll(&descriptor, 1, static_cast<int>(left / millisecond) + 1) == 1;
}

// The first line that the server sends, without its end; empty: none came.
std::string first_line(int fd, Nanoseconds until_ns) {
    std::string line;
    while (line.size() < limits::nats_info_bytes_max && wait_for(fd, POLLIN, until_ns)) {
        char buffer[4'096];
        const ssize_t count = ::recv(fd, buffer, sizeof buffer, 0);
        if (count <= 0) break;
        line.append(buffer, static_cast<std::size_t>(count));
        if (const std::size_t end = line.find("\r\n"); end != std::string::npos)
            return line.substr(0, end);
    }
    return {};
}

}  // namespace

std::string ServerAddress::text() const {
    const bool six = host.find(':') != std::string::npos;
    return std::string(scheme) + (six ? "[" : "") + host + (six ? "]:" : ":") +
           std::to_string(port);
}

Result<ServerAddress> parse_server_address(Bytes url, std::string& problem) {
    if (url.starts_with("tls://")) {
        problem =
            "tls:// is refused: TLS inside libnats (OpenSSL) and this program's BoringSSL have "
            "equal symbol names and crash together; name the local nats-server by "
            "nats://user:password@127.0.0.1:4222 and let its leaf node speak TLS to the hub";
        return refused();
    }
    if (!url.starts_with(scheme) || url.find_first_of(", \t") != Bytes::npos) {
        problem = "write one nats://user:password@127.0.0.1:4222";
        return refused();
    }
    ServerAddress address;
    address.url = std::string(url);
    Bytes rest = url.substr(scheme.size());
    if (const std::size_t at = rest.rfind('@'); at != Bytes::npos) rest = rest.substr(at + 1);
    Bytes port;
    if (rest.starts_with('[')) {
        const std::size_t end = rest.find(']');
        if (end != Bytes::npos) address.host = std::string(rest.substr(1, end - 1));
        if (end != Bytes::npos) port = rest.substr(end + 1);
    } else {
        const std::size_t colon = std::min(rest.find(':'), rest.size());
        address.host = std::string(rest.substr(0, colon));
        port = rest.substr(colon);
    }
    if (!port.empty()) {
        const auto parsed =
            std::from_chars(port.data() + 1, port.data() + port.size(), address.port);
        if (port[0] != ':' || parsed.ec != std::errc{} || parsed.ptr != port.data() + port.size() ||
            address.port == 0) {
            problem = "the port is not a number from 1 to 65535";
            return refused();
        }
    }
    if (loopback(address.host, address.port).length == 0) {
        problem =
            "only a numeric loopback address (127.0.0.1, [::1]) is allowed: the connection is "
            "plain, so it must not leave this machine; run a nats-server as leaf node here and "
            "let it speak mutual TLS to the hub (deploy/nats)";
        return refused();
    }
    return address;
}

TlsDemand ask_tls_demand(const ServerAddress& address, Nanoseconds timeout_ns) noexcept {
    const Nanoseconds until_ns = system_clock().now_ns() + timeout_ns;
    const SocketAddress target = loopback(address.host, address.port);
    NX_ASSERT(target.length > 0);
    const Socket socket(::socket(target.storage.ss_family,
                                 SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
    if (socket.fd < 0) return TlsDemand::unreachable;
    if (::connect(socket.fd, reinterpret_cast<const sockaddr*>(&target.storage), target.length) !=
            0 &&
        (errno != EINPROGRESS || !wait_for(socket.fd, POLLOUT, until_ns)))
        return TlsDemand::unreachable;
    const std::string info = first_line(socket.fd, until_ns);
    if (!info.starts_with("INFO ")) return TlsDemand::unreachable;
    // The server writes its JSON without blanks; one that adds some is refused as well.
    std::string dense;
    for (const char letter : info)
        if (letter != ' ') dense += letter;
    return dense.find("\"tls_required\":true") == std::string::npos ? TlsDemand::none
                                                                    : TlsDemand::required;
}

}  // namespace nodex::replication
