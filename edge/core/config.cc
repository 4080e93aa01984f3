// Reads the TOML configuration.
#include "edge/core/config.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1  // Debian's library is built with exceptions
#include <toml++/toml.h>

#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace nodex::core {
namespace {

constexpr Error bad_configuration{ErrorCode::bad_configuration, ErrorSource::configuration};

// Reads values of one table, remembers the first problem, and refuses keys that nobody asked for: a
// misspelt limit must not silently be the default.
class Section {
  public:
    Section(const toml::table* table, std::string path, std::string& problem)
        : table_(table), path_(std::move(path)), problem_(problem) {}

    void text(std::string_view key, std::string& target) {
        const auto* node = find(key);
        if (node == nullptr) return;
        if (const auto value = node->value_exact<std::string>())
            target = *value;
        else
            fail(key, "must be a string");
    }
    void texts(std::string_view key, std::vector<std::string>& target) {
        const auto* node = find(key);
        if (node == nullptr) return;
        const auto* array = node->as_array();
        if (array == nullptr) return fail(key, "must be an array of strings");
        target.clear();
        for (const auto& item : *array) {
            const auto value = item.value_exact<std::string>();
            if (!value) return fail(key, "must be an array of strings");
            target.push_back(*value);
        }
    }
    template <class Integer>
    void integer(std::string_view key, Integer& target, std::int64_t least, std::int64_t most) {
        const auto* node = find(key);
        if (node == nullptr) return;
        const auto value = node->value_exact<std::int64_t>();
        if (!value || *value < least || *value > most)
            return fail(key, "must be an integer from " + std::to_string(least) + " to " +
                                 std::to_string(most));
        target = static_cast<Integer>(*value);
    }
    void flag(std::string_view key, bool& target) {
        const auto* node = find(key);
        if (node == nullptr) return;
        if (const auto value = node->value_exact<bool>())
            target = *value;
        else
            fail(key, "must be true or false");
    }
    void milliseconds(std::string_view key, Nanoseconds& target, std::int64_t least_ms,
                      std::int64_t most_ms) {
        std::int64_t value = target / millisecond;
        integer(key, value, least_ms, most_ms);
        target = value * millisecond;
    }
    const toml::table* table(std::string_view key) {
        const auto* node = find(key);
        if (node != nullptr && node->as_table() == nullptr) fail(key, "must be a table");
        return node == nullptr ? nullptr : node->as_table();
    }
    void require(std::string_view key) {
        if (table_ == nullptr || !table_->contains(key)) fail(key, "is missing");
    }
    void fail(std::string_view key, const std::string& what) {
        if (problem_.empty()) problem_ = path_ + "." + std::string(key) + " " + what;
    }
    ~Section() {
        if (table_ == nullptr) return;
        for (const auto& [key, value] : *table_)
            if (!known_.contains(std::string(key.str()))) fail(key.str(), "is not a known setting");
    }

