// What may be named as the local nats-server, and what is asked of it before libnats connects.
#include "replication/nats/server_address.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/support/nats_server.h"

namespace nodex::replication {
namespace {

std::string problem_of(Bytes url) {
    std::string problem;
    const auto parsed = parse_server_address(url, problem);
    return parsed ? "" : problem;
}

// Listens once, says `line` to whoever comes, and closes.
class Speaker {
  public:
    explicit Speaker(std::string line) {
        fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t length = sizeof address;
        EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
        EXPECT_EQ(::listen(fd_, 1), 0);
        EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length), 0);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this, line = std::move(line)] {
            const int peer = ::accept(fd_, nullptr, nullptr);
            (void)!::write(peer, line.data(), line.size());
            ::close(peer);
        });
    }
    ~Speaker() {
        thread_.join();
        ::close(fd_);
    }
    [[nodiscard]] ServerAddress address() const { return {"", "127.0.0.1", port_}; }

  private:
    int fd_ = -1;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

TEST(ServerAddress, TakesPlainUrlsOfLoopbackAddresses) {
    std::string problem;
    const auto full = parse_server_address("nats://edge:p@ss@127.0.0.1:4333", problem);
    ASSERT_TRUE(full) << problem;
    EXPECT_EQ(full->host, "127.0.0.1");
    EXPECT_EQ(full->port, 4333);
    EXPECT_EQ(full->text(), "nats://127.0.0.1:4333");  // for logs: no user, no password
    const auto six = parse_server_address("nats://[::1]", problem);
    ASSERT_TRUE(six) << problem;
    EXPECT_EQ(six->text(), "nats://[::1]:4222");
    EXPECT_TRUE(parse_server_address("nats://127.9.9.9:1", problem));
}

TEST(ServerAddress, RefusesTlsAndSaysWhoSpeaksItInstead) {
    const std::string problem = problem_of("tls://127.0.0.1:4222");
    EXPECT_NE(problem.find("BoringSSL"), std::string::npos) << problem;
    EXPECT_NE(problem.find("leaf"), std::string::npos) << problem;
}

TEST(ServerAddress, RefusesWhatIsNotOnThisMachine) {
    for (const Bytes url :
         {"nats://10.0.0.1:4222", "nats://hub.example.net", "nats://localhost:4222",
          "nats://[2001:db8::1]:4222", "nats://0.0.0.0:4222", "nats://user@127.0.0.1@10.0.0.1",
          "nats://128.0.0.1", "nats://127.0.0.1.example.net", "nats://"})
        EXPECT_NE(problem_of(url).find("loopback"), std::string::npos) << url;
}

TEST(ServerAddress, RefusesEverythingElseThatLibnatsWouldTake) {
    for (const Bytes url : {"", "127.0.0.1:4222", "http://127.0.0.1", "nats://127.0.0.1:0",
                            "nats://127.0.0.1:65536", "nats://127.0.0.1:x", "nats://127.0.0.1:",
                            "nats://127.0.0.1:4222,tls://127.0.0.1:4223", "nats://127.0.0.1 "})
        EXPECT_NE(problem_of(url), "") << url;
}

TEST(TlsDemand, IsReadFromTheServersFirstLine) {
    EXPECT_EQ(
        ask_tls_demand(Speaker("INFO {\"server_id\":\"x\",\"tls_required\":true}\r\n").address(),
                       10 * second),
        TlsDemand::required);
    EXPECT_EQ(
        ask_tls_demand(Speaker("INFO { \"tls_required\" : true }\r\n").address(), 10 * second),
        TlsDemand::required);
    EXPECT_EQ(ask_tls_demand(Speaker("INFO {\"tls_available\":true}\r\n").address(), 10 * second),
              TlsDemand::none);
    EXPECT_EQ(ask_tls_demand(Speaker("HTTP/1.1 400 Bad Request\r\n").address(), 10 * second),
              TlsDemand::unreachable);
    EXPECT_EQ(ask_tls_demand(Speaker("INFO {\"tls_required\":true}").address(), 10 * second),
              TlsDemand::unreachable);  // cut off: nothing is known
    EXPECT_EQ(ask_tls_demand({"", "127.0.0.1", testing_support::free_port()}, 10 * second),
              TlsDemand::unreachable);
}

}  // namespace
}  // namespace nodex::replication
