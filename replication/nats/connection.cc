// NatsConnection: libnats with the options that were found sound (replication/README.md,
// Transport).
#include "replication/nats/connection.h"

#include <nats/nats.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "edge/base/limits.h"
#include "edge/base/log.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds reopen_delay = 1 * second;
constexpr Nanoseconds close_timeout = 5 * second;
constexpr Nanoseconds flush_at_subscribe = 2 * second;
constexpr std::int64_t until_closed_ms = 3'600'000;  // a wait that close() ends

std::int64_t milliseconds(Nanoseconds time) noexcept {
    return time / millisecond;
}
Bytes view(const char* text) noexcept {
    return text == nullptr ? Bytes{} : Bytes(text);
}

}  // namespace

struct NatsConnection::State {
    State(ServerAddress server, std::string shown)
        : address(std::move(server)), name(std::move(shown)) {}

    // A subscription we want, and what libnats has of it. Outlives every callback: see release().
    struct Wanted {
        std::string subject;
        std::string group;
        Handler handler;
        State* state = nullptr;
        natsSubscription* subscription = nullptr;
    };

    natsStatus dial();
    void begin_dial();
    void adopt();
    void release();
    void listen(Wanted& entry);
    [[nodiscard]] std::uint64_t received() const noexcept;  // messages, by this connection
    [[nodiscard]] std::uint64_t dropped() const noexcept;   // of them, at libnats's bound
    [[nodiscard]] natsStatus set_options(natsOptions* options);
    bool may_connect();
    std::int64_t before_reconnect();

    // Callbacks of libnats, `closure` a State or a Wanted.
    static void on_message(natsConnection*, natsSubscription*, natsMsg* message, void* closure);
    static void on_subscription_end(void* closure);
    static void on_connected(natsConnection* connection, void* closure);
    static void on_disconnected(natsConnection* connection, void* closure);
    static void on_closed(natsConnection* connection, void* closure);
    static void on_error(natsConnection* connection, natsSubscription*, natsStatus status,
                         void* closure);

    const ServerAddress address;
    const std::string name;
    std::vector<std::unique_ptr<Wanted>> wanted;
    natsConnection* connection = nullptr;
    // What keep() lets a thread of its own do, as it waits for a server: `dialed` is the dialer's
    // until `dial_over`, then the driving thread's.
    std::thread dialer;
    std::atomic<bool> dial_over{false};
    natsConnection* dialed = nullptr;
    Nanoseconds opened_ns = 0;
    bool tls_told = false;  // of whoever connects: the driving thread, or libnats's for it
    std::uint64_t dropped_before = 0;    // by earlier connections
    std::atomic<bool> connected{false};  // libnats says so
    std::atomic<bool> adopted{false};    // and we have it, with its subscriptions
    std::atomic<std::uint64_t> disconnects{0}, reopens{0}, tls_demands{0}, unsent{0};
    std::atomic<std::uint64_t> dropped_seen{0};  // dropped_before + dropped(), for other threads
    std::atomic<std::uint64_t> handled{0};  // messages that have been through their handler

    std::mutex mutex;  // guards what follows
    std::condition_variable changed;
    bool closing = false;    // we want it closed
    bool closed = false;     // libnats has closed it
    unsigned listening = 0;  // subscriptions whose callbacks may still run
};

natsStatus NatsConnection::State::set_options(natsOptions* options) {
    natsStatus status = natsOptions_SetURL(options, address.url.c_str());
    const auto step = [&status](natsStatus next) {
        if (status == NATS_OK) status = next;
    };
    step(natsOptions_SetName(options, name.c_str()));
    step(natsOptions_SetMaxReconnect(options, -1));
    step(natsOptions_SetIgnoreDiscoveredServers(options, true));  // never away from this machine
    // With a callback, else connecting blocks until a server answers.
    step(natsOptions_SetRetryOnFailedConnect(options, true, &State::on_connected, this));
    step(natsOptions_SetCustomReconnectDelay(
        options,
        [](natsConnection*, int, void* closure) {
            return static_cast<State*>(closure)->before_reconnect();
        },
        this));
    step(natsOptions_SetPingInterval(options, milliseconds(limits::nats_ping_interval)));
    step(natsOptions_SetMaxPingsOut(options, limits::nats_pings_unanswered_max));
    step(natsOptions_SetTimeout(options, milliseconds(limits::nats_connect_deadline)));
    step(natsOptions_SetWriteDeadline(options, milliseconds(limits::nats_write_deadline)));
    step(natsOptions_SetSendAsap(options, true));
    step(natsOptions_SetReconnectBufSize(options, limits::nats_reconnect_buffer_bytes));
    step(natsOptions_SetMaxPendingMsgs(options, limits::link_inbound_messages_max));
    step(natsOptions_UseGlobalMessageDelivery(options, true));  // one thread for all subscriptions
    step(natsOptions_SetDisconnectedCB(options, &State::on_disconnected, this));
    step(natsOptions_SetReconnectedCB(options, &State::on_connected, this));
    step(natsOptions_SetClosedCB(options, &State::on_closed, this));
    step(natsOptions_SetErrorHandler(options, &State::on_error, this));
    return status;
}

