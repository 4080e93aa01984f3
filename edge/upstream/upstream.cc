// The endpoints of one core: choice, health, and their replacement at a reload.
#include "edge/upstream/upstream.h"

#include <algorithm>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "edge/upstream/routing.h"
#include "edge/upstream/upstream_state.h"

namespace nodex::upstream {
namespace {

// Connections to `before` may serve `after`: the same peer, trusted the same way.
bool same_place(const EndpointConfig& before, const EndpointConfig& after) noexcept {
    return before.tls == after.tls && before.host == after.host && before.port == after.port &&
           before.ca_file == after.ca_file;
}

}  // namespace

Upstream::Upstream(Loop& loop, std::vector<std::shared_ptr<const EndpointConfig>> endpoints,
                   Resolver& resolver, Random& random)
    : state_(std::make_unique<State>(loop, resolver, random)) {
    for (auto& config : endpoints) state_->set_endpoint(std::move(config));
}

Upstream::~Upstream() { NX_ASSERT(idle()); }

std::vector<std::size_t> Upstream::choose(Bytes model) const {
    std::vector<Candidate> candidates;
    candidates.reserve(state_->slots.size());
    const std::string key(model);
    for (std::size_t index = 0; index < state_->slots.size(); ++index) {
        const State::Slot& slot = state_->slots[index];
        if (slot.pool == nullptr || !slot.config->models.contains(key)) continue;
        candidates.push_back({index, slot.config->weight, slot.pool->health.standing(state_->loop.now_ns())});
    }
    return order_candidates(std::move(candidates), state_->random);
}

const EndpointConfig& Upstream::endpoint(std::size_t index) const noexcept {
    NX_ASSERT(index < state_->slots.size());
    return *state_->slots[index].config;
}

void Upstream::report(std::size_t endpoint, bool success) noexcept {
    NX_ASSERT(endpoint < state_->slots.size());
    Pool* pool = state_->slots[endpoint].pool.get();
    if (pool == nullptr) return;
    if (success)
        state_->note_success(*pool);
    else
        state_->note_failure(*pool, Error{ErrorCode::unavailable, ErrorSource::provider});
}

std::vector<EndpointStatus> Upstream::status() const {
    std::vector<EndpointStatus> all;
    for (const State::Slot& slot : state_->slots) {
        if (slot.pool == nullptr) continue;
        EndpointStatus& one = all.emplace_back();
        one.name = slot.config->name;
        one.ejected = slot.pool->health.ejected();
        one.requests = slot.pool->requests_count;
        one.failures = slot.pool->failures_count;
        one.connections_open = static_cast<std::uint32_t>(slot.pool->open_count());
        one.connections_idle = static_cast<std::uint32_t>(slot.pool->idle_count());
    }
    return all;
}

void Upstream::replace_endpoints(std::vector<std::shared_ptr<const EndpointConfig>> endpoints) {
    state_->contexts.clear();  // CA files are read again for endpoints that are new or have moved
    for (State::Slot& slot : state_->slots) {
        const bool stays = std::any_of(endpoints.begin(), endpoints.end(),
                                       [&](const auto& config) { return config->name == slot.config->name; });
        if (!stays) state_->remove(slot);
    }
    for (auto& config : endpoints) state_->set_endpoint(std::move(config));
}

void Upstream::close_idle() noexcept {
    for (State::Slot& slot : state_->slots)
        if (slot.pool != nullptr) slot.pool->close_idle();
}

bool Upstream::idle() const noexcept {
    const auto quiet = [](const State::Slot& slot) { return slot.pool == nullptr || slot.pool->empty(); };
    return state_->retired.empty() && std::all_of(state_->slots.begin(), state_->slots.end(), quiet);
}

// --- State ---

void Upstream::State::set_endpoint(std::shared_ptr<const EndpointConfig> config) {
    auto slot = std::find_if(slots.begin(), slots.end(),
                             [&](const Slot& existing) { return existing.config->name == config->name; });
    if (slot == slots.end()) slot = slots.insert(slots.end(), Slot{});
    if (slot->pool != nullptr && same_place(*slot->config, *config)) {
        slot->pool->replace_config(config);
    } else {
        if (slot->pool != nullptr) remove(*slot);
        slot->pool = std::make_unique<Pool>(loop, resolver, *this, config, context_for(*config));
    }
    slot->config = std::move(config);
}

void Upstream::State::remove(Slot& slot) {
    if (slot.pool != nullptr) retire(std::move(slot.pool));
}

// Running calls finish on the retired pool; it is destroyed when its last connection has gone.
void Upstream::State::retire(std::unique_ptr<Pool> pool) {
    pool->retire();
    retired.push_back(std::move(pool));
    pool_empty();
}

std::shared_ptr<tls::ClientContext> Upstream::State::context_for(const EndpointConfig& config) {
    if (!config.tls) return nullptr;
    auto& context = contexts[config.ca_file];
    if (context == nullptr) {
        auto created = tls::ClientContext::create({.ca_file = config.ca_file});
        if (created) context = std::move(*created);
    }
    // Calls to it fail with bad_configuration; the other endpoints go on working.
    if (context == nullptr)
        log::error("endpoint_unusable", {{"endpoint", config.name}, {"ca_file", config.ca_file}});
    return context;
}

void Upstream::State::note_failure(Pool& pool, Error error) noexcept {
    ++pool.failures_count;
    const bool was_ejected = pool.health.ejected();
    pool.health.failed(loop.now_ns());
    if (!was_ejected && pool.health.ejected())
        log::warning("endpoint_ejected", {{"endpoint", pool.config()->name}, {"reason", error}});
}

void Upstream::State::note_success(Pool& pool) noexcept {
    if (pool.health.ejected()) log::info("endpoint_recovered", {{"endpoint", pool.config()->name}});
    pool.health.succeeded();
}

void Upstream::State::pool_empty() noexcept {
    if (!retired.empty()) at_turn_end<&Upstream::State::sweep_retired>(loop, sweep, this);
}

void Upstream::State::sweep_retired() noexcept {
    std::erase_if(retired, [](const auto& pool) { return pool->empty(); });
}

}  // namespace nodex::upstream