  private:
    const toml::node* find(std::string_view key) {
        known_.emplace(key);
        return table_ == nullptr ? nullptr : table_->get(key);
    }
    const toml::table* table_;
    std::string path_;
    std::string& problem_;
    std::set<std::string> known_;
};

bool is_loopback(const std::string& address) {
    return address.starts_with("127.") || address.starts_with("[::1]") ||
           address.starts_with("unix:");
}

void read_node(const toml::table& root, Config& config, std::string& problem) {
    Section node(root["node"].as_table(), "node", problem);
    node.require("data_dir");
    node.require("secrets_dir");
    node.require("admin_socket");
    node.text("name", config.name);
    node.text("region", config.region);
    node.text("data_dir", config.data_dir);
    node.text("secrets_dir", config.secrets_dir);
    node.text("admin_socket", config.admin_socket);
    node.text("user", config.user);
    node.flag("sandbox", config.sandbox);
    node.integer("pop_id", config.pop_id, 1, 65'535);
    node.integer("cores", config.cores, 0, 256);
    if (!config.admin_socket.starts_with("unix:"))
        node.fail(
            "admin_socket",
            "must be unix:PATH (the admin interface has no other guard than the file's mode)");
}

void read_listen(const toml::table& root, Config& config, std::string& problem) {
    Section listen(root["listen"].as_table(), "listen", problem);
    listen.texts("tls", config.tls_listeners);
    listen.texts("plain", config.plain_listeners);
    listen.text("metrics", config.metrics_listener);
    for (const std::string& address : config.plain_listeners)
        if (!is_loopback(address))
            listen.fail("plain",
                        "has " + address + ": without TLS only loopback addresses are allowed");
    if (!config.metrics_listener.empty() && !is_loopback(config.metrics_listener))
        listen.fail("metrics", "must be a loopback address: metrics are not for the public");
    if (config.tls_listeners.empty() && config.plain_listeners.empty())
        listen.fail("tls", "is empty and so is listen.plain: the node would serve nobody");
}

void read_certificates(const toml::table& root, Config& config, std::string& problem) {
    if (const auto* array = root["certificate"].as_array()) {
        for (const auto& item : *array) {
            Section section(item.as_table(), "certificate", problem);
            section.require("chain");
            section.require("key");
            tls::CertificateFiles files;
            section.text("chain", files.chain_path);
            section.text("key", files.key_path);
            config.certificates.push_back(std::move(files));
        }
    }
    if (!config.tls_listeners.empty() && config.certificates.empty() && problem.empty())
        problem = "listen.tls is set but there is no [[certificate]] with chain and key";
}

void read_limits(const toml::table& root, Config& config, std::string& problem) {
    Section section(root["limits"].as_table(), "limits", problem);
    section.integer("body_bytes", config.gateway.body_bytes_max, 1'024, 256ll << 20);
    section.integer("connections", config.connections_max, 1, 10'000'000);
    section.integer("connections_per_address", config.connections_per_address_max, 1, 10'000'000);
    section.milliseconds("keep_alive_ms", config.keep_alive, 100, 3'600'000);
    section.milliseconds("heartbeat_ms", config.gateway.heartbeat_interval, 10, 120'000);
    section.milliseconds("disconnect_grace_ms", config.gateway.disconnect_grace, 0, 4'000);
    section.milliseconds("drain_ms", config.drain_deadline, 0, 3'600'000);
    section.milliseconds("stream_drain_ms", config.gateway.drain_deadline, 1'000, 900'000);
    section.integer("output_tokens_default", config.gateway.output_tokens_default, 1, 10'000'000);
    section.text("cors_origin", config.gateway.cors_origin);
}

void read_storage(const toml::table& root, Config& config, std::string& problem) {
    {
        Section section(root["durability"].as_table(), "durability", problem);
        std::string level = "process";
        section.text("level", level);
        if (level == "power")
            config.durability = storage::Durability::power;
        else if (level != "process")
            section.fail(
                "level",
                "must be \"process\" (survives kill -9) or \"power\" (survives power loss)");
    }
    {
        Section section(root["storage"].as_table(), "storage", problem);
        section.integer("free_space_floor_bytes", config.free_space_floor_bytes, 0, INT64_MAX);
        section.integer("cache_bytes", config.cache_bytes, 1ll << 20, 1ll << 40);
    }
    Section section(root["retention"].as_table(), "retention", problem);
    std::int64_t hours = config.gateway.answer_retention_ms / 3'600'000;
    section.integer("answers_hours", hours, 1, 24 * 7);
    config.gateway.answer_retention_ms = hours * 3'600'000;
}

void read_status_codes(const toml::table& root, Config& config, std::string& problem) {
    Section section(root["status_codes"].as_table(), "status_codes", problem);
    section.integer("insufficient_balance", config.gateway.insufficient_balance_status, 400, 499);
    section.integer("insufficient_quota", config.gateway.insufficient_quota_status, 400, 499);
    for (const int status :
         {config.gateway.insufficient_balance_status, config.gateway.insufficient_quota_status})
        if (status != 402 && status != 403 && status != 429)
            section.fail("insufficient_balance", "and insufficient_quota must be 402, 403 or 429");
}

void read_log(const toml::table& root, Config& config, std::string& problem) {
    Section section(root["log"].as_table(), "log", problem);
    std::string level = "info";
    section.text("level", level);
    section.text("access", config.access_log);
    if (level == "debug")
        config.log_level = log::Level::debug;
    else if (level == "info")
        config.log_level = log::Level::info;
    else if (level == "warning")
        config.log_level = log::Level::warning;
    else if (level == "error")
        config.log_level = log::Level::error;
    else
        section.fail("level", "must be debug, info, warning or error");
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

void read_provider(const toml::table* table, Config& config, std::string& problem) {
    auto endpoint = std::make_shared<upstream::EndpointConfig>();
    Section section(table, "provider", problem);
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
    if (const auto* models = section.table("models")) {
        for (const auto& [id, value] : *models) {
            const auto name = value.value_exact<std::string>();
            if (!name)
                return section.fail("models",
                                    "must map catalogue ids to the provider's model names");
            endpoint->models.emplace(std::string(id.str()), *name);
        }
    }
    if (!problem.empty()) return;
    if (dialect != "openai") return section.fail("dialect", "must be \"openai\"");
    read_base_url(section, base_url, *endpoint);
    if (!read_credential(section, credential, endpoint->authorization)) return;
    config.endpoints.push_back(std::move(endpoint));
}

void read_providers(const toml::table& root, Config& config, std::string& problem) {
    const auto* array = root["provider"].as_array();
    if (array == nullptr || array->empty()) {
        if (problem.empty())
            problem = "there is no [[provider]]: the node could answer no model request";
        return;
    }
    for (const auto& item : *array) read_provider(item.as_table(), config, problem);
}

}  // namespace

Result<Config> load_config(const std::string& path, std::string& problem) {
    problem.clear();
    std::ifstream file(path);
    if (!file) {
        problem = "cannot read the configuration file " + path;
        return bad_configuration;
    }
    std::stringstream text;
    text << file.rdbuf();
    const toml::parse_result parsed = toml::parse(text.str(), path);
    if (!parsed) {
        std::ostringstream where;
        where << parsed.error().description() << " at line " << parsed.error().source().begin.line;
        problem = where.str();
        return bad_configuration;
    }
    const toml::table& root = parsed.table();
    static const std::set<std::string, std::less<>> tables = {
        "node",    "listen",    "certificate",  "limits", "durability",
        "storage", "retention", "status_codes", "log",    "provider"};
    for (const auto& [key, value] : root)
        if (!tables.contains(std::string(key.str()))) {
            problem = std::string(key.str()) + " is not a known section";
            return bad_configuration;
        }
    Config config;
    read_node(root, config, problem);
    read_listen(root, config, problem);
    read_certificates(root, config, problem);
    read_limits(root, config, problem);
    read_storage(root, config, problem);
    read_status_codes(root, config, problem);
    read_log(root, config, problem);
    read_providers(root, config, problem);
    if (!problem.empty()) return bad_configuration;
    config.gateway.node = config.name;
    config.gateway.region = config.region;
    return config;
}

}  // namespace nodex::core