// A plain server answers at this moment: libnats may connect. Not so when nobody answers, because
// who begins to listen a moment later may demand TLS. A demand is said once a run of them.
bool NatsConnection::State::may_connect() {
    const TlsDemand demand = ask_tls_demand(address, limits::nats_connect_deadline);
    if (demand == TlsDemand::required) {
        tls_demands.fetch_add(1, std::memory_order_relaxed);
        if (!tls_told)
            log::error("nats_wants_tls",
                       {{"server", address.text()},
                        {"advice",
                         "remove tls from the local listener of this nats-server: TLS belongs "
                         "between leaf and hub; waiting until it is plain"}});
    }
    tls_told = demand == TlsDemand::required;
    return demand == TlsDemand::none;
}

// Runs before each attempt of libnats, on its reconnect thread, and answers how many milliseconds
// it shall still wait: none, as the look at the server must be the last thing before the attempt.
std::int64_t NatsConnection::State::before_reconnect() {
    do {
        // Not a secret: it only keeps many processes from knocking at the same moment.
        const auto spread = static_cast<std::uint64_t>(limits::nats_reconnect_jitter);
        const std::uint64_t jitter =
            (static_cast<std::uint64_t>(system_clock().now_ns()) * 0x9E3779B97F4A7C15u >> 20) %
            spread;
        const Nanoseconds pause = limits::nats_reconnect_wait + static_cast<Nanoseconds>(jitter);
        std::unique_lock lock(mutex);
        changed.wait_for(lock, std::chrono::nanoseconds(pause), [this] { return closing; });
        if (closing) return until_closed_ms;
    } while (!may_connect());
    return 0;
}

void NatsConnection::State::on_message(natsConnection*, natsSubscription*, natsMsg* message,
                                       void* closure) {
    auto& wanted = *static_cast<Wanted*>(closure);
    const int length = natsMsg_GetDataLength(message);
    const char* data = natsMsg_GetData(message);
    wanted.handler({view(natsMsg_GetSubject(message)), view(natsMsg_GetReply(message)),
                    data == nullptr ? Bytes{} : Bytes(data, static_cast<std::size_t>(length)),
                    natsMsg_IsNoResponders(message)});
    natsMsg_Destroy(message);
    wanted.state->handled.fetch_add(1, std::memory_order_release);
}

void NatsConnection::State::on_subscription_end(void* closure) {
    State& state = *static_cast<Wanted*>(closure)->state;
    const std::lock_guard lock(state.mutex);
    --state.listening;
    state.changed.notify_all();
}

void NatsConnection::State::on_connected(natsConnection* connection, void* closure) {
    State& state = *static_cast<State*>(closure);
    state.connected.store(true, std::memory_order_release);
    const std::int64_t payload_max = natsConnection_GetMaxPayload(connection);
    log::info("nats_connected", {{"server", state.address.text()}, {"payload_max", payload_max}});
    if (payload_max < static_cast<std::int64_t>(limits::message_bytes_max + 64))
        log::warning("nats_payload_max_too_small",
                     {{"payload_max", payload_max},
                      {"advice", "set max_payload of every nats-server as deploy/nats does"}});
}

void NatsConnection::State::on_disconnected(natsConnection*, void* closure) {
    State& state = *static_cast<State*>(closure);
    if (!state.connected.exchange(false, std::memory_order_acq_rel)) return;
    state.disconnects.fetch_add(1, std::memory_order_relaxed);
    log::warning("nats_disconnected", {{"server", state.address.text()}});
}

void NatsConnection::State::on_closed(natsConnection* connection, void* closure) {
    State& state = *static_cast<State*>(closure);
    state.connected.store(false, std::memory_order_release);
    const char* last = nullptr;
    const natsStatus status = natsConnection_GetLastError(connection, &last);
    const std::lock_guard lock(state.mutex);
    if (!state.closing)
        log::error("nats_closed", {{"server", state.address.text()},
                                   {"status", natsStatus_GetText(status)},
                                   {"detail", view(last)},
                                   {"advice",
                                    "does the server know this user and password? Trying again "
                                    "every second"}});
    state.closed = true;
    state.changed.notify_all();
}

