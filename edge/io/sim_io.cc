// Byte pipes between simulated sockets. An operation in flight is looked at once a round; what it may do
// depends on its socket alone, so the rounds are easy to follow and always come out the same.
#include "edge/io/sim_io.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "edge/base/limits.h"
#include "edge/io/completion_access.h"

namespace nodex {
namespace {

using Access = CompletionAccess;

bool equal(const SocketAddress& left, const SocketAddress& right) noexcept {
    return left.size == right.size && std::memcmp(&left.storage, &right.storage, left.size) == 0;
}

}  // namespace

SimIo::Socket& SimIo::socket(int fd) noexcept {
    const auto found = sockets_.find(fd);
    NX_ASSERT(found != sockets_.end());  // EBADF: closed, or never opened
    return found->second;
}

int SimIo::add_socket(Socket socket) noexcept {
    const int fd = next_fd_++;
    sockets_.emplace(fd, std::move(socket));
    return fd;
}

Result<int> SimIo::listen(const SocketAddress& address) noexcept {
    if (listener_of(address) != nobody) return Error{ErrorCode::already_exists, ErrorSource::self};
    Socket made;
    made.kind = Kind::listener;
    made.address = address;
    return add_socket(std::move(made));
}

int SimIo::listener_of(const SocketAddress& address) const noexcept {
    for (const auto& [fd, candidate] : sockets_)
        if (candidate.kind == Kind::listener && !candidate.shut && equal(candidate.address, address))
            return fd;
    return nobody;
}

Result<int> SimIo::open_socket(const SocketAddress&) noexcept {
    if (sockets_.size() >= descriptors_max_)
        return Error{ErrorCode::out_of_descriptors, ErrorSource::kernel, true, EMFILE};
    return add_socket({});
}

SocketAddress SimIo::peer_of(int fd) noexcept {
    const Socket& asked = socket(fd);
    return asked.kind == Kind::stream ? asked.address : SocketAddress{};
}

void SimIo::reset(int fd) noexcept {
    Socket& one = socket(fd);
    one.was_reset = true;
    one.inbound.clear();
    if (one.peer == nobody) return;
    Socket& other = socket(one.peer);
    other.was_reset = true;
    other.inbound.clear();
}

void SimIo::accept(Completion& completion, int listener, Continuation next) noexcept {
    NX_ASSERT(socket(listener).kind == Kind::listener);
    Access::begin(completion, Operation::accept, listener, next);
    begin(completion);
}
void SimIo::recv(Completion& completion, int fd, Continuation next) noexcept {
    NX_ASSERT(socket(fd).kind == Kind::stream);
    Access::begin(completion, Operation::recv, fd, next);
    begin(completion);
}
void SimIo::send(Completion& completion, int fd, Bytes source, Continuation next) noexcept {
    NX_ASSERT(socket(fd).kind == Kind::stream);
    Access::begin_send(completion, fd, source, next);
    begin(completion);
}
void SimIo::connect(Completion& completion, int fd, const SocketAddress& address,
                    Continuation next) noexcept {
    NX_ASSERT(socket(fd).kind == Kind::fresh);
    Access::begin(completion, Operation::connect, fd, next);
    targets_[&completion] = address;
    begin(completion);
}
void SimIo::close(Completion& completion, int fd, Continuation next) noexcept {
    NX_ASSERT(sockets_.contains(fd));
    Access::begin(completion, Operation::close, fd, next);
    begin(completion);
}

void SimIo::cancel(Completion& completion) noexcept { (void)Access::ask_cancel(completion); }

void SimIo::shutdown(int fd) noexcept {
    Socket& shut = socket(fd);
    shut.shut = true;
    send_end(shut);
}
void SimIo::end_sending(int fd) noexcept { send_end(socket(fd)); }
void SimIo::reset_on_close(int fd) noexcept { socket(fd).reset_on_close = true; }

void SimIo::send_end(Socket& from) noexcept {
    from.ended = true;
    if (from.peer != nobody) socket(from.peer).peer_ended = true;
}

std::uint32_t SimIo::run_round() noexcept {
    // An operation ends only by its own run(), so everything in this copy is still in flight at its turn.
    const std::vector<Completion*> round = pending_;
    std::uint32_t results = 0;
    for (Completion* completion : round) results += run(*completion);
    return results;
}

std::uint32_t SimIo::run(Completion& completion) noexcept {
    if (Access::cancel_wanted(completion) && Access::operation(completion) != Operation::close)
        return run_cancel(completion);
    switch (Access::operation(completion)) {
        case Operation::accept: return run_accept(completion);
        case Operation::recv: return run_recv(completion);
        case Operation::send: return run_send(completion);
        case Operation::connect: return run_connect(completion);
        case Operation::close: return run_close(completion);
        case Operation::none: break;
    }
    assert_failed("an operation in flight", __FILE__, __LINE__);
}

void SimIo::end(Completion& completion, std::int32_t result) noexcept {
    std::erase(pending_, &completion);
    const bool asked = Access::cancel_wanted(completion);
    Access::end(completion, result);
    if (asked) Access::cancel_answered(completion);
}

std::uint32_t SimIo::run_cancel(Completion& completion) noexcept {
    targets_.erase(&completion);
    end(completion, -ECANCELED);
    return 1;
}

std::uint32_t SimIo::run_accept(Completion& completion) noexcept {
    Socket& listener = socket(Access::fd(completion));
    std::uint32_t results = 0;
    while (!listener.backlog.empty() && !listener.shut && !Access::cancel_wanted(completion)) {
        if (sockets_.size() > descriptors_max_) {
            end(completion, -EMFILE);
            return results + 1;
        }
        const int fd = listener.backlog.front();
        listener.backlog.pop_front();
        Access::deliver(completion, fd, {});
        ++results;
    }
    if (!listener.shut) return results;
    end(completion, -ECANCELED);
    return results + 1;
}

std::uint32_t SimIo::run_recv(Completion& completion) noexcept {
    const int fd = Access::fd(completion);
    Socket& from = socket(fd);
    std::uint32_t results = 0;
    while (!from.inbound.empty() && !from.shut && from.arrives_ns <= clock_.now_ns()) {
        if (Access::cancel_wanted(completion)) return results;
        if (drawn(faults_.reset_percent)) reset(fd);
        if (from.was_reset) break;
        if (drawn(faults_.no_buffers_percent)) {
            stats_.buffers_exhausted.fetch_add(1, std::memory_order_relaxed);
            end(completion, -ENOBUFS);
            return results + 1;
        }
        std::size_t size = std::min(from.inbound.size(), limits::recv_buffer_bytes);
        if (drawn(faults_.split_percent)) size = 1 + static_cast<std::size_t>(random_.below(size));
        const std::string part = from.inbound.substr(0, size);
        from.inbound.erase(0, size);
        Access::deliver(completion, static_cast<std::int32_t>(size), part);
        ++results;
    }
    if (Access::cancel_wanted(completion)) return results;
    if (from.was_reset)
        end(completion, -ECONNRESET);
    else if (from.shut || (from.inbound.empty() && from.peer_ended && from.arrives_ns <= clock_.now_ns()))
        end(completion, 0);
    else
        return results;
    return results + 1;
}

std::uint32_t SimIo::run_send(Completion& completion) noexcept {
    const int fd = Access::fd(completion);
    Socket& from = socket(fd);
    if (drawn(faults_.reset_percent)) reset(fd);
    if (from.was_reset || from.ended || from.peer == nobody) {
        end(completion, from.was_reset ? -ECONNRESET : -EPIPE);
        return 1;
    }
    Socket& to = socket(from.peer);
    const Bytes rest = Access::to_send(completion);
    const std::size_t room = pipe_bytes_ - std::min(pipe_bytes_, to.inbound.size());
    std::size_t size = std::min(rest.size(), room);
    if (size == 0) return 0;
    if (drawn(faults_.short_send_percent)) size = 1 + static_cast<std::size_t>(random_.below(size));
    if (drawn(faults_.delay_percent)) {
        const auto delay =
            static_cast<Nanoseconds>(random_.below(static_cast<std::uint64_t>(faults_.delay_max_ns)));
        to.arrives_ns = std::max(to.arrives_ns, clock_.now_ns() + delay);
    }
    to.inbound.append(rest.substr(0, size));
    Access::took(completion, size);
    if (Access::to_send(completion).empty()) end(completion, static_cast<std::int32_t>(completion.sent()));
    return 1;
}

std::uint32_t SimIo::run_connect(Completion& completion) noexcept {
    const auto target = targets_.find(&completion);
    NX_ASSERT(target != targets_.end());
    const SocketAddress address = target->second;
    targets_.erase(target);
    const int listener = listener_of(address);
    if (listener == nobody) {
        end(completion, -ECONNREFUSED);
        return 1;
    }
    const int client_fd = Access::fd(completion);
    Socket server;
    server.kind = Kind::stream;
    server.address = address;  // everybody lives on one host
    server.peer = client_fd;
    const int server_fd = add_socket(std::move(server));
    Socket& client = socket(client_fd);
    client.kind = Kind::stream;
    client.address = address;
    client.peer = server_fd;
    socket(listener).backlog.push_back(server_fd);
    end(completion, 0);
    return 1;
}

// As TCP does: unread bytes, or reset_on_close(), make it a reset for the other end.
std::uint32_t SimIo::run_close(Completion& completion) noexcept {
    const int fd = Access::fd(completion);
    Socket& closed = socket(fd);
    if (closed.peer != nobody) {
        Socket& other = socket(closed.peer);
        if (closed.reset_on_close || !closed.inbound.empty()) {
            other.was_reset = true;
            other.inbound.clear();
        }
        other.peer_ended = true;
        other.peer = nobody;
    }
    const std::deque<int> unaccepted = std::move(closed.backlog);
    sockets_.erase(fd);
    for (const int waiting : unaccepted) {
        reset(waiting);
        const int client = socket(waiting).peer;
        if (client != nobody) socket(client).peer = nobody;
        sockets_.erase(waiting);
    }
    end(completion, 0);
    return 1;
}

Nanoseconds SimIo::next_arrival_ns() const noexcept {
    Nanoseconds next = INT64_MAX;
    for (const auto& [fd, candidate] : sockets_)
        if (candidate.arrives_ns > clock_.now_ns()) next = std::min(next, candidate.arrives_ns);
    return next;
}

}  // namespace nodex
