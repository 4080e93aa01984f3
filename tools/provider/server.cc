// Threads, listeners, start and stop of the provider.
#include "tools/provider/server.h"

#include <thread>

#include "edge/base/random.h"
#include "edge/connection/acceptor.h"
#include "edge/crypto/crypto.h"
#include "edge/io/uring_loop.h"
#include "edge/tls/tls_context.h"
#include "tools/provider/handler.h"

namespace nodex::provider {
namespace {

constexpr Nanoseconds drained_check_interval = 5 * millisecond;

}  // namespace

// One core. The destruction order matters: what is on the loop goes before the loop.
struct Server::Core {
    Core(std::unique_ptr<UringLoop> ring, int listener, const std::shared_ptr<tls::ServerContext>& context,
         Counters& counters, const Defaults& defaults)
        : loop(std::move(ring)), handler(*loop, counters, defaults),
          acceptor(*loop, handler, listener, context,
                   {.connections_max = limits::connections_max,
                    .connections_per_address_max = limits::connections_max}),
          stop_mail(*this) {}

    struct StopMail final : Mail {
        explicit StopMail(Core& owner) : Mail(&StopMail::run), core(owner) {}
        static void run(Mail& mail) noexcept { static_cast<StopMail&>(mail).core.stop(); }
        Core& core;
    };

    void stop() noexcept {
        handler.cut_all();
        acceptor.drain();
        acceptor.abort_all();
        check_drained();
    }

    void check_drained() noexcept {
        if (acceptor.drained()) return loop->stop();
        acceptor.abort_all();  // a connection that was being accepted when the first one ran
        start_timer<&Core::check_drained>(loop->timers(), drained_timer,
                                          loop->now_ns() + drained_check_interval, this);
    }

    std::unique_ptr<UringLoop> loop;
    Handler handler;
    Acceptor acceptor;
    Timer drained_timer;
    StopMail stop_mail;
    std::thread thread;
};

Result<std::unique_ptr<Server>> Server::create(const ServerOptions& options) {
    std::unique_ptr<Server> server(new Server());
    server->options_ = options;
    std::shared_ptr<tls::ServerContext> context;
    if (!options.tls_certificate.empty()) {
        auto keys = std::make_shared<tls::TicketKeys>(crypto::secure_random(), system_clock());
        auto made = tls::ServerContext::create({{options.tls_certificate, options.tls_key}}, std::move(keys));
        if (!made) return made.error();
        context = std::move(*made);
    }
    std::string address = options.listen;
    for (unsigned index = 0; index < options.cores; ++index) {
        Result<int> listener = listen_on(address);
        if (!listener) return listener.error();
        if (index == 0) {  // ":0" was asked for: the other cores share the port that it became
            server->port_ = local_port(*listener);
            address = server->address();
        }
        Result<std::unique_ptr<UringLoop>> loop = UringLoop::create({});
        if (!loop) return loop.error();
        server->cores_.push_back(std::make_unique<Core>(std::move(*loop), *listener, context,
                                                        server->counters_, server->options_.defaults));
    }
    return server;
}

Server::~Server() = default;

std::string Server::address() const {
    return options_.listen.substr(0, options_.listen.rfind(':')) + ":" + std::to_string(port_);
}

void Server::start() {
    for (const std::unique_ptr<Core>& core : cores_) {
        core->thread = std::thread([raw = core.get()] {
            raw->acceptor.start();
            raw->loop->run();
        });
    }
}

void Server::stop() {
    for (const std::unique_ptr<Core>& core : cores_) core->loop->mailbox().post(core->stop_mail);
    for (const std::unique_ptr<Core>& core : cores_) core->thread.join();
}

}  // namespace nodex::provider
