// Request heads from scratch: a fixed list of fields, so no client header can leak.
#include "edge/upstream/request_head.h"

#include "edge/http/response_writer.h"

namespace nodex::upstream {

std::string host_field(const EndpointConfig& endpoint) {
    const bool ipv6_literal = endpoint.host.find(':') != std::string::npos;
    std::string field = ipv6_literal ? '[' + endpoint.host + ']' : endpoint.host;
    const std::uint16_t scheme_port = endpoint.tls ? 443 : 80;
    if (endpoint.port != scheme_port) field += ':' + std::to_string(endpoint.port);
    return field;
}

void append_request(std::string& target, const EndpointConfig& endpoint, const RequestParts& parts) {
    target.reserve(target.size() + 512 + endpoint.authorization.size() + parts.body.size());
    std::string target_path;
    target_path.reserve(endpoint.base_path.size() + parts.path.size());
    target_path.append(endpoint.base_path).append(parts.path);
    auto head = http::HeadWriter::request(target, "POST", target_path);
    head.field("Host", host_field(endpoint));
    if (!endpoint.authorization.empty()) head.field("Authorization", endpoint.authorization);
    head.field("Content-Type", "application/json");
    head.field("Accept", parts.stream ? "text/event-stream" : "application/json");
    head.field("User-Agent", "nodex/" NODEX_VERSION);
    if (!parts.request_id.empty()) head.field("X-Request-Id", parts.request_id);
    head.field("Content-Length", std::uint64_t{parts.body.size()});
    head.end();
    target.append(parts.body);
}

}  // namespace nodex::upstream
