// Start, reload and end of an edge node.
#include "edge/core/node.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "edge/base/log.h"
#include "edge/base/thread_role.h"
#include "edge/core/rotate.h"
#include "edge/core/sandbox.h"
#include "edge/crypto/crypto.h"
#include "edge/gateway/recovery_meter.h"
#include "edge/http/request_parser.h"
#include "edge/io/self_test.h"
#include "storage/kek_rows.h"
#include "storage/recovery.h"

namespace nodex::core {
namespace {

constexpr Nanoseconds register_timeout = 10 * second;  // then it is said, and waited on
constexpr Nanoseconds register_poll = 200 * millisecond;
constexpr Nanoseconds drain_hard_limit =
    10 * second;  // beyond the configured deadline: then the process just ends

unsigned processors() noexcept {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
}

Error configuration_error(const char* event, Bytes advice) {
    log::error(event, {{"advice", advice}});
    return {ErrorCode::bad_configuration, ErrorSource::configuration};
}

// "127.0.0.1:0" with the port the kernel chose for the first core.
std::string with_port(const std::string& address, std::uint16_t port) {
    return address.substr(0, address.rfind(':') + 1) + std::to_string(port);
}

void append_json_list(std::string& target, const char* name,
                      const std::vector<std::string>& values) {
    target.append("\"").append(name).append("\":[");
    for (std::size_t i = 0; i < values.size(); ++i)
        target.append(i ? ",\"" : "\"").append(values[i]).append("\"");
    target += ']';
}

}  // namespace

Node::Node(Config config) : config_(std::move(config)) {}

Node::~Node() = default;

Status Node::start(bool standalone, const std::function<bool()>& stop_asked) {
    started_ns_ = system_clock().now_ns();
    if (!http::llhttp_is_strict())
        return configuration_error("start_refused",
                                   "llhttp was compiled without LLHTTP_STRICT_MODE: it accepts "
                                   "smuggled requests; rebuild");
    cores_count_ = config_.cores > 0 ? config_.cores : processors();
    for (const auto step : {&Node::read_files, &Node::bind_listeners})
        if (Status status = (this->*step)(); !status) return status;
    if (Status status = drop_privileges(config_.user); !status) return status;
    if (Status status = check_ring_restrictions(); !status) return status;
    for (const auto step : {&Node::open_storage, &Node::bind_admin,
                            standalone ? &Node::open_centre : &Node::open_link})
        if (Status status = (this->*step)(); !status) return status;
    if (Status status = register_pop(stop_asked); !status) return status;
    for (const auto step : {&Node::make_cores, &Node::run_cores})
        if (Status status = (this->*step)(); !status) return status;
    if (Status status = write_listen_file(); !status) return status;
    log_budget();
    log::info("serving", {{"node", config_.name},
                          {"version", config_.gateway.version},
                          {"cores", cores_count_},
                          {"durability",
                           config_.durability == storage::Durability::power ? "power" : "process"},
                          {"start_ms", (system_clock().now_ns() - started_ns_) / millisecond}});
    return {};
}

// What needs the rights we are about to give up.
Status Node::read_files() {
    auto secrets = read_secrets(config_);
    if (!secrets) return secrets.error();
    secrets_ = *secrets;
    if (Status status = check_no_rotation(config_); !status) return status;
    auto vault = storage::Vault::open(config_.secrets_dir + "/" + node_key_file, false,
                                      crypto::secure_random());
    if (!vault) return vault.error();
    vault_ = std::move(*vault);
    if (config_.tls_listeners.empty()) return {};
    ticket_keys_ = std::make_shared<tls::TicketKeys>(crypto::secure_random(), system_clock());
    auto context = tls::ServerContext::create(config_.certificates, ticket_keys_);
    if (!context) return context.error();
    server_context_ = *context;
    return {};
}

// Every core has its own socket of each address (SO_REUSEPORT): the kernel spreads connections.
Status Node::bind_listeners() {
    listeners_.resize(cores_count_);
    const auto bind = [this](const std::string& configured, bool secure) -> Status {
        std::string address = configured;
        if (Status free = check_address_free(address); !free) {
            log::error(
                "listen_failed",
                {{"address", address},
                 {"errno", free.error().os_errno},
                 {"advice", "is the address taken, or not numeric (127.0.0.1:8443, [::]:8443)?"}});
            return free;
        }
        for (unsigned core = 0; core < cores_count_; ++core) {
            auto fd = listen_on(address);
            if (!fd) {
                log::error(
                    "listen_failed",
                    {{"address", address},
                     {"errno", fd.error().os_errno},
                     {"advice", "is the address free, and numeric (127.0.0.1:8443, [::]:8443)?"}});
                return fd.error();
            }
            if (core == 0) address = with_port(address, local_port(*fd));
            listeners_[core].push_back({*fd, secure});
        }
        (secure ? tls_addresses_ : plain_addresses_).push_back(address);
        return {};
    };
    for (const std::string& address : config_.tls_listeners)
        if (Status status = bind(address, true); !status) return status;
    for (const std::string& address : config_.plain_listeners)
        if (Status status = bind(address, false); !status) return status;
    if (config_.metrics_listener.empty()) return {};
    auto metrics = listen_on(config_.metrics_listener);
    if (!metrics) {
        log::error("listen_failed",
                   {{"address", config_.metrics_listener}, {"errno", metrics.error().os_errno}});
        return metrics.error();
    }
    metrics_listener_ = *metrics;
    metrics_address_ = with_port(config_.metrics_listener, local_port(*metrics));
    return {};
}

Status Node::open_storage() {
    storage::RocksOptions options;
    options.path = config_.data_dir + "/db";
    options.block_cache_bytes = static_cast<std::uint64_t>(config_.cache_bytes);
    options.free_bytes_min = config_.free_space_floor_bytes;
    options.body_retention_s =
        static_cast<std::uint64_t>(config_.gateway.answer_retention_ms / 1'000) + 2 * 3'600;
    auto store = storage::RocksStore::open(options);
    if (!store) return store.error();
    store_ = std::move(*store);
    if (Status status = storage::load_keks(*store_, *vault_); !status) return status;
    auto journal = storage::Journal::open(*store_, crypto::secure_random());
    if (!journal) return journal.error();
    journal_ = std::move(*journal);
    storage::RecoveryOptions recovery;
    recovery.now_ms = system_clock().wall_ms();
    recovery.answer_lifetime_ms = config_.gateway.answer_retention_ms;
    recovery.durability = config_.durability;
    recovery.count = gateway::count_delivered;
    auto summary = storage::recover(*journal_, *store_, *vault_, recovery);
    if (!summary) {
        log::error("recovery_failed", {{"error", summary.error()}});
        return summary.error();
    }
    commits_ = std::make_unique<storage::CommitThread>(*store_, *journal_, system_clock(),
                                                       config_.durability);
    commits_->start();
    purger_ = std::make_unique<storage::PurgeThread>(storage::purge_pass(*store_));
    return {};
}

// After the data directory is ours: the socket file of a node that is running must stay its own.
Status Node::bind_admin() {
    auto admin = listen_on(config_.admin_socket);
    if (!admin) {
        log::error(
            "listen_failed",
            {{"address", config_.admin_socket},
             {"errno", admin.error().os_errno},
             {"advice", "does the folder of node.admin_socket exist, and may we write to it?"}});
        return admin.error();
    }
    admin_listener_ = *admin;
    return {};
}

// The centre in this process.
Status Node::open_centre() {
    link_key_ = crypto::SecretKey::generate(crypto::secure_random());
    replication::CentralOptions centre;
    centre.key_hash_secret = secrets_.key_hash;
    centre.link_keys.emplace_back(PopId{config_.pop_id}, link_key_);
    centre.commanders.trusted_pops = {PopId{config_.pop_id}};
    centre.root_key = secrets_.root;
    centre.root_key_path = config_.secrets_dir + "/" + root_key_file;
    centre.ship_pieces = {Standalone::settlements_a_write, give_way};
    standalone_ = std::make_unique<Standalone>(*store_, config_.durability, system_clock(),
                                               std::move(centre));
    const Status status = standalone_->start();
    if (!status && status.error().code == ErrorCode::corrupt)
        log::error("ledger_refused", {{"error", status.error()},
                                      {"advice",
                                       "the ledger's rows do not add up to its balances; restore a "
                                       "backup or run with support"}});
    return status;
}

// The centre behind the nats-server of this machine.
Status Node::open_link() {
    auto connection = open_central_link(config_, system_clock());
    if (!connection) return connection.error();
    nats_ = std::move(connection->transport);
    link_key_ = connection->link_key;
    return {};
}

// Returns with the first directory: without it nobody could be served. A centre that does not
// answer is waited for, as its leaf or its host may be starting too.
Status Node::register_pop(const std::function<bool()>& stop_asked) {
    replication::AgentOptions options;
    options.pop = PopId{config_.pop_id};
    options.pop_name = config_.name;
    options.version = config_.gateway.version;
    options.link_key = link_key_;
    options.copies_bytes_max = static_cast<std::uint64_t>(config_.copies_bytes_max);
    options.copies_retention_ms = config_.gateway.answer_retention_ms + 2 * 3'600'000;
    options.copies_awaited = config_.gateway.copies_first;
    if (standalone_ != nullptr) {
        options.ship_delay_ns = Standalone::ship_delay_ns;
        options.batches_packed = false;  // they go from one thread to another
    }
    options.answer_ttl_ms = static_cast<std::uint32_t>(
        std::min<std::int64_t>(config_.gateway.answer_retention_ms, UINT32_MAX));
    replication::Transport& transport =
        nats_ != nullptr ? static_cast<replication::Transport&>(*nats_) : standalone_->transport();
    agent_ = std::make_unique<replication::Agent>(transport, *commits_, *journal_, *vault_,
                                                  system_clock(), crypto::secure_random(), options);
    Nanoseconds told_ns = system_clock().now_ns();
    while (true) {
        const Status started = agent_->start(register_poll);
        if (started || started.error().code != ErrorCode::unavailable) return started;
        if (stop_asked()) return Error{ErrorCode::cancelled, ErrorSource::self};
        if (system_clock().now_ns() - told_ns < register_timeout) continue;
        told_ns = system_clock().now_ns();
        const char* advice = "the centre in this process does not answer";
        if (nats_ != nullptr)
            advice =
                nats_->connected()
                    ? "the nats-server answers, the centre does not: is nodex-central running, "
                      "the leaf linked to the hub, and pop_id and link_key known there?"
                    : "is the local nats-server running, and are user and password right?";
        log::warning("waiting_for_centre", {{"advice", advice}});
    }
}

CoreUpdate Node::core_update() const {
    AcceptorOptions options;
    options.connections_max = std::max(config_.connections_max / cores_count_, 1u);
    options.connections_per_address_max = config_.connections_per_address_max;
    options.keep_alive = config_.keep_alive;
    auto settings = std::make_shared<gateway::Settings>(config_.gateway);
    settings->only_pop = standalone_ != nullptr;
    return {std::move(settings), server_context_, config_.endpoints, options};
}

Status Node::make_cores() {
    shared_ = std::make_unique<gateway::Shared>(
        gateway::Shared{*commits_, *vault_, *agent_, sdk_retries_, secrets_.key_hash,
                        secrets_.idempotency, PopId{config_.pop_id}, agent_->incarnation()});
    resolver_.start();
    for (unsigned index = 0; index < cores_count_; ++index) {
        auto loop = UringLoop::create({});
        if (!loop) return loop.error();
        cores_.push_back(std::make_unique<Core>(static_cast<std::uint16_t>(index), std::move(*loop),
                                                *shared_, resolver_, core_update(),
                                                agent_->directory()));
        for (const Listener& listener : listeners_[index])
            cores_.back()->add_listener(listener.fd, listener.secure);
    }
    std::vector<gateway::Gateway*> gateways;
    for (const auto& core : cores_) gateways.push_back(&core->gateway());
    for (const auto& core : cores_) core->gateway().set_peers(gateways);
    cores_[0]->add_admin(
        admin_listener_, *agent_, [this] { return status_text(); }, config_.admin_reads_bodies);
    if (metrics_listener_ >= 0)
        cores_[0]->add_metrics(metrics_listener_, metrics_sources(), [this] { return ready(); });
    agent_->on_directory([this](std::shared_ptr<const replication::Directory> directory) {
        for (const auto& core : cores_) core->replace_directory(directory);
    });
    return {};
}

// The filter is loaded when every ring is enabled: from then on nobody can make another.
Status Node::run_cores() {
    for (const auto& core : cores_) core->start();
    for (const auto& core : cores_) core->wait_running();
    for (const auto& core : cores_) core->replace_directory(agent_->directory());
    if (!config_.sandbox) {
        log::warning("sandbox_off", {{"advice", "node.sandbox = false is for debugging only"}});
        return {};
    }
    if (Status status = load_syscall_filter(); !status) return status;
    if (!syscall_filter_works()) {
        log::error("sandbox_failed", {{"step", "self-test"}});
        return Error{ErrorCode::unsupported, ErrorSource::kernel};
    }
    log::info("sandbox_on", {{"rings", "restricted"}, {"system_calls", "filtered"}});
    return {};
}

Status Node::write_listen_file() const {
    std::string text = "{";
    append_json_list(text, "tls", tls_addresses_);
    text += ',';
    append_json_list(text, "plain", plain_addresses_);
    text += ",\"metrics\":\"" + metrics_address_ + "\",\"admin\":\"" + config_.admin_socket +
            "\",\"pid\":" + std::to_string(getpid()) + "}\n";
    const std::string path = config_.data_dir + "/listen.json";
    {
        std::ofstream file(path + ".new", std::ios::trunc);
        file << text;
        if (!file.flush())
            return configuration_error("listen_file_failed",
                                       "cannot write listen.json into node.data_dir");
    }
    if (std::rename((path + ".new").c_str(), path.c_str()) != 0)
        return configuration_error("listen_file_failed",
                                   "cannot write listen.json into node.data_dir");
    return {};
}

bool Node::ready() const {
    return !draining_.load(std::memory_order_relaxed) && !commits_->failed();
}

MetricsSources Node::metrics_sources() {
    MetricsSources sources;
    for (const auto& core : cores_) {
        sources.gateways.push_back(&core->gateway().metrics());
        sources.loops.push_back(&core->loop_stats());
    }
    sources.endpoints = [this] {
        std::vector<std::vector<upstream::EndpointStatus>> all;
        for (const auto& core : cores_) all.push_back(core->endpoint_status());
        return all;
    };
    sources.connections = [this] {
        std::vector<std::uint32_t> all;
        for (const auto& core : cores_) all.push_back(core->connections());
        return all;
    };
    sources.commits = &commits_->stats();
    sources.agent = &agent_->stats();
    sources.clock = &system_clock();
    if (nats_ != nullptr) sources.link = [this] { return nats_->counters(); };
    return sources;
}

std::string Node::status_text() {
    std::uint64_t requests = 0, runs = 0;
    std::uint32_t connections = 0;
    for (const auto& core : cores_) {
        requests += core->gateway().metrics().requests.get();
        runs += core->gateway().metrics().running.get();
        connections += core->connections();
    }
    const auto number = [](const char* name, auto value) {
        return std::string(",\"") + name + "\":" + std::to_string(value);
    };
    std::string text = "{\"node\":\"";
    log::append_escaped(text, config_.name);
    text += "\",\"region\":\"";
    log::append_escaped(text, config_.region);
    text += "\",\"version\":\"" + config_.gateway.version + "\"";
    text += number("pop", config_.pop_id) + number("pid", getpid()) + number("cores", cores_count_) +
            number("uptime_s", (system_clock().now_ns() - started_ns_) / second) +
            number("requests", requests) + number("runs", runs) +
            number("connections", connections) +
            number("outbox_depth", agent_->stats().outbox_depth.load(std::memory_order_relaxed));
    text += agent_->linked() ? ",\"central\":\"linked\"" : ",\"central\":\"unlinked\"";
    text += commits_->failed() ? ",\"storage\":\"failed\"" : ",\"storage\":\"ok\"";
    text += draining_.load() ? ",\"draining\":true" : ",\"draining\":false";
    return text + "}";
}

// Long-lived memory, by component: what an operator multiplies before choosing a machine.
void Node::log_budget() const {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    log::info("memory_budget",
              {{"receive_buffers_bytes", std::uint64_t{cores_count_} * limits::recv_buffers_count *
                                             limits::recv_buffer_bytes},
               {"block_cache_bytes", config_.cache_bytes},
               {"stream_window_bytes", std::uint64_t{limits::stream_window_bytes}},
               {"outbound_high_bytes", std::uint64_t{limits::outbound_high_bytes}},
               {"connections_max", config_.connections_max},
               {"descriptors", static_cast<std::uint64_t>(files.rlim_cur)}});
    if (files.rlim_cur < 2ull * config_.connections_max)
        log::warning(
            "descriptors_low",
            {{"descriptors", static_cast<std::uint64_t>(files.rlim_cur)},
             {"advice", "a stream takes two: raise LimitNOFILE or lower limits.connections"}});
}

void Node::reload(const std::string& config_path) {
    std::string problem;
    auto loaded = load_config(config_path, problem);
    if (!loaded) return log::error("reload_refused", {{"problem", problem}});
    std::shared_ptr<tls::ServerContext> context = server_context_;
    if (!config_.tls_listeners.empty()) {
        auto made = tls::ServerContext::create(loaded->certificates, ticket_keys_);
        if (!made)
            return log::error("reload_refused",
                              {{"problem", "the certificates cannot be loaded; see above"}});
        context = *made;
    }
    // Also where the path is the same: a rotation has renamed the file.
    if (const Status opened = log::open_access_log(loaded->access_log); !opened)
        return log::error("reload_refused", {{"problem", "log.access cannot be opened"},
                                             {"path", loaded->access_log},
                                             {"errno", opened.error().os_errno}});
    const bool fixed_changed =
        loaded->tls_listeners != config_.tls_listeners ||
        loaded->plain_listeners != config_.plain_listeners ||
        loaded->data_dir != config_.data_dir || loaded->admin_socket != config_.admin_socket ||
        loaded->durability != config_.durability || loaded->cores != config_.cores ||
        loaded->gateway.copies_first != config_.gateway.copies_first;
    if (fixed_changed)
        log::warning("reload_partial", {{"advice",
                                         "listeners, data_dir, admin_socket, durability and cores "
                                         "change with a restart only"}});
    loaded->gateway.version = config_.gateway.version;
    loaded->gateway.copies_first = config_.gateway.copies_first;
    config_.gateway = loaded->gateway;
    config_.endpoints = loaded->endpoints;
    config_.certificates = loaded->certificates;
    config_.connections_max = loaded->connections_max;
    config_.connections_per_address_max = loaded->connections_per_address_max;
    config_.keep_alive = loaded->keep_alive;
    config_.drain_deadline = loaded->drain_deadline;
    config_.access_log = loaded->access_log;
    config_.log_level = loaded->log_level;
    log::set_level(config_.log_level);
    server_context_ = std::move(context);
    for (const auto& core : cores_) core->update(core_update());
    log::info("reloaded", {{"providers", static_cast<std::uint64_t>(config_.endpoints.size())}});
}

void Node::drain_and_stop() {
    draining_.store(true);
    log::info("draining", {{"deadline_ms", config_.drain_deadline / millisecond}});
    // A last resort: what does not end by then (a kernel that never completes an operation) must
    // not keep the process; everything that was acknowledged is in the store by now.
    ::alarm(static_cast<unsigned>((config_.drain_deadline + drain_hard_limit) / second));
    const Nanoseconds deadline = system_clock().now_ns() + config_.drain_deadline;
    for (const auto& core : cores_) core->drain(deadline);
    for (const auto& core : cores_) core->join();
    resolver_.stop();
    agent_->stop();
    if (standalone_ != nullptr) standalone_->stop();
    commits_->stop();
    purger_.reset();
    cores_.clear();
    agent_.reset();
    nats_.reset();
    standalone_.reset();
    commits_.reset();
    journal_.reset();
    store_.reset();
    log::info("stopped");
}

}  // namespace nodex::core
