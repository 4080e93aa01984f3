// Acceptor: one listener of one core.
#include "edge/connection/acceptor.h"

#include <unistd.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <vector>

namespace nodex {
namespace {

// A connection, and what the acceptor notes about it. Slots are reused and never move.
struct Slot {
    Slot(Loop& loop, RequestHandler& handler, ServerConnectionOwner& owner)
        : connection(loop, handler, owner) {}
    ServerConnection connection;
    std::string address;         // counted under this name; "" for Unix sockets, which are not counted
    std::size_t live_index = 0;  // in State::live, while open
};

}  // namespace

// waiting --> accepting <--> paused       any --> draining --> closed
struct Acceptor::State {
    enum class Phase : std::uint8_t { waiting, accepting, paused, draining, closed };

    State(Acceptor& self_arg, Loop& loop_arg, RequestHandler& handler_arg, int listener_arg,
          AcceptorOptions options_arg)
        : self(self_arg),
          loop(loop_arg),
          handler(handler_arg),
          listener(listener_arg),
          options(options_arg) {}

    static bool may_follow(Phase from, Phase to) noexcept;
    void enter(Phase next) noexcept;
    void accept() noexcept;
    void accept_done(std::int32_t result) noexcept;
    void pause() noexcept;
    void go_on_if_room() noexcept;
    void open(int fd) noexcept;
    Slot& take_slot() noexcept;
    [[nodiscard]] bool count_address(Slot& slot) noexcept;
    void close_listener() noexcept;
    void close_done(std::int32_t) noexcept { enter(Phase::closed); }

