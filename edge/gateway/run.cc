// The life of a run: phases, the client that comes and goes, watchers.
#include "edge/gateway/run.h"

#include <array>

#include "edge/gateway/exchange.h"
#include "edge/gateway/gateway.h"

namespace nodex::gateway {

Run::Run(Gateway& gateway, std::uint32_t slot)
    : gateway_(gateway), slot_(slot), call_(gateway.upstream(), *this) {}

Run::~Run() {
    NX_ASSERT(phase_ == Phase::idle);
}

const char* name(Run::Phase phase) noexcept {
    switch (phase) {
        case Run::Phase::idle: return "idle";
        case Run::Phase::dispatching: return "dispatching";
        case Run::Phase::relaying: return "relaying";
        case Run::Phase::ending: return "ending";
        case Run::Phase::settling: return "settling";
        case Run::Phase::releasing: return "releasing";
    }
    return "unknown";
}

bool Run::may_follow(Phase from, Phase to) noexcept {
    static constexpr std::array<std::array<bool, 6>, 6> table{{
        //                 idle   dispat relay  ending settle releas
        /* idle */ {{false, true, false, false, false, false}},
        /* dispatching */ {{false, false, true, true, false, true}},
        /* relaying */ {{false, false, false, true, false, true}},
        /* ending */ {{false, false, false, false, true, true}},
        /* settling */ {{true, false, false, false, false, false}},
        /* releasing */ {{true, false, false, false, false, false}},
    }};
    return table[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}

void Run::enter(Phase next) noexcept {
    NX_ASSERT(may_follow(phase_, next));
    phase_ = next;
}

// --- the client that started it ---

void Run::client_writable() noexcept {
    check_window();
}

void Run::client_head_sent() noexcept {
    head_sent_ = true;
}

void Run::client_gone() noexcept {
    client_ = nullptr;
    check_window();
    abandon_if_unwanted();
}

// Nobody listens. Who sent a key may ask again: the provider is drained, within bounds. Who sent
// none cannot: the provider is cancelled after a grace in which an SDK's own retry may come back.
void Run::abandon_if_unwanted() noexcept {
    if (client_ != nullptr || watches_ != nullptr) return;
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;
    const Settings& settings = *gateway_.settings();
    const Nanoseconds now = gateway_.loop().now_ns();
    TimerWheel& timers = gateway_.loop().timers();
    if (order_.on_disconnect == OnDisconnect::cancel)
        start_timer<&Run::grace_over>(timers, grace_, now + settings.disconnect_grace, this);
    else if (!drain_.armed())
        start_timer<&Run::drain_over>(timers, drain_, now + settings.drain_deadline, this);
}

void Run::grace_over() noexcept {
    if (client_ != nullptr || watches_ != nullptr) return;
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;
    call_.cancel();
    if (events_ == 0)
        return fail(
            {api::Code::upstream_lost, {}, {}, -1});  // nothing was produced: nothing is charged
    end(storage::Outcome::client_gone, false);
}

void Run::drain_over() noexcept {
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;
    call_.cancel();
    lose_stream(api::Code::upstream_timeout);
}

void Run::stop() noexcept {
    if (phase_ != Phase::dispatching && phase_ != Phase::relaying) return;
    call_.cancel();
    if (events_ == 0) return fail(stopped());
    lose_stream(api::Code::upstream_lost);
}

api::ApiError Run::stopped() noexcept {
    return {api::Code::overloaded,
            "This node is being stopped. Retry with the same idempotency key.",
            {},
            limits::retry_after_ms};
}

// --- watchers ---

void Run::add_watch(Watch& watch) noexcept {
    gateway_.loop().timers().cancel(grace_);
    gateway_.loop().timers().cancel(drain_);  // it begins anew when the last listener has left
    watch.next = watches_;
    watches_ = &watch;
    watch.name_answer(order_.open, order_.writer->key_record());
    watch.publish(chunks_durable_);
}

void Run::remove_watch(Watch& watch) noexcept {
    for (Watch** link = &watches_; *link != nullptr; link = &(*link)->next) {
        if (*link != &watch) continue;
        *link = watch.next;
        watch.next = nullptr;
        break;
    }
    abandon_if_unwanted();
}

void Run::leave_watches(Watch::Leave how) noexcept {
    while (watches_ != nullptr) {
        Watch* watch = watches_;
        watches_ = watch->next;
        watch->next = nullptr;
        watch->leave(how);  // the watcher may reuse it from here on
    }
}

}  // namespace nodex::gateway
