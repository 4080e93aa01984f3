// The configuration of nodex-central: a TOML file, checked completely before anything starts.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/ids.h"
#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "replication/central/central.h"
#include "replication/central/postgres/open_ledger_store.h"
#include "replication/nats/server_address.h"
#include "storage/store.h"

namespace nodex::central {

struct PopEntry {
    PopId id{};
    std::string name;
    std::string link_key_path;
    bool admin = false;  // trusted wholly: its admin socket is authority enough
};

struct OperatorEntry {
    std::string name;
    std::string key_path;  // of the file that his program has too
};

struct Config {
    // [node]
    std::string name = "centre";
    std::string data_dir;
    std::string secrets_dir;
    // [nats]
    replication::ServerAddress nats;
    // [store]
    replication::LedgerStoreKind store_kind = replication::LedgerStoreKind::rocksdb;
    std::string store_url;  // of the database; "" with rocksdb
    // The rest of [durability] and [storage] is RocksDB's.
    // [durability]: "power" unless the operator says otherwise, as an answer lets a POP forget
    storage::Durability durability = storage::Durability::power;
    // [storage]
    std::uint64_t free_space_floor_bytes = 256ull << 20;
    std::int64_t cache_bytes = 64ll << 20;
    // [listen]
    std::string metrics_listener;  // a loopback address; "": none
    // [leases]
    std::int64_t lease_term_s = limits::lease_ttl / second;
    // [log]
    log::Level log_level = log::Level::info;
    std::vector<PopEntry> pops;            // [[pop]]
    std::vector<OperatorEntry> operators;  // [[operator]]
};

// `problem` receives one sentence when the result is bad_configuration.
Result<Config> load_config(const std::string& path, std::string& problem);

// The keys of all [[operator]], read from their files, and the POPs with admin = true. Which file
// is bad, or another operator's, is in the log.
Result<replication::Commanders> read_commanders(const Config& config);
// The keys of all [[pop]], read from their files; which one is bad is in the log.
Result<replication::LinkKeys> read_link_keys(const Config& config);

}  // namespace nodex::central
