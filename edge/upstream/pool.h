// The connections of one core to one endpoint: idle ones are reused newest first, their number is bounded,
// and the endpoint's health is kept beside them.
#pragma once
#include <memory>
#include <vector>

#include "edge/upstream/connection.h"
#include "edge/upstream/endpoint.h"
#include "edge/upstream/health.h"

namespace nodex::upstream {

// Told when a pool's last connection has gone.
class PoolOwner {
  public:
    virtual void pool_empty() noexcept = 0;

  protected:
    ~PoolOwner() = default;
};

class Pool final : ConnectionOwner {
  public:
    // `context` null: the endpoint is plain, or (usable() false) its TLS configuration could not be loaded.
    Pool(Loop& loop, Resolver& resolver, PoolOwner& owner, std::shared_ptr<const EndpointConfig> config,
         std::shared_ptr<tls::ClientContext> context) noexcept;
    ~Pool();  // asserts empty()

    // The newest idle connection, sending; null when none is idle.
    Connection* reuse(Exchange& exchange, const Deadlines& deadlines) noexcept;
    // A fresh connection, opening; null at connections_max.
    Connection* open(Exchange& exchange, const Deadlines& deadlines) noexcept;
    void close_idle() noexcept;
    // No connection is kept from here on: the endpoint left the configuration or moved.
    void retire() noexcept;
    // The same place with other settings (weight, models, credential, deadlines).
    void replace_config(std::shared_ptr<const EndpointConfig> config) noexcept;

    [[nodiscard]] const std::shared_ptr<const EndpointConfig>& config() const noexcept { return config_; }
    [[nodiscard]] bool usable() const noexcept { return !config_->tls || context_ != nullptr; }
    [[nodiscard]] std::size_t open_count() const noexcept { return connections_.size() - vacant_.size(); }
    [[nodiscard]] std::size_t idle_count() const noexcept { return idle_.size(); }
    [[nodiscard]] bool empty() const noexcept { return open_count() == 0; }

    Health health;
    std::uint64_t requests_count = 0;
    std::uint64_t failures_count = 0;

  private:
    void connection_pooled(Connection& connection) noexcept override;
    void connection_unpooled(Connection& connection) noexcept override;
    void connection_vacant(Connection& connection) noexcept override;

    Loop& loop_;
    Resolver& resolver_;
    PoolOwner& owner_;
    std::shared_ptr<const EndpointConfig> config_;
    std::shared_ptr<tls::ClientContext> context_;
    std::vector<std::unique_ptr<Connection>> connections_;  // all ever opened; at most connections_max
    std::vector<Connection*> idle_;                         // phase pooled; oldest first
    std::vector<Connection*> vacant_;
    bool retired_ = false;
};

}  // namespace nodex::upstream
