// DatabaseTarget: where the database is, from a libpq connection string, and nothing that Nodex
// does not allow. libpq brings OpenSSL, whose functions have BoringSSL's names: in this process
// most of libpq's calls end in BoringSSL. So libpq never does cryptography here: no TLS, no
// passwords, and therefore only a Unix socket or loopback, where peer authentication or a local
// pooler (pgbouncer, stunnel) does both.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "edge/base/bytes.h"

namespace nodex::replication {

struct DatabaseTarget {
    struct Place {
        std::string host;
        std::string port;
    };
    // Tried one by one, each with a deadline of its own: libpq would wait on a frozen first one for
    // as long as it may wait at all. At least one.
    std::vector<Place> places;
    // Keywords and values for PQconnectStartParams, what we force included, host and port not.
    std::vector<std::pair<std::string, std::string>> parameters;
    std::string description;  // for logs: hosts, ports and database
};

// `url` is a URI (postgresql://...) or keyword=value pairs. Refused: one sentence in `problem`, for
// the operator.
bool parse_database_target(const std::string& url, DatabaseTarget& target, std::string& problem);

}  // namespace nodex::replication
