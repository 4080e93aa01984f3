// The configuration of one edge node: a TOML file, checked completely before anything starts.
// Immutable once loaded; SIGHUP loads a new one. Every error is one sentence that names the key and
// what is expected.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "edge/gateway/settings.h"
#include "edge/tls/tls_context.h"
#include "edge/upstream/endpoint.h"
#include "storage/store.h"

namespace nodex::core {

// The way to the centre; both empty in a standalone node.
struct CentralLink {
    std::string nats;           // nats://user:password@127.0.0.1:4222, the leaf of this machine
    std::string link_key_path;  // 32 octets in hex, mode 0600; the centre has the same
};

struct Config {
    // [node]
    std::string name = "pop1";
    std::string region = "local";
    std::uint16_t pop_id = 1;
    unsigned cores = 0;  // 0: one loop per processor the process may use
    std::string data_dir;
    std::string secrets_dir;
    std::string admin_socket;  // "unix:/run/nodex/admin.sock"
    std::string user;          // "": stay who we are; else drop to this user before rings are made
    bool admin_reads_bodies = false;  // operators of the admin socket may read what is stored
    bool sandbox = true;       // the system call filter; false for debugging only
    // [listen]
    std::vector<std::string> tls_listeners;
    std::vector<std::string> plain_listeners;  // loopback only, refused otherwise
    std::string metrics_listener;              // "" : none
    std::vector<tls::CertificateFiles> certificates;
    // [durability]
    storage::Durability durability = storage::Durability::process;
    // [limits]
    std::uint32_t connections_max = limits::connections_max;
    std::uint32_t connections_per_address_max = limits::connections_unauthenticated_per_ip_max;
    Nanoseconds keep_alive = limits::keep_alive_deadline;
    Nanoseconds drain_deadline =
        25 * second;  // of requests that run when SIGTERM comes; the unit's TimeoutStopSec is above
    // [storage]
    std::uint64_t free_space_floor_bytes = 256ull << 20;  // below it: 503 for paid requests
    std::int64_t cache_bytes = 64ll << 20;
    std::int64_t copies_bytes_max = limits::buddy_bytes_max;  // kept for other POPs
    // [log]
    log::Level log_level = log::Level::info;
    std::string access_log;  // "": none, "-": standard output

    CentralLink central;

    gateway::Settings gateway;
    std::vector<std::shared_ptr<const upstream::EndpointConfig>> endpoints;
};

// Reads and checks `path`. `problem` receives the sentence when the result is bad_configuration.
Result<Config> load_config(const std::string& path, std::string& problem);

}  // namespace nodex::core
