// Service: the centre as a process: store, ledger, link, and the thread that drives them. Main
// thread only.
#pragma once
#include <memory>
#include <string>

#include "replication/central/central_thread.h"
#include "replication/central/program/config.h"
#include "replication/central/program/metrics_server.h"
#include "replication/nats/nats_transport_server.h"
#include "storage/purge_thread.h"

namespace nodex::central {

inline constexpr const char* key_hash_file = "key_hash.key";  // the same file as at every POP
inline constexpr const char* root_key_file = "root.key";  // wraps accounts' body keys; only here

// `--init`: folders, both secrets and the link keys of all [[pop]], where missing. Nothing that
// exists is touched.
Status initialise(const Config& config);

// `--migrate`: brings the database's schema to this program's version. The log says what was done.
Status migrate(const Config& config);

class Service {
  public:
    explicit Service(Config config) : config_(std::move(config)) {}
    // Opens the store, verifies the ledger (balances against rows), serves. The log says what
    // failed and what to do.
    Status start();
    // SIGHUP: the POPs, the operators, and their keys. What cannot change while running is named
    // and kept.
    void reload(const std::string& path);
    // SIGTERM: answers what has arrived, then closes.
    void stop();
    // The ledger's store failed: nothing is answered any more.
    [[nodiscard]] bool failed() const noexcept { return centre_ != nullptr && centre_->failed(); }

  private:
    Status serve_metrics();

    Config config_;
    replication::OpenedLedgerStore store_;
    std::unique_ptr<storage::PurgeThread> purger_;
    std::unique_ptr<replication::NatsTransportServer> server_;
    std::unique_ptr<replication::CentralThread> centre_;
    std::unique_ptr<MetricsServer> metrics_;
};

}  // namespace nodex::central
