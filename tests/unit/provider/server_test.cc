// The provider over real sockets: what a client sees of pace-free answers and of every way to break off.
#include "tools/provider/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>

namespace nodex::provider {
namespace {

struct Received {
    std::string bytes;
    int ending = 0;  // 0: orderly end, else an errno
    [[nodiscard]] std::string body() const {
        const std::size_t blank = bytes.find("\r\n\r\n");
        return blank == std::string::npos ? "" : bytes.substr(blank + 4);
    }
    [[nodiscard]] std::size_t count(Bytes text) const {
        std::size_t found = 0;
        for (std::size_t at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + 1))
            ++found;
        return found;
    }
};

class ProviderServer : public testing::Test {
  protected:
    void SetUp() override {
        ServerOptions options;
        options.listen = "127.0.0.1:0";
        options.defaults = {.first_token_ms = 0, .pace_ms = 0, .tokens = 4};
        auto made = Server::create(options);
        ASSERT_TRUE(made) << name(made.error().code);
        server_ = std::move(*made);
        server_->start();
    }
    void TearDown() override {
        if (server_) server_->stop();
    }

    [[nodiscard]] int connect() const {
        const std::string address = server_->address();
        sockaddr_in peer{};
        peer.sin_family = AF_INET;
        peer.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
        peer.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&peer), sizeof peer), 0);
        const timeval limit{.tv_sec = 30, .tv_usec = 0};  // a test that would hang fails instead
        EXPECT_EQ(::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
        return fd;
    }

    static void send(int fd, const std::string& text) {
        ASSERT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
    }

    static Received receive(int fd) {
        Received received;
        char buffer[16'384];
        while (true) {
            const ssize_t size = ::recv(fd, buffer, sizeof buffer, 0);
            if (size < 0 && errno == EINTR) continue;
            if (size < 0) received.ending = errno;
            if (size <= 0) break;
            received.bytes.append(buffer, static_cast<std::size_t>(size));
        }
        ::close(fd);
        return received;
    }

    static std::string chat(const std::string& directives, bool stream) {
        const std::string body = std::string(R"({"model":"m","stream":)") + (stream ? "true" : "false") +
                                 R"(,"messages":[{"role":"user",)"
                                 R"("content":"hi [[nodex: )" + directives + R"(]]"}]})";
        return "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: " +
               std::to_string(body.size()) + "\r\n\r\n" + body;
    }

    [[nodiscard]] Received ask(const std::string& request) const {
        const int fd = connect();
        send(fd, request);
        return receive(fd);
    }
    [[nodiscard]] Received stream(const std::string& directives) const { return ask(chat(directives, true)); }
    [[nodiscard]] Received whole(const std::string& directives) const { return ask(chat(directives, false)); }
    [[nodiscard]] std::string calls() const {
        return ask("GET /nodex/calls HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").body();
    }

    std::unique_ptr<Server> server_;
};

constexpr Bytes last_chunk = "\r\n0\r\n\r\n";

TEST_F(ProviderServer, AStreamIsWholeAndEndsWithDone) {
    const Received received = stream("tokens=3");
    EXPECT_EQ(received.ending, 0);
    EXPECT_EQ(received.count("data: "), 1u + 3u + 1u + 1u);
    EXPECT_EQ(received.count("data: [DONE]"), 1u);
    EXPECT_TRUE(received.bytes.ends_with(last_chunk));
}

TEST_F(ProviderServer, ACutStreamEndsInOrderButInsideItsBody) {
    for (const std::size_t events : {0u, 1u, 3u}) {
        const Received received = stream("cut_after=" + std::to_string(events));
        EXPECT_EQ(received.ending, 0);
        EXPECT_EQ(received.count("data: "), events);
        EXPECT_NE(received.bytes.find("transfer-encoding: chunked\r\n"), std::string::npos);
        EXPECT_FALSE(received.bytes.ends_with(last_chunk));
    }
    EXPECT_TRUE(stream("cut_bytes=10").bytes.ends_with("\r\n\r\na\r\ndata: {\"id\r\n"));
}

TEST_F(ProviderServer, AResetIsSeenAfterTheEventsBeforeIt) {
    const Received received = stream("reset_after=2");
    EXPECT_EQ(received.ending, ECONNRESET);
    EXPECT_EQ(received.count("data: "), 2u);
}

