// A world for tests of provider calls: simulated sockets and time, scripted providers, an Upstream, and a
// caller that writes down what it hears.
#pragma once
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/limits.h"
#include "edge/channel/channel.h"
#include "edge/io/sim_io.h"
#include "edge/upstream/resolver.h"
#include "edge/upstream/resolver_cache.h"
#include "edge/upstream/upstream.h"

namespace nodex::upstream {

inline SocketAddress address_of(const std::string& literal, std::uint16_t port) {
    SocketAddress address = *parse_address_literal(literal);
    set_port(address, port);
    return address;
}

// What a provider does with one request, when it has arrived whole.
struct Reply {
    enum class Then { keep, end, reset };
    std::string bytes;       // "": silence
    Then then = Then::keep;  // after the bytes are sent
    bool early = false;      // does not wait for the body
};

inline Reply json_reply(const std::string& body) {
    return {.bytes = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                     std::to_string(body.size()) + "\r\n\r\n" + body};
}

// A scripted provider: answers requests in the order in which they arrive, then with the last reply for ever.
class Provider {
  public:
    Provider(SimLoop& loop, std::uint16_t port, std::shared_ptr<tls::ServerContext> context = nullptr)
        : loop_(loop), context_(std::move(context)),
          listener_(*loop.io().listen(address_of("127.0.0.1", port))) {
        loop_.io().accept(accept_, listener_, then<&Provider::accept_done>(this));
    }
    ~Provider() { NX_ASSERT(!accept_.in_flight()); }

    struct Peer final : ChannelOwner {
        Peer(Provider& its_provider, int its_fd)
            : provider(its_provider), fd(its_fd), channel(its_provider.loop_, *this) {}
        void channel_opened() noexcept override {}
        void channel_received(Bytes bytes) noexcept override {
            received += bytes;
            provider.look(*this);
        }
        void channel_ended() noexcept override {
            saw_end = true;
            channel.close();
        }
        void channel_writable() noexcept override {}
        void channel_closed(Error) noexcept override { saw_end = true; }
        Provider& provider;
        const int fd;
        Channel channel;
        std::string received;
        bool saw_end = false;
    };

    void script(std::vector<Reply> replies) { replies_.assign(replies.begin(), replies.end()); }
    // Stops accepting and closes what is open; the loop must turn until quiet().
    void stop() {
        loop_.io().shutdown(listener_);
        for (auto& peer : peers) peer->channel.abort(Error{ErrorCode::cancelled, ErrorSource::self});
    }
    [[nodiscard]] bool quiet() const {
        for (const auto& peer : peers)
            if (peer->channel.phase() != ChannelPhase::idle) return false;
        return !accept_.in_flight();
    }

    std::vector<std::unique_ptr<Peer>> peers;  // every connection there ever was
    std::vector<std::string> requests;         // as received, head and body

  private:
    void accept_done(std::int32_t fd) noexcept {
        if (fd < 0) return;
        peers.push_back(std::make_unique<Peer>(*this, fd));
        peers.back()->channel.accept(fd, context_);
    }
    // Answers when a whole request (or, for early replies, its head) is there.
    void look(Peer& peer) {
        const auto head_end = peer.received.find("\r\n\r\n");
        if (head_end == std::string::npos || replies_.empty()) return;
        const auto field = peer.received.find("Content-Length: ");
        const std::size_t body_bytes = std::stoul(peer.received.substr(field + 16));
        const std::size_t whole = head_end + 4 + body_bytes;
        const Reply reply = replies_.front();
        if (!reply.early && peer.received.size() < whole) return;
        requests.push_back(peer.received.substr(0, whole));
        peer.received.erase(0, whole);
        if (replies_.size() > 1) replies_.pop_front();
        if (!reply.bytes.empty()) peer.channel.write(reply.bytes);
        if (reply.then == Reply::Then::end) peer.channel.close();
        constexpr Error scripted_reset{ErrorCode::connection_reset, ErrorSource::self};
        if (reply.then == Reply::Then::reset) peer.channel.abort(scripted_reset);
    }

