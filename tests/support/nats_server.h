// A real nats-server for tests: started on a port that was free, stopped and started again on the
// same one. Debian puts it into /usr/sbin, which a test's PATH may lack.
#pragma once
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "replication/nats/server_address.h"

extern char** environ;

namespace nodex::testing_support {

inline std::uint16_t free_port() {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    EXPECT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length), 0);
    ::close(fd);
    return ntohs(address.sin_port);
}

class NatsServer {
  public:
    // `config`: lines beside address, port and max_payload.
    explicit NatsServer(const std::string& config = {})
        : port_(free_port()),
          config_("/tmp/nodex-nats-" + std::to_string(::getpid()) + "-" + std::to_string(port_)) {
        configure(config);
        start();
    }
    ~NatsServer() {
        stop(SIGKILL);
        ::unlink(config_.c_str());
    }
    NatsServer(const NatsServer&) = delete;
    NatsServer& operator=(const NatsServer&) = delete;

    // For the next start().
    void configure(const std::string& config) const {
        std::ofstream(config_) << "max_payload: 1114112\n" << config;
    }
    // Returns when it answers.
    void start() {
        std::vector<std::string> words{"nats-server",         "-a", "127.0.0.1", "-p",
                                       std::to_string(port_), "-c", config_};
        std::vector<char*> argv;
        for (std::string& word : words) argv.push_back(word.data());
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        const char* path =
            ::access("/usr/sbin/nats-server", X_OK) == 0 ? "/usr/sbin/nats-server" : "nats-server";
        ASSERT_EQ(::posix_spawnp(&pid_, path, &actions, nullptr, argv.data(), environ), 0)
            << "nats-server is not installed (deploy/packages.txt, test)";
        posix_spawn_file_actions_destroy(&actions);
        const Nanoseconds until = system_clock().now_ns() + 20 * second;
        while (replication::ask_tls_demand(address(), second) ==
               replication::TlsDemand::unreachable) {
            ASSERT_LT(system_clock().now_ns(), until) << "nats-server does not answer";
            std::this_thread::yield();
        }
    }
    void stop(int signal) {
        if (pid_ <= 0) return;
        ::kill(pid_, signal);
        ::waitpid(pid_, nullptr, 0);
        pid_ = -1;
    }
    void freeze() { ::kill(pid_, SIGSTOP); }
    void thaw() { ::kill(pid_, SIGCONT); }

    [[nodiscard]] std::string url(const std::string& user = {}) const {
        return "nats://" + (user.empty() ? "" : user + "@") + "127.0.0.1:" + std::to_string(port_);
    }
    [[nodiscard]] replication::ServerAddress address(const std::string& user = {}) const {
        std::string problem;
        auto parsed = replication::parse_server_address(url(user), problem);
        EXPECT_TRUE(parsed) << problem;
        return *parsed;
    }

  private:
    const std::uint16_t port_;
    const std::string config_;
    pid_t pid_ = -1;
};

}  // namespace nodex::testing_support
