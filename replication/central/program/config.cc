// Reads nodex-central's TOML.
#include "replication/central/program/config.h"

#include <set>

#include "edge/config/toml_file.h"
#include "edge/crypto/secret_file.h"

namespace nodex::central {
namespace {

using config::File;
using config::Section;

constexpr Error bad_configuration{ErrorCode::bad_configuration, ErrorSource::configuration};

void read_node(File& file, Config& target) {
    Section section = file.section("node");
    section.require("data_dir");
    section.require("secrets_dir");
    section.text("name", target.name);
    section.text("data_dir", target.data_dir);
    section.text("secrets_dir", target.secrets_dir);
}

void read_nats(File& file, Config& target) {
    Section section = file.section("nats");
    std::string url, problem;
    section.require("url");
    section.text("url", url);
    if (url.empty()) return;
    auto address = replication::parse_server_address(url, problem);
    if (!address) return section.fail("url", "is not usable: " + problem);
    target.nats = std::move(*address);
}

void read_store(File& file, Config& target) {
    Section section = file.section("store");
    std::string kind = "rocksdb";
    section.text("kind", kind);
    section.text("url", target.store_url);
    if (kind == "rocksdb") {
        if (!target.store_url.empty()) section.fail("url", "is for kind = \"postgres\" only");
        return;
    }
    if (kind != "postgres") return section.fail("kind", "must be \"rocksdb\" or \"postgres\"");
    target.store_kind = replication::LedgerStoreKind::postgres;
    section.require("url");
    replication::DatabaseTarget database;
    std::string problem;
    if (target.store_url.empty() ||
        replication::parse_database_target(target.store_url, database, problem))
        return;
    if (file.problem().empty()) file.problem() = std::move(problem);
}

void read_storage(File& file, Config& target) {
    {
        Section section = file.section("durability");
        std::string level = "power";
        section.text("level", level);
        if (level == "process")
            target.durability = storage::Durability::process;
        else if (level != "power")
            section.fail(
                "level",
                "must be \"power\" (survives power loss) or \"process\" (survives kill -9)");
    }
    Section section = file.section("storage");
    section.integer("free_space_floor_bytes", target.free_space_floor_bytes, 0, INT64_MAX);
    section.integer("cache_bytes", target.cache_bytes, 1ll << 20, 1ll << 40);
}

bool is_loopback(const std::string& address) {
    return address.starts_with("127.") || address.starts_with("[::1]:");
}

void read_listen(File& file, Config& target) {
    Section section = file.section("listen");
    section.text("metrics", target.metrics_listener);
    if (!target.metrics_listener.empty() && !is_loopback(target.metrics_listener))
        section.fail("metrics", "must be a loopback address: metrics are not for the public");
}

// Shorter than a minute, a change of hubs would eat into what customers may spend; longer than an
// hour, so does a POP that is gone, whose money nobody else can have meanwhile.
constexpr std::int64_t lease_term_min_s = 60;
constexpr std::int64_t lease_term_max_s = 3'600;

void read_leases(File& file, Config& target) {
    Section section = file.section("leases");
    section.integer("term_s", target.lease_term_s, lease_term_min_s, lease_term_max_s);
}

void read_log(File& file, Config& target) {
    Section section = file.section("log");
    std::string level = "info";
    section.text("level", level);
    if (level == "debug")
        target.log_level = log::Level::debug;
    else if (level == "info")
        target.log_level = log::Level::info;
    else if (level == "warning")
        target.log_level = log::Level::warning;
    else if (level == "error")
        target.log_level = log::Level::error;
    else
        section.fail("level", "must be debug, info, warning or error");
}

void read_pops(File& file, Config& target) {
    std::set<std::uint16_t> seen;
    const unsigned count = file.each("pop", [&](Section& section) {
        section.require("id");
        section.require("link_key");
        std::uint16_t id = 0;
        PopEntry entry;
        section.integer("id", id, 1, 65'535);
        section.text("name", entry.name);
        section.text("link_key", entry.link_key_path);
        section.flag("admin", entry.admin);
        if (!seen.insert(id).second) section.fail("id", "is given twice: " + std::to_string(id));
        entry.id = PopId{id};
        target.pops.push_back(std::move(entry));
    });
    if (count == 0 && file.problem().empty())
        file.problem() = "there is no [[pop]]: the centre would hear nobody";
}

}  // namespace

Result<Config> load_config(const std::string& path, std::string& problem) {
    auto file = File::load(path, problem);
    if (!file) return file.error();
    File& root = **file;
    root.only({"node", "nats", "store", "durability", "listen", "storage", "leases", "log", "pop"});
    Config target;
    read_node(root, target);
    read_nats(root, target);
    read_store(root, target);
    read_storage(root, target);
    read_listen(root, target);
    read_leases(root, target);
    read_log(root, target);
    read_pops(root, target);
    if (!problem.empty()) return bad_configuration;
    return target;
}

std::vector<PopId> operators_of(const Config& config) {
    std::vector<PopId> operators;
    for (const PopEntry& pop : config.pops)
        if (pop.admin) operators.push_back(pop.id);
    return operators;
}

Result<replication::LinkKeys> read_link_keys(const Config& config) {
    replication::LinkKeys keys;
    for (const PopEntry& pop : config.pops) {
        auto key = crypto::read_secret_file(pop.link_key_path);
        if (!key) return key.error();
        keys.emplace_back(pop.id, *key);
    }
    return keys;
}

}  // namespace nodex::central
