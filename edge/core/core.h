// Core: everything that runs on one loop: listeners, gateway, provider connections; core 0 also
// serves the admin socket and the metrics page. Made on the main thread, run on its own, told
// things by mail.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "edge/admin/admin_handler.h"
#include "edge/base/parcel.h"
#include "edge/connection/acceptor.h"
#include "edge/core/metrics_page.h"
#include "edge/gateway/gateway.h"
#include "edge/io/uring_loop.h"
#include "edge/metrics/metrics_handler.h"
#include "edge/upstream/resolver.h"
#include "edge/upstream/upstream.h"

namespace nodex::core {

// What a reload brings to a core.
struct CoreUpdate {
    std::shared_ptr<const gateway::Settings> settings;
    std::shared_ptr<tls::ServerContext> context;  // null: no TLS listener
    std::vector<std::shared_ptr<const upstream::EndpointConfig>> endpoints;
    AcceptorOptions acceptor_options;  // of the public listeners
};

class Core {
  public:
    Core(std::uint16_t index, std::unique_ptr<UringLoop> loop, gateway::Shared& shared,
         upstream::Resolver& resolver, CoreUpdate initial,
         std::shared_ptr<const replication::Directory> directory);
    ~Core();

    // Before start(): listeners (bound descriptors) and, on one core, the operator's pages.
    void add_listener(int listener, bool secure);
    void add_admin(int listener, replication::Agent& agent, std::function<std::string()> status,
                   bool reads_bodies);
    void add_metrics(int listener, MetricsSources sources, std::function<bool()> ready);

    void start();         // spawns the thread
    void wait_running();  // returns when its loop turns (the ring is bound and enabled)
    void join();          // after drain() has let the loop end

    // Any thread.
    void update(CoreUpdate update) { update_parcel_.send(std::move(update)); }
    void replace_directory(std::shared_ptr<const replication::Directory> directory) {
        directory_parcel_.send(std::move(directory));
    }
    // Lets running work finish until `deadline_ns`, then ends streams in-protocol, then cuts; the
    // loop ends.
    void drain(Nanoseconds deadline_ns) { drain_parcel_.send(deadline_ns); }

    [[nodiscard]] gateway::Gateway& gateway() noexcept { return *gateway_; }
    [[nodiscard]] LoopStats& loop_stats() noexcept { return loop_->stats(); }
    [[nodiscard]] std::vector<upstream::EndpointStatus> endpoint_status();  // at most a second old
    [[nodiscard]] std::uint32_t connections() noexcept {
        return connections_.load(std::memory_order_relaxed);
    }

  private:
    void run() noexcept;
    void receive_update(CoreUpdate update);
    void receive_directory(std::shared_ptr<const replication::Directory> directory);
    void receive_drain(Nanoseconds deadline_ns);
    void drain_step() noexcept;
    void publish_status() noexcept;

    const std::uint16_t index_;
    std::unique_ptr<UringLoop> loop_;
    std::unique_ptr<upstream::Upstream> upstream_;
    std::unique_ptr<gateway::Gateway> gateway_;
    std::unique_ptr<admin::AdminHandler> admin_;
    std::unique_ptr<metrics::MetricsHandler> metrics_;
    AcceptorOptions acceptor_options_;
    std::shared_ptr<tls::ServerContext> context_;
    std::vector<std::unique_ptr<Acceptor>> acceptors_;         // public
    std::vector<std::unique_ptr<Acceptor>> secure_acceptors_;  // public, TLS
    std::vector<std::unique_ptr<Acceptor>> local_acceptors_;   // admin, metrics: closed last
    Timer drain_timer_, status_timer_;
    Nanoseconds drain_deadline_ns_ = 0;
    enum class Drain : std::uint8_t {
        none,
        finishing,
        stopping,
        cutting,
        closing_local
    } drain_ = Drain::none;

    std::mutex status_lock_;
    std::vector<upstream::EndpointStatus> status_;
    std::atomic<std::uint32_t> connections_{0};
    std::atomic<bool> running_{false};

    Parcel<CoreUpdate, Core, &Core::receive_update> update_parcel_;
    Parcel<std::shared_ptr<const replication::Directory>, Core, &Core::receive_directory>
        directory_parcel_;
    Parcel<Nanoseconds, Core, &Core::receive_drain> drain_parcel_;
    std::thread thread_;
};

}  // namespace nodex::core