TEST_F(ProviderServer, BodiesAreCutAndOverlongAgainstTheirLength) {
    EXPECT_EQ(whole("cut_bytes=100").body().size(), 100u);
    const std::string overlong = whole("answer_bytes=700 extra_bytes=5").body();
    EXPECT_EQ(overlong.size(), 705u);
    EXPECT_TRUE(overlong.ends_with("}ZZZZZ"));
    EXPECT_NE(whole("answer_bytes=700 extra_bytes=5").bytes.find("\r\ncontent-length: 700\r\n"),
              std::string::npos);
}

TEST_F(ProviderServer, PiecesAddUpToTheSameStream) {
    const auto text = [](const Received& received) {  // without chunk framing
        std::string joined, rest = received.body();
        while (!rest.empty()) {
            const std::size_t size = std::stoul(rest, nullptr, 16);
            const std::size_t begin = rest.find("\r\n") + 2;
            joined += rest.substr(begin, size);
            rest.erase(0, begin + size + 2);
        }
        return joined;
    };
    const Received pieces = stream("split_utf8 tokens=1 chunk_bytes=3");
    const Received words = stream("split_utf8 tokens=1 chunk_bytes=9");
    EXPECT_GT(pieces.count("\r\n"), words.count("\r\n"));
    EXPECT_EQ(text(pieces).size(), text(words).size());
    EXPECT_NE(text(stream("split_utf8")).find("data: [DONE]"), std::string::npos);
}

TEST_F(ProviderServer, ErrorsRedirectsAndLiesLookAsAskedFor) {
    const Received error = stream("status=429 retry_after=7 body_text=slow_down");
    EXPECT_TRUE(error.bytes.starts_with("HTTP/1.1 429 "));
    EXPECT_NE(error.bytes.find("\r\nretry-after: 7\r\n"), std::string::npos);
    EXPECT_NE(error.body().find("\"message\":\"slow down\""), std::string::npos);
    EXPECT_NE(whole("redirect").bytes.find("\r\nlocation: http"), std::string::npos);
    EXPECT_NE(whole("gzip_lie").bytes.find("\r\ncontent-encoding: gzip\r\n"), std::string::npos);
    EXPECT_NE(whole("wrong_content_type").bytes.find("\r\ncontent-type: text/html\r\n"), std::string::npos);
    EXPECT_NE(stream("bad_status_line").bytes.find("\r\n\r\nHTTP/9.9 banana split\r\n"), std::string::npos);
    EXPECT_TRUE(whole("no_such_directive").bytes.starts_with("HTTP/1.1 400 "));
}

TEST_F(ProviderServer, CountsCallsByTheirId) {
    (void)whole("id=a");
    (void)whole("id=a");
    (void)stream("id=b");
    EXPECT_EQ(calls(), R"({"total":3,"running":0,"finished":3,"abandoned":0,"keys_dropped":0,)"
                       R"("by_key":{"a":2,"b":1}})");
    (void)ask("POST /nodex/reset HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    EXPECT_EQ(calls(), R"({"total":0,"running":0,"finished":0,"abandoned":0,"keys_dropped":0,"by_key":{}})");
}

TEST_F(ProviderServer, AHangingCallIsAbandonedWhenItsClientLeaves) {
    const int fd = connect();
    send(fd, chat("hang id=h", true));
    while (calls().find("\"running\":1") == std::string::npos) continue;
    ::close(fd);
    while (calls().find("\"abandoned\":1") == std::string::npos) continue;
    EXPECT_NE(calls().find("\"running\":0"), std::string::npos);
}

TEST_F(ProviderServer, StopsWhileCallsRun) {
    const int fd = connect();
    send(fd, chat("hang_after=2", true));
    while (calls().find("\"running\":1") == std::string::npos) continue;
    server_->stop();
    server_.reset();
    EXPECT_EQ(receive(fd).ending, ECONNRESET);
}

TEST_F(ProviderServer, BodiesLargerThanTheSocketsBuffersArriveWhole) {
    const Received received = whole("answer_bytes=4000000");
    EXPECT_EQ(received.body().size(), 4'000'000u);
    EXPECT_EQ(stream("huge_event=4000000").count("xxxx"), 4'000'000u - 3u);
}

}  // namespace
}  // namespace nodex::provider
