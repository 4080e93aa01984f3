// Node: one edge process: opens everything in the order that security asks for, runs the cores,
// reloads, drains. Main-thread only.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/core/central_link.h"
#include "edge/core/config.h"
#include "edge/core/core.h"
#include "edge/core/init.h"
#include "edge/core/standalone.h"
#include "edge/gateway/sdk_retries.h"
#include "replication/agent.h"
#include "storage/commit_thread.h"
#include "storage/purge_thread.h"
#include "storage/rocks_store.h"
#include "storage/vault.h"

namespace nodex::core {

class Node {
  public:
    explicit Node(Config config);
    ~Node();

    // Everything up to serving. The log says what failed and what to do about it. Waits for a
    // centre that does not answer; cancelled(self) when `stop_asked` says so meanwhile.
    Status start(bool standalone, const std::function<bool()>& stop_asked);
    // SIGHUP: certificates, providers, limits of the request path, status codes. Keys and catalogue
    // need no reload: they arrive by feed. What cannot change while running is named in the log and
    // kept.
    void reload(const std::string& config_path);
    // SIGTERM: no new work, running work ends within config.drain_deadline, then everything is
    // closed.
    void drain_and_stop();

  private:
    Status read_files();
    Status bind_listeners();
    Status open_storage();
    Status bind_admin();
    Status open_centre();
    Status open_link();
    Status register_pop(const std::function<bool()>& stop_asked);
    Status make_cores();
    Status run_cores();
    Status write_listen_file() const;
    [[nodiscard]] CoreUpdate core_update() const;
    [[nodiscard]] MetricsSources metrics_sources();
    [[nodiscard]] std::string status_text();
    [[nodiscard]] bool ready() const;
    void log_budget() const;

    Config config_;
    Nanoseconds started_ns_ = 0;
    unsigned cores_count_ = 1;
    Secrets secrets_;
    std::shared_ptr<tls::TicketKeys> ticket_keys_;
    std::shared_ptr<tls::ServerContext> server_context_;

    struct Listener {
        int fd = -1;
        bool secure = false;
    };
    std::vector<std::vector<Listener>> listeners_;  // by core
    int admin_listener_ = -1;
    int metrics_listener_ = -1;
    std::vector<std::string> tls_addresses_, plain_addresses_;  // as bound, ports filled in
    std::string metrics_address_;

    std::unique_ptr<storage::RocksStore> store_;
    std::unique_ptr<storage::Journal> journal_;
    std::unique_ptr<storage::Vault> vault_;
    std::unique_ptr<storage::CommitThread> commits_;
    std::unique_ptr<storage::PurgeThread> purger_;
    crypto::SecretKey link_key_;
    std::unique_ptr<Standalone> standalone_;            // the centre is here,
    std::unique_ptr<replication::NatsTransport> nats_;  // or behind this
    std::unique_ptr<replication::Agent> agent_;
    gateway::SdkRetries sdk_retries_;
    std::unique_ptr<gateway::Shared> shared_;
    upstream::Resolver resolver_;
    std::vector<std::unique_ptr<Core>> cores_;
    std::atomic<bool> draining_{false};
};

}  // namespace nodex::core
