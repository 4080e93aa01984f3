// Start, reload and end of nodex-central.
#include "replication/central/program/service.h"

#include <sys/stat.h>

#include <filesystem>

#include "edge/crypto/secret_file.h"
#include "replication/central/program/metrics_page.h"

namespace nodex::central {
namespace {

constexpr Nanoseconds farewell = 2 * second;  // for the last answers to reach the server

Status make_private_folder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (!error && ::chmod(path.c_str(), 0700) == 0) return {};
    log::error("init_failed", {{"path", path}, {"errno", error ? error.value() : errno}});
    return Error{ErrorCode::io_failure, ErrorSource::kernel, false, errno};
}

Result<replication::OpenedLedgerStore> open_store(const Config& config,
                                                  replication::SchemaPolicy schema) {
    replication::LedgerStoreOptions options;
    options.kind = config.store_kind;
    options.rocks.path = config.data_dir + "/db";
    options.rocks.block_cache_bytes = static_cast<std::uint64_t>(config.cache_bytes);
    options.rocks.free_bytes_min = config.free_space_floor_bytes;
    options.durability = config.durability;
    options.url = config.store_url;
    options.schema = schema;
    std::string problem;
    auto store = replication::open_ledger_store(options, system_clock(), problem);
    if (!store) log::error("store_refused", {{"problem", problem}});
    return store;
}

}  // namespace

Status migrate(const Config& config) {
    if (config.store_kind != replication::LedgerStoreKind::postgres) {
        log::error("store_refused", {{"problem", "only a database has a schema to migrate"}});
        return Error{ErrorCode::unsupported, ErrorSource::configuration};
    }
    auto store = open_store(config, replication::SchemaPolicy::migrate);
    if (!store) return store.error();
    return {};
}

Status initialise(const Config& config) {
    for (const std::string& folder : {config.data_dir, config.secrets_dir})
        if (Status status = make_private_folder(folder); !status) return status;
    const auto make = [](const std::string& path) -> Status {
        auto secret = crypto::read_or_create_secret_file(path, crypto::secure_random());
        if (!secret) return secret.error();
        return {};
    };
    for (const char* name : {key_hash_file, root_key_file})
        if (Status status = make(config.secrets_dir + "/" + name); !status) return status;
    for (const PopEntry& pop : config.pops)
        if (Status status = make(pop.link_key_path); !status) return status;
    return {};
}

Status Service::start() {
    replication::CentralOptions options;
    auto key_hash = crypto::read_secret_file(config_.secrets_dir + "/" + key_hash_file);
    if (!key_hash) return key_hash.error();
    options.key_hash_secret = *key_hash;
    auto keys = read_link_keys(config_);
    if (!keys) return keys.error();
    options.link_keys = std::move(*keys);
    auto commanders = read_commanders(config_);
    if (!commanders) return commanders.error();
    options.commanders = std::move(*commanders);
    if (options.commanders.operators.empty() && options.commanders.trusted_pops.empty())
        log::warning("nobody_administers",
                     {{"advice", "add an [[operator]]: nodex admin operator new"}});
    options.root_key_path = config_.secrets_dir + "/" + root_key_file;
    options.lease_term = config_.lease_term_s * second;

    auto store = open_store(config_, replication::SchemaPolicy::create);
    if (!store) return store.error();
    store_ = std::move(*store);
    server_ = std::make_unique<replication::NatsTransportServer>(config_.nats);
    centre_ = std::make_unique<replication::CentralThread>(
        *store_.ledger, *server_, system_clock(), crypto::secure_random(), std::move(options));
    const Status status = centre_->start(true);
    if (!status && status.error().code == ErrorCode::corrupt)
        log::error("ledger_refused", {{"error", status.error()},
                                      {"advice",
                                       "the ledger's rows do not add up to its balances; restore a "
                                       "backup or run with support"}});
    if (!status) return status;
    purger_ = std::make_unique<storage::PurgeThread>(store_.purge);
    if (Status served = serve_metrics(); !served) return served;
    log::info(
        "central_serving",
        {{"node", config_.name},
         {"pops", static_cast<std::uint64_t>(config_.pops.size())},
         {"nats", config_.nats.text()},
         {"metrics", metrics_ == nullptr ? "" : metrics_->address()},
         {"store", store_.disk != nullptr ? "rocksdb" : "postgres"},
         {"durability", store_.disk == nullptr || config_.durability == storage::Durability::power
                            ? "power"
                            : "process"}});
    return {};
}

Status Service::serve_metrics() {
    if (config_.metrics_listener.empty()) return {};
    metrics_ = std::make_unique<MetricsServer>(
        [this] { return metrics_text(centre_->stats(), server_->counters(), system_clock()); },
        [this] { return !centre_->failed(); });
    return metrics_->start(config_.metrics_listener);
}

void Service::reload(const std::string& path) {
    std::string problem;
    auto loaded = load_config(path, problem);
    if (!loaded) return log::error("reload_refused", {{"problem", problem}});
    auto keys = read_link_keys(*loaded);
    if (!keys) return log::error("reload_refused", {{"problem", "a link key cannot be read"}});
    auto commanders = read_commanders(*loaded);
    if (!commanders)
        return log::error("reload_refused", {{"problem", "an operator's key cannot be read"}});
    if (loaded->data_dir != config_.data_dir || loaded->nats.url != config_.nats.url ||
        loaded->durability != config_.durability || loaded->store_kind != config_.store_kind ||
        loaded->store_url != config_.store_url || loaded->lease_term_s != config_.lease_term_s ||
        loaded->metrics_listener != config_.metrics_listener)
        log::warning("reload_partial",
                     {{"advice",
                       "data_dir, nats.url, store, durability, leases and listen.metrics change "
                       "with a restart only"}});
    const auto count = static_cast<std::uint64_t>(keys->size());
    const auto operators = static_cast<std::uint64_t>(commanders->operators.size());
    config_.pops = loaded->pops;
    config_.operators = loaded->operators;
    centre_->replace_pops(std::move(*keys), std::move(*commanders));
    log::info("reloaded", {{"pops", count}, {"operators", operators}});
}

void Service::stop() {
    log::info("stopping");
    if (metrics_ != nullptr) metrics_->stop();
    centre_->stop();
    (void)server_->flush(farewell);
    centre_.reset();
    server_.reset();
    purger_.reset();
    store_.close();
    log::info("stopped");
}

}  // namespace nodex::central
