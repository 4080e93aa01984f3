// The Io contract over both worlds: simulated sockets, and the kernel's over loopback.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>

#include "edge/io/sim_io.h"
#include "edge/io/uring_loop.h"
#include "tests/contract/io_contract.h"

namespace nodex::contract {
namespace {

SocketAddress loopback(std::uint16_t port) {
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
    explicit SimWorld(SimFaults faults) { loop_.io().set_faults(faults); }
    Loop& loop() noexcept override { return loop_; }
    int listen(SocketAddress& bound) override {
        bound = loopback(++port_);
        return *loop_.io().listen(bound);
    }
    SocketAddress nowhere() override { return loopback(9); }

  private:
    SimLoop loop_{20'261'121};
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

INSTANTIATE_TEST_SUITE_P(Sim, IoContract, testing::Values(+[]() -> std::unique_ptr<IoWorld> {
                             return std::make_unique<SimWorld>(SimFaults{});
                         }));
INSTANTIATE_TEST_SUITE_P(SimInPieces, IoContract, testing::Values(+[]() -> std::unique_ptr<IoWorld> {
                             return std::make_unique<SimWorld>(SimFaults{
                                 .split_percent = 60, .short_send_percent = 60, .delay_percent = 30});
                         }));
INSTANTIATE_TEST_SUITE_P(Uring, IoContract, testing::Values(+[]() -> std::unique_ptr<IoWorld> {
                             auto world = std::make_unique<UringWorld>();
                             return world->usable() ? std::move(world) : nullptr;
                         }));

// Only the kernel has this: accepted sockets send small segments at once.
TEST(UringIo, AcceptedSocketsHaveNoDelay) {
    UringWorld world;
    ASSERT_TRUE(world.usable());
    SocketAddress address;
    const int listener = world.listen(address);
    Operated accepting(world.loop()), connecting(world.loop());
    world.loop().io().accept(accepting.completion, listener, accepting.next());
    const int client = *world.loop().io().open_socket(address);
    world.loop().io().connect(connecting.completion, client, address, connecting.next());
    while (!connecting.ended() || accepting.results.empty()) world.loop().run();
    for (const int fd : {client, accepting.results.front()}) {
        int on = 0;
        socklen_t size = sizeof on;
        EXPECT_EQ(getsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, &size), 0);
        EXPECT_EQ(on, 1);
        ::close(fd);
    }
    world.loop().io().cancel(accepting.completion);
    while (accepting.completion.in_flight()) world.loop().run();
    ::close(listener);
}

}  // namespace
}  // namespace nodex::contract
