// Bookkeeping of one endpoint's connections.
#include "edge/upstream/pool.h"

#include <algorithm>

namespace nodex::upstream {

Pool::Pool(Loop& loop, Resolver& resolver, PoolOwner& owner, std::shared_ptr<const EndpointConfig> config,
           std::shared_ptr<tls::ClientContext> context) noexcept
    : loop_(loop), resolver_(resolver), owner_(owner), config_(std::move(config)),
      context_(std::move(context)) {}

Pool::~Pool() { NX_ASSERT(empty()); }

// Newest first: a burst's extra connections then stay unused and reach their idle deadline.
Connection* Pool::reuse(Exchange& exchange, const Deadlines& deadlines) noexcept {
    if (idle_.empty()) return nullptr;
    Connection* connection = idle_.back();
    idle_.pop_back();
    connection->reuse(exchange, deadlines);
    return connection;
}

Connection* Pool::open(Exchange& exchange, const Deadlines& deadlines) noexcept {
    NX_ASSERT(usable());
    if (open_count() >= config_->connections_max) return nullptr;
    if (vacant_.empty()) {
        ConnectionOwner& as_owner = *this;
        connections_.push_back(std::make_unique<Connection>(loop_, resolver_, as_owner));
        vacant_.push_back(connections_.back().get());
    }
    Connection* connection = vacant_.back();
    vacant_.pop_back();
    connection->open(*config_, config_->tls ? context_ : nullptr, exchange, deadlines);
    return connection;
}

void Pool::replace_config(std::shared_ptr<const EndpointConfig> config) noexcept {
    config_ = std::move(config);
}

void Pool::close_idle() noexcept {
    while (!idle_.empty()) idle_.back()->close_pooled();  // removes itself, see connection_unpooled
}

void Pool::retire() noexcept {
    retired_ = true;
    close_idle();
}

void Pool::connection_pooled(Connection& connection) noexcept {
    idle_.push_back(&connection);
    if (retired_) return connection.close_pooled();
    if (idle_.size() > config_->idle_connections_max) idle_.front()->close_pooled();
}

void Pool::connection_unpooled(Connection& connection) noexcept {
    const auto position = std::find(idle_.begin(), idle_.end(), &connection);
    NX_ASSERT(position != idle_.end());
    idle_.erase(position);
}

void Pool::connection_vacant(Connection& connection) noexcept {
    vacant_.push_back(&connection);
    if (empty()) owner_.pool_empty();
}

}  // namespace nodex::upstream