    Acceptor& self;
    Loop& loop;
    RequestHandler& handler;
    int listener;
    std::shared_ptr<tls::ServerContext> context;
    AcceptorOptions options;
    Phase phase = Phase::waiting;
    Completion accept_operation;
    Completion close_operation;
    Timer retry_timer;
    std::vector<std::unique_ptr<Slot>>
        slots;  // all there are; at most connections_max and what a cancel let through
    std::vector<Slot*> free;
    std::vector<Slot*> live;
    std::unordered_map<ServerConnection*, Slot*> by_connection;
    std::unordered_map<std::string, std::uint32_t> counts;  // open connections by address
};

bool Acceptor::State::may_follow(Phase from, Phase to) noexcept {
    switch (from) {
        case Phase::waiting: return to == Phase::accepting || to == Phase::draining;
        case Phase::accepting: return to == Phase::paused || to == Phase::draining;
        case Phase::paused: return to == Phase::accepting || to == Phase::draining;
        case Phase::draining: return to == Phase::closed;
        case Phase::closed: return false;
    }
    return false;
}

void Acceptor::State::enter(Phase next) noexcept {
    NX_ASSERT(may_follow(phase, next));
    phase = next;
}

// Also the end of a pause. While the cancelled accept is still in flight its end calls again.
void Acceptor::State::accept() noexcept {
    if (phase != Phase::accepting) enter(Phase::accepting);
    if (!accept_operation.in_flight())
        loop.io().accept(accept_operation, listener, then<&State::accept_done>(this));
}

void Acceptor::State::accept_done(std::int32_t result) noexcept {
    if (result >= 0) open(result);
    if (accept_operation.in_flight()) {
        if (phase == Phase::accepting && live.size() >= options.connections_max) pause();
        return;
    }
    if (phase == Phase::draining) return close_listener();
    if (phase == Phase::paused && live.size() >= options.connections_max) return;
    if (result >= 0 || result == -ECANCELED) return accept();
    // Out of descriptors or memory: a closing connection or the timer tries again, whichever comes first.
    if (phase == Phase::accepting) enter(Phase::paused);
    start_timer<&State::accept>(loop.timers(), retry_timer, loop.now_ns() + limits::accept_retry_delay, this);
}

void Acceptor::State::pause() noexcept {
    enter(Phase::paused);
    loop.io().cancel(accept_operation);
}

void Acceptor::State::go_on_if_room() noexcept {
    if (phase != Phase::paused || live.size() >= options.connections_max) return;
    loop.timers().cancel(retry_timer);
    accept();
}

void Acceptor::State::open(int fd) noexcept {
    Slot& slot = take_slot();
    slot.live_index = live.size();
    live.push_back(&slot);
    slot.connection.set_keep_alive(options.keep_alive);
    slot.connection.open(fd, context, context != nullptr);
    if (!count_address(slot))
        slot.connection.cut();
    else if (phase == Phase::draining)
        slot.connection.drain();
}

Slot& Acceptor::State::take_slot() noexcept {
    if (free.empty()) {
        slots.push_back(std::make_unique<Slot>(loop, handler, self));
        by_connection.emplace(&slots.back()->connection, slots.back().get());
        return *slots.back();
    }
    Slot* const slot = free.back();
    free.pop_back();
    return *slot;
}

// False: this address has as many as it may have, and this one is not counted.
bool Acceptor::State::count_address(Slot& slot) noexcept {
    slot.address = slot.connection.peer_address();
    if (slot.address.empty()) return true;
    std::uint32_t& count = counts[slot.address];
    if (count >= options.connections_per_address_max) {
        slot.address.clear();
        return false;
    }
    ++count;
    return true;
}

void Acceptor::State::close_listener() noexcept {
    if (close_operation.in_flight() || phase == Phase::closed) return;
    loop.io().close(close_operation, listener, then<&State::close_done>(this));
}

Acceptor::Acceptor(Loop& loop, RequestHandler& handler, int listener,
                   std::shared_ptr<tls::ServerContext> context, AcceptorOptions options) noexcept
    : state_(std::make_unique<State>(*this, loop, handler, listener, options)) {
    NX_ASSERT(options.connections_max > 0);
    state_->context = std::move(context);
}

Acceptor::~Acceptor() {
    NX_ASSERT(state_->live.empty());
    NX_ASSERT(!state_->accept_operation.in_flight());
    // Never started: nothing of the kernel's refers to the listener, and there may be no loop any more.
    if (state_->phase == State::Phase::waiting) ::close(state_->listener);
}

void Acceptor::start() noexcept {
    state_->accept();
}

void Acceptor::replace_context(std::shared_ptr<tls::ServerContext> context) noexcept {
    NX_ASSERT((context == nullptr) == (state_->context == nullptr));
    state_->context = std::move(context);
}

void Acceptor::replace_options(AcceptorOptions options) noexcept {
    NX_ASSERT(options.connections_max > 0);
    State& state = *state_;
    state.options = options;
    for (Slot* const slot : state.live) slot->connection.set_keep_alive(options.keep_alive);
    const bool full = state.live.size() >= options.connections_max;
    if (state.phase == State::Phase::accepting && full && state.accept_operation.in_flight()) state.pause();
    state.go_on_if_room();
}

void Acceptor::drain() noexcept {
    if (state_->phase == State::Phase::draining || state_->phase == State::Phase::closed) return;
    state_->enter(State::Phase::draining);
    state_->loop.timers().cancel(state_->retry_timer);
    if (state_->accept_operation.in_flight())
        state_->loop.io().cancel(state_->accept_operation);
    else
        state_->close_listener();
    for (Slot* const slot : state_->live) slot->connection.drain();
}

void Acceptor::abort_all() noexcept {
    for (Slot* const slot : state_->live) slot->connection.abandon();
}

bool Acceptor::drained() const noexcept {
    return state_->phase == State::Phase::closed && state_->live.empty();
}

std::uint32_t Acceptor::connections_count() const noexcept {
    return static_cast<std::uint32_t>(state_->live.size());
}

void Acceptor::connection_closed(ServerConnection& connection) noexcept {
    State& state = *state_;
    Slot& slot = *state.by_connection.at(&connection);
    if (!slot.address.empty()) {
        const auto count = state.counts.find(slot.address);
        NX_ASSERT(count != state.counts.end());
        if (--count->second == 0) state.counts.erase(count);
    }
    Slot* const last = state.live.back();
    last->live_index = slot.live_index;
    state.live[slot.live_index] = last;
    state.live.pop_back();
    state.free.push_back(&slot);
    state.go_on_if_room();
}

}  // namespace nodex