void NatsConnection::State::on_error(natsConnection* connection, natsSubscription*,
                                     natsStatus status, void* closure) {
    const State& state = *static_cast<State*>(closure);
    const char* last = nullptr;
    (void)natsConnection_GetLastError(connection, &last);
    log::warning("nats_error", {{"server", state.address.text()},
                                {"status", natsStatus_GetText(status)},
                                {"detail", view(last)}});
}

// Blocks for two deadlines at most: the look at the server, and the connection.
natsStatus NatsConnection::State::dial() {
    if (!may_connect()) return NATS_NOT_YET_CONNECTED;  // keep() tries again
    natsOptions* options = nullptr;
    natsStatus status = natsOptions_Create(&options);
    if (status != NATS_OK) return status;
    status = set_options(options);
    if (status == NATS_OK) status = natsConnection_Connect(&dialed, options);
    natsOptions_Destroy(options);  // the connection has its own copy
    if (status == NATS_OK) on_connected(dialed, this);
    return dialed == nullptr ? status : NATS_OK;
}

void NatsConnection::State::begin_dial() {
    opened_ns = system_clock().now_ns();
    dial_over.store(false, std::memory_order_relaxed);
    dialer = std::thread([this] {
        (void)dial();
        dial_over.store(true, std::memory_order_release);
    });
}

void NatsConnection::State::adopt() {
    if (dialer.joinable()) dialer.join();
    connection = std::exchange(dialed, nullptr);
    if (connection == nullptr) return;
    for (const auto& entry : wanted) listen(*entry);
    adopted.store(true, std::memory_order_release);
}

void NatsConnection::State::listen(Wanted& entry) {
    natsStatus status =
        entry.group.empty()
            ? natsConnection_Subscribe(&entry.subscription, connection, entry.subject.c_str(),
                                       &State::on_message, &entry)
            : natsConnection_QueueSubscribe(&entry.subscription, connection, entry.subject.c_str(),
                                            entry.group.c_str(), &State::on_message, &entry);
    if (status == NATS_OK) {
        {
            const std::lock_guard lock(mutex);
            ++listening;
        }
        status = natsSubscription_SetPendingLimits(
            entry.subscription, limits::link_inbound_messages_max, limits::link_inbound_bytes_max);
        const natsStatus told = natsSubscription_SetOnCompleteCB(
            entry.subscription, &State::on_subscription_end, &entry);
        NX_ASSERT(told == NATS_OK);
    }
    if (status != NATS_OK)
        log::error("nats_subscribe_failed",
                   {{"subject", entry.subject}, {"status", natsStatus_GetText(status)}});
}

// Subscriptions are destroyed only when their connection is closed, and a closure lives until
// libnats said that it is done with it.
void NatsConnection::State::release() {
    if (dialer.joinable()) adopt();
    if (connection == nullptr) return;
    adopted.store(false, std::memory_order_release);
    {
        const std::lock_guard lock(mutex);
        closing = true;
    }
    changed.notify_all();
    natsConnection_Close(connection);
    std::unique_lock lock(mutex);
    const bool ended = changed.wait_for(lock, std::chrono::nanoseconds(close_timeout),
                                        [this] { return closed && listening == 0; });
    NX_ASSERT(ended);  // else a callback could still come to an object that is gone
    lock.unlock();
    dropped_before += dropped();
    for (const auto& entry : wanted) {
        natsSubscription_Destroy(entry->subscription);
        entry->subscription = nullptr;
    }
    natsConnection_Destroy(connection);
    connection = nullptr;
    closing = closed = false;
    connected.store(false, std::memory_order_release);
    handled.store(0, std::memory_order_release);
}

std::uint64_t NatsConnection::State::received() const noexcept {
    natsStatistics* statistics = nullptr;
    if (natsStatistics_Create(&statistics) != NATS_OK) return 0;
    std::uint64_t messages = 0, in_bytes = 0, out_messages = 0, out_bytes = 0, reconnects = 0;
    if (natsConnection_GetStats(connection, statistics) == NATS_OK)
        (void)natsStatistics_GetCounts(statistics, &messages, &in_bytes, &out_messages, &out_bytes,
                                       &reconnects);
    natsStatistics_Destroy(statistics);
    return messages;
}

std::uint64_t NatsConnection::State::dropped() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& entry : wanted) {
        std::int64_t dropped = 0;
        if (entry->subscription != nullptr &&
            natsSubscription_GetDropped(entry->subscription, &dropped) == NATS_OK)
            sum += static_cast<std::uint64_t>(dropped);
    }
    return sum;
}

