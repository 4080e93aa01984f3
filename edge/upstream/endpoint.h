// Endpoints: the provider addresses of the configuration, and their health on this core.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/clock.h"
#include "edge/crypto/crypto.h"

namespace nodex::upstream {

enum class Dialect : std::uint8_t { openai_chat };

// One [[provider]] of the configuration. Immutable; shared by all cores.
struct EndpointConfig {
    std::string name;
    bool tls = true;
    std::string host;             // DNS name or address literal
    std::uint16_t port = 443;
    std::string base_path;        // "/v1"
    Dialect dialect = Dialect::openai_chat;
    std::string authorization;    // "Bearer ..." as sent; from a file or the environment; never logged
    std::map<std::string, std::string> models;  // catalogue id -> provider's model name
    std::uint32_t weight = 100;
    std::string ca_file;          // "": system store
    Nanoseconds connect_timeout = 2 * second;
    Nanoseconds first_byte_timeout = 120 * second;
    Nanoseconds idle_timeout = 120 * second;   // between bytes of a running answer
    Nanoseconds total_timeout = 870 * second;  // < limits::request_deadline
    // Per core; at it the next endpoint is tried, then 503. Clients fall on cores unevenly (SO_REUSEPORT), so
    // a core needs more than its share of the streams.
    std::uint32_t connections_max = 8'192;
    std::uint32_t idle_connections_max = 256;  // kept alive per core
};

}  // namespace nodex::upstream
