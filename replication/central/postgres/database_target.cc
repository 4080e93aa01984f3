// DatabaseTarget: allowed keywords by name, hosts by place.
#include "replication/central/postgres/database_target.h"

#include <libpq-fe.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace nodex::replication {
namespace {

constexpr std::size_t places_max = 8;
// What an operator may say. Everything else is either forced below or has no business here.
constexpr Bytes allowed_keywords[] = {
    "host", "port", "dbname", "user", "requirepeer", "sslmode", "target_session_attrs"};

struct FreeOptions {
    void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};

bool is_local(Bytes host) noexcept {
    return host.starts_with('/') || host == "127.0.0.1" || host == "::1";
}

std::vector<std::string> split(Bytes list) {
    std::vector<std::string> parts;
    for (;;) {
        const std::size_t comma = list.find(',');
        parts.emplace_back(list.substr(0, comma));
        if (comma == Bytes::npos) return parts;
        list.remove_prefix(comma + 1);
    }
}

bool all_local(Bytes hosts) {
    const std::vector<std::string> list = split(hosts);
    return std::all_of(list.begin(), list.end(),
                       [](const std::string& host) { return is_local(host); });
}

// libpq takes what nobody said from the environment, and an empty value counts as not said.
constexpr const char* foreign_settings[] = {"PGHOSTADDR", "PGPASSWORD",    "PGOPTIONS",
                                            "PGSERVICE",  "PGSERVICEFILE", "PGREALM"};

bool accept(Bytes keyword, Bytes value, std::string& problem) {
    if (std::find(std::begin(allowed_keywords), std::end(allowed_keywords), keyword) ==
        std::end(allowed_keywords)) {
        problem =
            "store.url sets " + std::string(keyword) +
            ", but only host, port, dbname, user, requirepeer and target_session_attrs may be "
            "set: libpq's TLS and password code would run on the wrong library";
        return false;
    }
    if (keyword == "sslmode" && value != "disable") {
        problem =
            "store.url asks for TLS, which libpq cannot do beside BoringSSL in one process: "
            "connect "
            "to a local pgbouncer or stunnel, which does";
        return false;
    }
    if (keyword == "host" && !all_local(value)) {
        problem =
            "store.url names a host that is neither a socket directory nor 127.0.0.1 nor ::1: "
            "without TLS money would cross a network in the clear; use a local pgbouncer or "
            "stunnel";
        return false;
    }
    return true;
}

}  // namespace

bool parse_database_target(const std::string& url, DatabaseTarget& target, std::string& problem) {
    char* message = nullptr;
    const std::unique_ptr<PQconninfoOption, FreeOptions> options(
        PQconninfoParse(url.c_str(), &message));
    if (!options) {
        problem = "store.url is not a PostgreSQL connection string";  // libpq's text may quote it
        PQfreemem(message);
        return false;
    }
    for (const char* variable : foreign_settings) {
        if (std::getenv(variable) == nullptr) continue;
        problem = std::string("the environment sets ") + variable +
                  ", which would change how the ledger connects: unset it";
        return false;
    }
    target = {};
    std::string host;
    std::string port = "5432";
    std::string database;
    for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
        if (option->val == nullptr) continue;
        const Bytes keyword = option->keyword;
        if (!accept(keyword, option->val, problem)) return false;
        if (keyword == "host") host = option->val;
        if (keyword == "port") port = option->val;
        if (keyword == "dbname") database = option->val;
        if (keyword != "sslmode" && keyword != "host" && keyword != "port")
            target.parameters.emplace_back(keyword, option->val);
    }
    if (host.empty() || database.empty()) {
        problem = "store.url must name a host (a socket directory or loopback) and a database";
        return false;
    }
    const std::vector<std::string> hosts = split(host);
    const std::vector<std::string> ports = split(port);
    if (hosts.size() > places_max || (ports.size() != 1 && ports.size() != hosts.size())) {
        problem =
            "store.url must name one port for all hosts, or one for each, and at most 8 hosts";
        return false;
    }
    for (std::size_t i = 0; i < hosts.size(); ++i)
        target.places.push_back({hosts[i], ports.size() == 1 ? port : ports[i]});
    // Said explicitly, or the environment (PGSSLMODE...) would decide.
    for (const auto& [keyword, value] : {std::pair("sslmode", "disable"),
                                         {"gssencmode", "disable"},
                                         {"channel_binding", "disable"},
                                         {"passfile", "/nonexistent"},
                                         {"client_encoding", "SQL_ASCII"},
                                         {"application_name", "nodex-central"}})
        target.parameters.emplace_back(keyword, value);
    const auto named = [&](Bytes keyword) {
        return std::any_of(target.parameters.begin(), target.parameters.end(),
                           [&](const auto& parameter) { return parameter.first == keyword; });
    };
    if (!named("target_session_attrs"))
        target.parameters.emplace_back("target_session_attrs", "read-write");
    target.description = host + " port " + port + " database " + database;
    return true;
}

}  // namespace nodex::replication