    SimLoop& loop_;
    std::shared_ptr<tls::ServerContext> context_;
    const int listener_;
    Completion accept_;
    std::deque<Reply> replies_;
};

// The owner of one call.
class Caller final : public CallEvents {
  public:
    explicit Caller(Upstream& upstream) : call(upstream, *this) {}
    void start(std::size_t endpoint = 0, Bytes question = "{\"q\":1}") {
        reset();
        call.start(endpoint, "/chat/completions", question, false, "req_1");
    }
    // Forgets the last request.
    void reset() {
        status = 0;
        body.clear();
        completed = failed = sent = false;
        error = {};
    }
    [[nodiscard]] bool ended() const { return completed || failed; }

    void call_head(const http::ResponseHead& head) noexcept override {
        status = head.status;
        ++heads_count;
        if (cancel_in_head) call.cancel();
    }
    void call_body(Bytes bytes) noexcept override {
        EXPECT_NE(status, 0);
        body += bytes;
        if (cancel_in_body) call.cancel();
        if (pause_in_body) call.pause();
    }
    void call_complete() noexcept override {
        EXPECT_TRUE(call.idle());
        completed = true;
        ++ends_count;
        if (restart_when_complete > 0) {
            --restart_when_complete;
            start();
        }
    }
    void call_failed(Error why, bool was_sent) noexcept override {
        EXPECT_TRUE(call.idle());
        failed = true;
        error = why;
        sent = was_sent;
        ++ends_count;
    }

    Call call;
    int status = 0;
    std::string body;
    bool completed = false, failed = false, sent = false;
    Error error;
    int heads_count = 0, ends_count = 0;
    bool cancel_in_head = false, cancel_in_body = false, pause_in_body = false;
    int restart_when_complete = 0;
};

class ProviderWorld : public ::testing::Test {
  protected:
    static constexpr std::uint16_t port = 9900;

    static std::shared_ptr<EndpointConfig> endpoint(const std::string& name, std::uint16_t at_port = port) {
        auto config = std::make_shared<EndpointConfig>();
        config->name = name;
        config->tls = false;
        config->host = "127.0.0.1";
        config->port = at_port;
        config->base_path = "/v1";
        config->authorization = "Bearer secret";
        config->models = {{"model", "model"}};
        return config;
    }

    // Runs turns until `done` holds; fails when nothing more can happen before.
    template <class Done>
    void run_until(Done done) {
        while (!done()) ASSERT_TRUE(loop.turn()) << "the world stands still";
    }
    // Runs everything that happens without time passing beyond `for_ns`.
    void run_for(Nanoseconds for_ns) {
        bool over = false;
        Timer timer;
        const auto set = [](void* flag) noexcept { *static_cast<bool*>(flag) = true; };
        loop.timers().start(timer, loop.clock().now_ns() + for_ns, set, &over);
        run_until([&] { return over; });
    }
    void finish(Caller& caller) {
        run_until([&] { return caller.ended(); });
    }
    void call_once(Caller& caller, std::size_t at = 0) {
        caller.start(at);
        finish(caller);
    }
    void shut_down() {
        if (upstream) upstream->close_idle();
        if (provider) provider->stop();
        run_until([&] { return (!upstream || upstream->idle()) && (!provider || provider->quiet()); });
    }
    void TearDown() override {
        shut_down();
        upstream.reset();
        provider.reset();
    }

    SimLoop loop{7};
    SeededRandom random{7};
    Resolver resolver;
    std::unique_ptr<Provider> provider = std::make_unique<Provider>(loop, port);
    std::shared_ptr<EndpointConfig> config = endpoint("local");
    std::vector<std::shared_ptr<const EndpointConfig>> endpoints{config};
    std::unique_ptr<Upstream> upstream = std::make_unique<Upstream>(loop, endpoints, resolver, random);
};

}  // namespace nodex::upstream
