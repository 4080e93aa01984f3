// Listening sockets, made at start-up before privileges are dropped: plain system calls, no loop.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "edge/connection/acceptor.h"

namespace nodex {
namespace {

constexpr Bytes unix_prefix = "unix:";
constexpr Error bad_address{.code = ErrorCode::bad_configuration, .source = ErrorSource::configuration};

Error os_error() noexcept {
    const ErrorCode code =
        errno == EMFILE || errno == ENFILE ? ErrorCode::out_of_descriptors : ErrorCode::io_failure;
    return {.code = code, .source = ErrorSource::kernel, .os_errno = errno};
}

Error close_with(int fd, Error error) noexcept {
    ::close(fd);
    return error;
}

// "host:port" or "[host]:port", numeric only: a name could mean another machine tomorrow.
Result<SocketAddress> parse_tcp(Bytes text) noexcept {
    const std::size_t colon = text.rfind(':');
    if (colon == Bytes::npos) return bad_address;
    const std::optional<std::uint64_t> port = parse_decimal(text.substr(colon + 1));
    if (!port || *port > 65'535) return bad_address;
    Bytes host = text.substr(0, colon);
    SocketAddress address;
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
        sockaddr_in6 ipv6{};
        ipv6.sin6_family = AF_INET6;
        ipv6.sin6_port = htons(static_cast<std::uint16_t>(*port));
        const std::string name(host.substr(1, host.size() - 2));
        if (inet_pton(AF_INET6, name.c_str(), &ipv6.sin6_addr) != 1) return bad_address;
        std::memcpy(&address.storage, &ipv6, sizeof ipv6);
        address.size = sizeof ipv6;
        return address;
    }
    sockaddr_in ipv4{};
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(static_cast<std::uint16_t>(*port));
    if (inet_pton(AF_INET, std::string(host).c_str(), &ipv4.sin_addr) != 1) return bad_address;
    std::memcpy(&address.storage, &ipv4, sizeof ipv4);
    address.size = sizeof ipv4;
    return address;
}

Result<SocketAddress> parse_unix(Bytes path) noexcept {
    sockaddr_un name{};
    if (path.empty() || path.front() != '/' || path.size() >= sizeof name.sun_path) return bad_address;
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.data(), path.size());
    SocketAddress address;
    std::memcpy(&address.storage, &name, sizeof name);
    address.size = sizeof name;
    return address;
}

// A socket file that an earlier run left behind; anything else in its place is a mistake to be told.
Status remove_stale(Bytes path) noexcept {
    const std::string name(path);
    struct stat status {};
    if (::lstat(name.c_str(), &status) != 0) return {};
    if (!S_ISSOCK(status.st_mode)) return bad_address;
    if (::unlink(name.c_str()) != 0) return os_error();
    return {};
}

Status set_on(int fd, int level, int option) noexcept {
    const int on = 1;
    if (::setsockopt(fd, level, option, &on, sizeof on) != 0) return os_error();
    return {};
}

// Accepted sockets inherit it. Without it the kernel takes up to tcp_wmem (4 MiB) for a reader that has
// stopped, out of memory that no limit of ours counts. What has left but is not acknowledged is not counted.
Status limit_unsent(int fd) noexcept {
    const int bytes = static_cast<int>(limits::kernel_unsent_bytes_max);
    if (::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes) != 0) return os_error();
    return {};
}

}  // namespace

Result<int> listen_on(Bytes address_text) noexcept {
    const bool is_unix = address_text.substr(0, unix_prefix.size()) == unix_prefix;
    const Bytes path = is_unix ? address_text.substr(unix_prefix.size()) : Bytes();
    Result<SocketAddress> address = is_unix ? parse_unix(path) : parse_tcp(address_text);
    if (!address) return address.error();
    const int family = address->storage.ss_family;
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return os_error();
    Status status;
    if (is_unix) {
        status = remove_stale(path);
        // On the socket, before it has a name: there is no moment in which others may connect.
        if (status && ::fchmod(fd, S_IRUSR | S_IWUSR) != 0) status = os_error();
    } else {
        for (const int option : {SO_REUSEADDR, SO_REUSEPORT})
            if (status) status = set_on(fd, SOL_SOCKET, option);
        if (status) status = limit_unsent(fd);
        if (status && family == AF_INET6) status = set_on(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    }
    if (!status) return close_with(fd, status.error());
    if (::bind(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->size) != 0)
        return close_with(fd, os_error());
    if (::listen(fd, limits::listen_backlog) != 0) return close_with(fd, os_error());
    return fd;
}

Status check_address_free(Bytes address_text) noexcept {
    if (address_text.substr(0, unix_prefix.size()) == unix_prefix) return {};
    const Result<SocketAddress> address = parse_tcp(address_text);
    if (!address) return address.error();
    const int fd = ::socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return os_error();
    Status status = set_on(fd, SOL_SOCKET, SO_REUSEADDR);  // past connections in TIME_WAIT do not count
    if (status && ::bind(fd, reinterpret_cast<const sockaddr*>(&address->storage), address->size) != 0)
        status = os_error();
    ::close(fd);
    return status;
}

std::uint16_t local_port(int listener) noexcept {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    NX_ASSERT(::getsockname(listener, reinterpret_cast<sockaddr*>(&storage), &size) == 0);
    if (storage.ss_family == AF_INET) {
        sockaddr_in ipv4;
        std::memcpy(&ipv4, &storage, sizeof ipv4);
        return ntohs(ipv4.sin_port);
    }
    NX_ASSERT(storage.ss_family == AF_INET6);
    sockaddr_in6 ipv6;
    std::memcpy(&ipv6, &storage, sizeof ipv6);
    return ntohs(ipv6.sin6_port);
}

}  // namespace nodex
