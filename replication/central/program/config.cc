// Reads nodex-central's TOML.
#include "replication/central/program/config.h"

#include <set>

#include "edge/config/common_keys.h"
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
    using replication::LedgerStoreKind;
    section.choice("kind",
                   {{"rocksdb", LedgerStoreKind::rocksdb}, {"postgres", LedgerStoreKind::postgres}},
                   target.store_kind);
    section.text("url", target.store_url);
    if (target.store_kind == LedgerStoreKind::rocksdb) {
        if (!target.store_url.empty()) section.fail("url", "is for kind = \"postgres\" only");
        return;
    }
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
        section.choice("level",
                       {{"power", storage::Durability::power, "survives power loss"},
                        {"process", storage::Durability::process, "survives kill -9"}},
                       target.durability);
    }
    Section section = file.section("storage");
    section.integer("free_space_floor_bytes", target.free_space_floor_bytes, 0, INT64_MAX);
    section.integer("cache_bytes", target.cache_bytes, 1ll << 20, 1ll << 40);
}

void read_listen(File& file, Config& target) {
    Section section = file.section("listen");
    config::read_metrics_listener(section, target.metrics_listener);
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
    config::read_log_level(section, target.log_level);
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

void read_operators(File& file, Config& target) {
    std::set<std::string> seen;
    file.each("operator", [&](Section& section) {
        section.require("name");
        section.require("key");
        OperatorEntry entry;
        section.text("name", entry.name);
        section.text("key", entry.key_path);
        if (!entry.name.empty() && !is_operator_name(entry.name))
            section.fail("name", "is to be 1 to 32 of a-z, 0-9, '-', '_' and '.'");
        if (!seen.insert(entry.name).second) section.fail("name", "is given twice: " + entry.name);
        target.operators.push_back(std::move(entry));
    });
}

}  // namespace

Result<Config> load_config(const std::string& path, std::string& problem) {
    auto file = File::load(path, problem);
    if (!file) return file.error();
    File& root = **file;
    root.only({"node", "nats", "store", "durability", "listen", "storage", "leases", "log", "pop",
               "operator"});
    Config target;
    read_node(root, target);
    read_nats(root, target);
    read_store(root, target);
    read_storage(root, target);
    read_listen(root, target);
    read_leases(root, target);
    read_log(root, target);
    read_pops(root, target);
    read_operators(root, target);
    if (!problem.empty()) return bad_configuration;
    return target;
}

Result<replication::Commanders> read_commanders(const Config& config) {
    replication::Commanders commanders;
    for (const PopEntry& pop : config.pops)
        if (pop.admin) commanders.trusted_pops.push_back(pop.id);
    for (const OperatorEntry& entry : config.operators) {
        auto read = replication::read_operator_file(entry.key_path);
        if (!read) return read.error();
        if (read->name != entry.name) {
            log::error("operator_file_refused",
                       {{"path", entry.key_path},
                        {"reason", "it is of another operator"},
                        {"name", read->name},
                        {"advice", "[[operator]] name is the one that the file was made for"}});
            return bad_configuration;
        }
        commanders.operators.push_back(std::move(*read));
    }
    return commanders;
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
