// The Io contract over both worlds, and what only the kernel's has.
#include "tests/contract/io_contract.h"

#include "tests/contract/io_worlds.h"

namespace nodex::contract {
namespace {

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