NatsConnection::NatsConnection(ServerAddress address, std::string name)
    : state_(std::make_unique<State>(std::move(address), std::move(name))) {}

NatsConnection::~NatsConnection() {
    state_->release();
}

Status NatsConnection::open() {
    state_->opened_ns = system_clock().now_ns();
    const natsStatus status = state_->dial();
    state_->adopt();
    if (connected()) return {};
    log::warning("nats_not_yet_connected",
                 {{"server", state_->address.text()}, {"status", natsStatus_GetText(status)}});
    if (status == NATS_NO_MEMORY || status == NATS_FAILED_TO_INITIALIZE)
        return Error{ErrorCode::unavailable, ErrorSource::central};
    return {};
}

void NatsConnection::subscribe(Bytes subject, Bytes group, Handler handler) {
    state_->wanted.push_back(std::make_unique<State::Wanted>());
    State::Wanted& entry = *state_->wanted.back();
    entry.subject = std::string(subject);
    entry.group = std::string(group);
    entry.handler = std::move(handler);
    entry.state = state_.get();
    if (state_->connection == nullptr) return;  // with the next one
    state_->listen(entry);
    // The server knows of it when this returns: whoever asks from then on finds us.
    if (connected())
        (void)natsConnection_FlushTimeout(state_->connection, milliseconds(flush_at_subscribe));
}

bool NatsConnection::publish(Bytes subject, Bytes reply, Bytes payload) {
    // Asked of libnats itself: what is published while it reconnects would be sent later.
    if (state_->connection == nullptr ||
        natsConnection_Status(state_->connection) != NATS_CONN_STATUS_CONNECTED) {
        state_->unsent.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    const std::string where(subject), back(reply);
    const auto length = static_cast<int>(payload.size());
    const natsStatus status =
        back.empty()
            ? natsConnection_Publish(state_->connection, where.c_str(), payload.data(), length)
            : natsConnection_PublishRequest(state_->connection, where.c_str(), back.c_str(),
                                            payload.data(), length);
    if (status != NATS_OK) state_->unsent.fetch_add(1, std::memory_order_relaxed);
    return status == NATS_OK;
}

void NatsConnection::keep() {
    State& state = *state_;
    if (state.dialer.joinable()) {
        if (!state.dial_over.load(std::memory_order_acquire)) return;
        state.adopt();
    }
    state.dropped_seen.store(dropped(), std::memory_order_relaxed);
    {
        const std::lock_guard lock(state.mutex);
        if (state.connection != nullptr && !state.closed) return;
    }
    if (system_clock().now_ns() - state.opened_ns < reopen_delay) return;
    state.release();
    state.reopens.fetch_add(1, std::memory_order_relaxed);
    state.begin_dial();
}

bool NatsConnection::flush(Nanoseconds timeout_ns) {
    State& state = *state_;
    if (!connected()) return false;
    const Nanoseconds until_ns = system_clock().now_ns() + timeout_ns;
    if (natsConnection_FlushTimeout(state.connection, milliseconds(timeout_ns)) != NATS_OK)
        return false;
    const std::uint64_t received = state.received();
    while (state.handled.load(std::memory_order_acquire) + state.dropped() < received) {
        if (system_clock().now_ns() >= until_ns) return false;
        std::this_thread::yield();
    }
    return true;
}

bool NatsConnection::connected() const noexcept {
    return state_->adopted.load(std::memory_order_acquire) &&
           state_->connected.load(std::memory_order_acquire);
}

std::uint64_t NatsConnection::disconnects() const noexcept {
    return state_->disconnects.load(std::memory_order_relaxed);
}

std::uint64_t NatsConnection::reopens() const noexcept {
    return state_->reopens.load(std::memory_order_relaxed);
}

std::uint64_t NatsConnection::tls_demands() const noexcept {
    return state_->tls_demands.load(std::memory_order_relaxed);
}

LinkCounters NatsConnection::counters() const noexcept {
    LinkCounters counters;
    counters.connected = connected();
    counters.disconnects = disconnects();
    counters.reopened = reopens();
    counters.tls_demands = tls_demands();
    counters.unsent = state_->unsent.load(std::memory_order_relaxed);
    counters.dropped = state_->dropped_seen.load(std::memory_order_relaxed);
    return counters;
}

std::uint64_t NatsConnection::dropped() const noexcept {
    return state_->dropped_before + state_->dropped();
}

}  // namespace nodex::replication
