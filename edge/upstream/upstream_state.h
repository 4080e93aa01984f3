// What Upstream and its calls share; internal to this folder.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/upstream/pool.h"
#include "edge/upstream/upstream.h"

namespace nodex::upstream {

struct Upstream::State final : PoolOwner {
    // A name keeps its index for the life of the process, so an index that a request holds across a reload
    // never means another provider. Bounded by the number of names ever configured.
    struct Slot {
        std::shared_ptr<const EndpointConfig> config;  // the last one
        std::unique_ptr<Pool> pool;                    // null: no longer in the configuration
    };

    State(Loop& owner_loop, Resolver& owner_resolver, Random& owner_random) noexcept
        : loop(owner_loop), resolver(owner_resolver), random(owner_random) {}

    void set_endpoint(std::shared_ptr<const EndpointConfig> config);
    void remove(Slot& slot);
    void retire(std::unique_ptr<Pool> pool);
    std::shared_ptr<tls::ClientContext> context_for(const EndpointConfig& config);
    void note_failure(Pool& pool, Error error) noexcept;
    void note_success(Pool& pool) noexcept;
    void pool_empty() noexcept override;
    void sweep_retired() noexcept;

    Loop& loop;
    Resolver& resolver;
    Random& random;
    std::vector<Slot> slots;
    std::vector<std::unique_ptr<Pool>> retired;  // until their last connection has gone
    // By CA file, so that endpoints with the same trust share one parsed store and its TLS sessions.
    std::map<std::string, std::shared_ptr<tls::ClientContext>> contexts;
    TurnTask sweep;
};

}  // namespace nodex::upstream
