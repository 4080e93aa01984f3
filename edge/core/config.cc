// Reads the TOML configuration.
#include "edge/core/config.h"

#include <cstdlib>
#include <fstream>

#include "edge/config/common_keys.h"
#include "edge/config/toml_file.h"
#include "replication/nats/server_address.h"

namespace nodex::core {
namespace {

using config::File;
using config::Section;

constexpr Error bad_configuration{ErrorCode::bad_configuration, ErrorSource::configuration};

void read_node(File& file, Config& target) {
    Section node = file.section("node");
    node.require("data_dir");
    node.require("secrets_dir");
    node.require("admin_socket");
    node.text("name", target.name);
    node.text("region", target.region);
    node.text("data_dir", target.data_dir);
    node.text("secrets_dir", target.secrets_dir);
    node.text("admin_socket", target.admin_socket);
    node.text("user", target.user);
    node.flag("admin_reads_bodies", target.admin_reads_bodies);
    node.flag("sandbox", target.sandbox);
    node.integer("pop_id", target.pop_id, 1, 65'535);
    node.integer("cores", target.cores, 0, 256);
    if (!target.admin_socket.starts_with("unix:"))
        node.fail(
            "admin_socket",
            "must be unix:PATH (the admin interface has no other guard than the file's mode)");
}

void read_listen(File& file, Config& target) {
    Section listen = file.section("listen");
    listen.texts("tls", target.tls_listeners);
    listen.texts("plain", target.plain_listeners);
    config::read_metrics_listener(listen, target.metrics_listener);
    for (const std::string& address : target.plain_listeners)
        if (!config::is_loopback(address) && !address.starts_with("unix:"))
            listen.fail("plain",
                        "has " + address + ": without TLS only loopback addresses are allowed");
    if (target.tls_listeners.empty() && target.plain_listeners.empty())
        listen.fail("tls", "is empty and so is listen.plain: the node would serve nobody");
}

void read_certificates(File& file, Config& target) {
    file.each("certificate", [&target](Section& section) {
        section.require("chain");
        section.require("key");
        tls::CertificateFiles files;
        section.text("chain", files.chain_path);
        section.text("key", files.key_path);
        target.certificates.push_back(std::move(files));
    });
    if (!target.tls_listeners.empty() && target.certificates.empty() && file.problem().empty())
        file.problem() = "listen.tls is set but there is no [[certificate]] with chain and key";
}

void read_limits(File& file, Config& target) {
    Section section = file.section("limits");
    section.integer("body_bytes", target.gateway.body_bytes_max, 1'024, 256ll << 20);
    section.integer("connections", target.connections_max, 1, 10'000'000);
    section.integer("connections_per_address", target.connections_per_address_max, 1, 10'000'000);
    section.milliseconds("keep_alive_ms", target.keep_alive, 100, 3'600'000);
    section.milliseconds("heartbeat_ms", target.gateway.heartbeat_interval, 10, 120'000);
    section.milliseconds("disconnect_grace_ms", target.gateway.disconnect_grace, 0, 4'000);
    section.milliseconds("drain_ms", target.drain_deadline, 0, 3'600'000);
    section.milliseconds("stream_drain_ms", target.gateway.drain_deadline, 1'000, 900'000);
    section.integer("output_tokens_default", target.gateway.output_tokens_default, 1, 10'000'000);
    section.text("cors_origin", target.gateway.cors_origin);
}

void read_storage(File& file, Config& target) {
    {
        Section section = file.section("durability");
        section.choice("level",
                       {{"process", storage::Durability::process, "survives kill -9"},
                        {"power", storage::Durability::power, "survives power loss"}},
                       target.durability);
        section.choice("stream",
                       {{"local", false, "an event is shown when it is logged here"},
                        {"buddy", true, "when another POP has it too"}},
                       target.gateway.copies_first);
    }
    {
        Section section = file.section("storage");
        section.integer("free_space_floor_bytes", target.free_space_floor_bytes, 0, INT64_MAX);
        section.flag("request_bodies", target.gateway.request_bodies);
        section.integer("cache_bytes", target.cache_bytes, 1ll << 20, 1ll << 40);
        section.integer("copies_bytes_max", target.copies_bytes_max, 0, 1ll << 44);
    }
    Section section = file.section("retention");
    std::int64_t hours = target.gateway.answer_retention_ms / 3'600'000;
    section.integer("answers_hours", hours, 1, 24 * 7);
    target.gateway.answer_retention_ms = hours * 3'600'000;
}

void read_status_codes(File& file, Config& target) {
    Section section = file.section("status_codes");
    section.one_of("insufficient_balance", {402, 403, 429},
                   target.gateway.insufficient_balance_status);
    section.one_of("insufficient_quota", {402, 403, 429}, target.gateway.insufficient_quota_status);
}

void read_log(File& file, Config& target) {
    Section section = file.section("log");
    config::read_log_level(section, target.log_level);
    section.text("access", target.access_log);
}

// "env:NAME", "file:PATH" or "none"; the value never appears in a message.
bool read_credential(Section& section, const std::string& source, std::string& authorization) {
    std::string secret;
    if (source == "none") return true;
    if (source.starts_with("env:")) {
        const char* value = std::getenv(source.c_str() + 4);
        if (value == nullptr || *value == '\0') {
            section.fail("credential", "names the environment variable " + source.substr(4) +
                                           ", which is not set");
            return false;
        }
        secret = value;
    } else if (source.starts_with("file:")) {
        std::ifstream file(source.substr(5));
        if (!std::getline(file, secret) || secret.empty()) {
            section.fail("credential",
                         "names a file that cannot be read or is empty: " + source.substr(5));
            return false;
        }
    } else {
        section.fail("credential", "must be env:NAME, file:PATH or none");
        return false;
    }
    for (const char c : secret)
        if (c <= 0x20 || c >= 0x7f) {
            section.fail("credential", "holds a character that cannot stand in a header field");
            return false;
        }
    authorization = "Bearer " + secret;
    return true;
}

// "https://host[:port][/path]"
void read_base_url(Section& section, const std::string& url, upstream::EndpointConfig& endpoint) {
    std::string_view rest = url;
    if (rest.starts_with("https://")) {
        endpoint.tls = true;
        endpoint.port = 443;
        rest.remove_prefix(8);
    } else if (rest.starts_with("http://")) {
        endpoint.tls = false;
        endpoint.port = 80;
        rest.remove_prefix(7);
    } else {
        return section.fail("base_url", "must begin with https:// (or http:// for loopback)");
    }
    const std::size_t slash = rest.find('/');
    std::string_view authority = rest.substr(0, slash);
    endpoint.base_path = slash == std::string_view::npos ? "" : std::string(rest.substr(slash));
    while (endpoint.base_path.ends_with('/')) endpoint.base_path.pop_back();
    if (authority.find('@') != std::string_view::npos)
        return section.fail("base_url", "has credentials in it: name them in credential");
    const std::size_t bracket = authority.rfind(']');
    const std::size_t colon = authority.rfind(':');
    if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
        const auto port = parse_decimal(authority.substr(colon + 1));
        if (!port || *port == 0 || *port > 65'535)
            return section.fail("base_url", "has a bad port");
        endpoint.port = static_cast<std::uint16_t>(*port);
        authority = authority.substr(0, colon);
    }
    if (authority.size() > 2 && authority.front() == '[' && authority.back() == ']')
        authority = authority.substr(1, authority.size() - 2);
    if (authority.empty()) return section.fail("base_url", "has no host");
    endpoint.host = std::string(authority);
    const bool local =
        endpoint.host == "localhost" || endpoint.host.starts_with("127.") || endpoint.host == "::1";
    if (!endpoint.tls && !local)
        section.fail("base_url", "must be https:// for a provider that is not on loopback");
}

void read_provider(Section& section, Config& target, const std::string& problem) {
    auto endpoint = std::make_shared<upstream::EndpointConfig>();
    section.require("name");
    section.require("base_url");
    section.require("credential");
    section.require("models");
    std::string base_url, dialect = "openai", credential = "none";
    section.text("name", endpoint->name);
    section.text("base_url", base_url);
    section.text("dialect", dialect);
    section.text("credential", credential);
    section.text("ca_file", endpoint->ca_file);
    section.integer("weight", endpoint->weight, 1, 10'000);
    section.milliseconds("connect_timeout_ms", endpoint->connect_timeout, 1, 60'000);
    section.milliseconds("first_byte_timeout_ms", endpoint->first_byte_timeout, 1, 870'000);
    section.milliseconds("idle_timeout_ms", endpoint->idle_timeout, 1, 870'000);
    section.milliseconds("total_timeout_ms", endpoint->total_timeout, 1, 870'000);
    section.integer("connections", endpoint->connections_max, 1, 1'000'000);
    section.integer("idle_connections", endpoint->idle_connections_max, 0, 1'000'000);
    section.text_map("models", "must map catalogue ids to the provider's model names",
                     endpoint->models);
    if (!problem.empty()) return;
    if (dialect != "openai") return section.fail("dialect", "must be \"openai\"");
    read_base_url(section, base_url, *endpoint);
    if (!read_credential(section, credential, endpoint->authorization)) return;
    target.endpoints.push_back(std::move(endpoint));
}

void read_providers(File& file, Config& target) {
    const unsigned count = file.each(
        "provider", [&](Section& section) { read_provider(section, target, file.problem()); });
    if (count == 0 && file.problem().empty())
        file.problem() = "there is no [[provider]]: the node could answer no model request";
}

// How a key is claimed at the centre: for accounts that say nothing themselves.
void read_claims(Section& section, gateway::Settings& target) {
    using replication::ClaimMode;
    section.choice("claims",
                   {{"overlap", ClaimMode::overlap},
                    {"strict", ClaimMode::strict},
                    {"local", ClaimMode::local}},
                   target.claims);
    section.choice("on_partition", {{"proceed", true}, {"reject", false}},
                   target.proceed_on_partition);
}

// Where the centre is; absent in a standalone node.
void read_central(File& file, Config& target) {
    Section section = file.section("central");
    section.text("nats", target.central.nats);
    section.text("link_key", target.central.link_key_path);
    read_claims(section, target.gateway);
    if (!section.present() && target.gateway.copies_first && file.problem().empty())
        file.problem() = "durability.stream = \"buddy\" needs other POPs: there is no [central]";
    if (!section.present()) return;
    section.require("nats");
    section.require("link_key");
    std::string problem;
    if (!target.central.nats.empty() &&
        !replication::parse_server_address(target.central.nats, problem))
        section.fail("nats", "is not usable: " + problem);
}

}  // namespace

Result<Config> load_config(const std::string& path, std::string& problem) {
    auto file = File::load(path, problem);
    if (!file) return file.error();
    File& root = **file;
    root.only({"node", "listen", "certificate", "limits", "durability", "storage", "retention",
               "status_codes", "log", "provider", "central"});
    Config target;
    read_node(root, target);
    read_listen(root, target);
    read_certificates(root, target);
    read_limits(root, target);
    read_storage(root, target);
    read_status_codes(root, target);
    read_log(root, target);
    read_central(root, target);
    read_providers(root, target);
    if (!problem.empty()) return bad_configuration;
    target.gateway.node = target.name;
    target.gateway.region = target.region;
    return target;
}

}  // namespace nodex::core
