// The two worlds of the Io contract: simulated sockets, and the kernel's over loopback.
#pragma once
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "edge/io/sim_io.h"
#include "edge/io/uring_loop.h"
#include "tests/contract/io_world.h"

namespace nodex::contract {

inline SocketAddress loopback(std::uint16_t port) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    v4.sin_port = htons(port);
    SocketAddress address;
    std::memcpy(&address.storage, &v4, sizeof v4);
    address.size = sizeof v4;
    return address;
}

class SimWorld final : public IoWorld {
  public:
    explicit SimWorld(SimFaults faults, std::uint64_t seed = 20'261'121) : loop_(seed) {
        loop_.io().set_faults(faults);
    }
    Loop& loop() noexcept override { return loop_; }
    int listen(SocketAddress& bound) override {
        bound = loopback(++port_);
        return *loop_.io().listen(bound);
    }
    SocketAddress nowhere() override { return loopback(9); }
    SimLoop& sim() { return loop_; }

  private:
    SimLoop loop_;
    std::uint16_t port_ = 1'000;
};

class UringWorld final : public IoWorld {
  public:
    UringWorld() {
        // Small on purpose: a full submission queue and an empty buffer ring are part of the contract.
        auto made = UringLoop::create({.submission_entries = 4,
                                       .completion_entries = 64,
                                       .recv_buffers_count = 8,
                                       .recv_buffer_bytes = 4'096});
        if (made) loop_ = std::move(*made);
    }
    [[nodiscard]] bool usable() const { return loop_ != nullptr; }
    Loop& loop() noexcept override { return *loop_; }
    int listen(SocketAddress& bound) override {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        bound = loopback(0);
        EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&bound.storage), bound.size), 0);
        EXPECT_EQ(::listen(fd, 64), 0);
        EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&bound.storage), &bound.size), 0);
        return fd;
    }
    // The port of a listener that is gone.
    SocketAddress nowhere() override {
        SocketAddress bound;
        ::close(listen(bound));
        return bound;
    }

  private:
    std::unique_ptr<UringLoop> loop_;
};

}  // namespace nodex::contract
