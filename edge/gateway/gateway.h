// Gateway: the request path of one core: routes requests to exchanges, owns the pools of exchanges
// and runs. Loop-thread only, but for set_peers() and metrics().
#pragma once
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "edge/api/json_body.h"
#include "edge/base/random.h"
#include "edge/connection/server_connection.h"
#include "edge/crypto/crypto.h"
#include "edge/gateway/append_log.h"
#include "edge/gateway/exchange.h"
#include "edge/gateway/metrics.h"
#include "edge/gateway/run.h"
#include "edge/gateway/sdk_retries.h"
#include "edge/gateway/settings.h"
#include "edge/gateway/turn_commits.h"
#include "edge/upstream/upstream.h"
#include "replication/agent.h"
#include "storage/commit_thread.h"
#include "storage/vault.h"

namespace nodex::gateway {

// What all cores share; outlives every gateway.
struct Shared {
    storage::CommitThread& commits;
    storage::Vault& vault;
    replication::Agent& agent;
    SdkRetries& sdk_retries;
    crypto::SecretKey key_hash_secret;     // HMAC secret of API keys
    crypto::SecretKey idempotency_secret;  // HMAC secret of idempotency keys
    PopId pop{1};
    std::uint32_t incarnation = 0;
};

class Gateway final : public RequestHandler {
  public:
    Gateway(Loop& loop, std::uint16_t core, Shared& shared, upstream::Upstream& upstream,
            Random& random, std::shared_ptr<const Settings> settings,
            std::shared_ptr<const replication::Directory> directory);
    ~Gateway();

    // All gateways of the node, by core; once, before the loops run.
    void set_peers(std::vector<Gateway*> peers) { peers_ = std::move(peers); }
    [[nodiscard]] Gateway& peer(std::uint16_t core) noexcept;
    [[nodiscard]] Mailbox& peer_mailbox(std::uint16_t core) noexcept {
        return peer(core).loop().mailbox();
    }

    // New snapshots; requests under way keep theirs.
    void replace_directory(std::shared_ptr<const replication::Directory> directory) {
        directory_ = std::move(directory);
    }
    void replace_settings(std::shared_ptr<const Settings> settings) {
        settings_ = std::move(settings);
    }

    // SIGTERM: readiness goes false; then, at the deadline, every run ends in-protocol.
    void drain() noexcept { draining_ = true; }
    void stop_runs() noexcept;  // and none begins any more
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }
    [[nodiscard]] bool idle() const noexcept { return exchanges_busy_ == 0 && runs_busy_ == 0; }

    // --- RequestHandler ---
    std::uint64_t request_head(ServerConnection& connection,
                               const http::RequestHead& head) noexcept override;
    void request_body(ServerConnection& connection, Bytes bytes) noexcept override;
    void request_complete(ServerConnection& connection) noexcept override;
    void request_refused(ServerConnection& connection, http::Refusal refusal) noexcept override;
    void response_writable(ServerConnection& connection) noexcept override;
    void request_abandoned(ServerConnection& connection, Error reason) noexcept override;
    void response_sent(ServerConnection&) noexcept override {}  // exchanges end with finish()

    // --- for exchanges and runs ---
    [[nodiscard]] Loop& loop() noexcept { return loop_; }
    [[nodiscard]] Shared& shared() noexcept { return shared_; }
    [[nodiscard]] upstream::Upstream& upstream() noexcept { return upstream_; }
    [[nodiscard]] Metrics& metrics() noexcept { return *metrics_; }
    [[nodiscard]] Random& random() noexcept { return random_; }
    [[nodiscard]] api::JsonReader& json() noexcept { return json_; }
    [[nodiscard]] TurnCommits& commits() noexcept { return commits_; }
    [[nodiscard]] AppendLog& append_log() noexcept { return append_log_; }
    [[nodiscard]] const std::shared_ptr<const Settings>& settings() const noexcept {
        return settings_;
    }
    [[nodiscard]] const std::shared_ptr<const replication::Directory>& directory() const noexcept {
        return directory_;
    }
    [[nodiscard]] bool draining() const noexcept { return draining_; }
    [[nodiscard]] std::uint16_t core() const noexcept { return core_; }
    [[nodiscard]] RequestId next_request_id() noexcept;

    Run* take_run() noexcept;  // null at limits::runs_per_core_max: 503 overloaded
    void give_back(Run& run) noexcept;
    void give_back(Exchange& exchange) noexcept;
    // The run with this handle, or null when it is over.
    [[nodiscard]] Run* find_run(std::uint32_t slot, std::uint32_t generation) noexcept;
    [[nodiscard]] std::uint32_t next_generation(std::uint32_t slot) noexcept {
        return ++generations_[slot];
    }

  private:
    Exchange* take_exchange() noexcept;
    void refuse(ServerConnection& connection, int status, const api::ApiError& error) noexcept;

    Loop& loop_;
    const std::uint16_t core_;
    Shared& shared_;
    upstream::Upstream& upstream_;
    Random& random_;
    std::shared_ptr<const Settings> settings_;
    std::shared_ptr<const replication::Directory> directory_;
    std::vector<Gateway*> peers_;
    std::unique_ptr<Metrics> metrics_;
    api::JsonReader json_;
    TurnCommits commits_;
    AppendLog append_log_;
    std::uint64_t requests_counter_ = 0;
    bool draining_ = false;
    bool stopping_ = false;

    std::vector<std::unique_ptr<Exchange>> exchanges_;
    std::vector<std::uint32_t> exchanges_free_;
    std::uint32_t exchanges_busy_ = 0;
    std::vector<std::unique_ptr<Run>> runs_;
    std::vector<std::uint32_t> runs_free_;
    std::vector<std::uint32_t> generations_;  // by run slot: the newest given out
    std::uint32_t runs_busy_ = 0;
};

}  // namespace nodex::gateway
