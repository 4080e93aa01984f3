// From options to the bytes that are sent.
#include "bench/load/options.h"

#include <algorithm>
#include <cstdio>

#include "edge/base/bytes.h"
#include "edge/base/log.h"

namespace nodex::bench {
namespace {

constexpr Error malformed_url{ErrorCode::malformed, ErrorSource::configuration};

bool visible(const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

void append_json_field(std::string& target, Bytes field, Bytes value) {
    target += '"';
    target += field;
    target += "\":\"";
    // UTF-8 stays as it is; only what JSON forbids is escaped.
    for (const char c : value) {
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20)
            log::append_escaped(target, Bytes(&c, 1));
        else
            target += c;
    }
    target += '"';
}

}  // namespace

const char* name(Mode mode) noexcept {
    switch (mode) {
        case Mode::closed_loop: return "closed_loop";
        case Mode::open_loop: return "open_loop";
        case Mode::idle: return "idle";
    }
    return "unknown";
}

Result<Target> parse_url(const std::string& url) {
    Target target;
    const std::string::size_type scheme_end = url.find("://");
    if (scheme_end == std::string::npos || !visible(url)) return malformed_url;
    const std::string scheme = url.substr(0, scheme_end);
    if (scheme != "http" && scheme != "https") return malformed_url;
    target.tls = scheme == "https";
    target.port = target.tls ? 443 : 80;

    const auto authority_begin = scheme_end + 3;
    const auto path_begin = std::min(url.find('/', authority_begin), url.size());
    std::string authority = url.substr(authority_begin, path_begin - authority_begin);
    target.path = path_begin == url.size() ? "/" : url.substr(path_begin);
    if (authority.empty()) return malformed_url;

    const bool bracketed = authority.front() == '[';
    const auto bracket = authority.find(']');
    if (bracketed && bracket == std::string::npos) return malformed_url;
    const auto colon = bracketed ? authority.find(':', bracket) : authority.find(':');
    if (colon != std::string::npos) {
        const auto port = parse_decimal(Bytes(authority).substr(colon + 1));
        if (!port || *port == 0 || *port > 65'535) return malformed_url;
        target.port = static_cast<std::uint16_t>(*port);
        authority.resize(colon);
    }
    target.host = bracketed ? authority.substr(1, bracket - 1) : authority;
    if (target.host.empty()) return malformed_url;
    return target;
}

std::string chat_body(const ChatBody& chat) {
    std::string body = "{";
    append_json_field(body, "model", chat.model);
    body += ",\"messages\":[{\"role\":\"user\",";
    append_json_field(body, "content", chat.prompt);
    body += "}]";
    if (chat.max_tokens > 0) body += ",\"max_tokens\":" + std::to_string(chat.max_tokens);
    if (chat.stream) body += ",\"stream\":true";
    body += '}';
    return body;
}

RequestTemplate request_template(const Options& options) {
    RequestTemplate request;
    std::string& message = request.message;
    const Target& target = options.target;
    const bool ipv6_literal = target.host.find(':') != std::string::npos;
    const std::string host = ipv6_literal ? '[' + target.host + ']' : target.host;
    message = (options.body.empty() ? "GET " : "POST ") + target.path + " HTTP/1.1\r\nHost: " + host + ':' +
              std::to_string(target.port) + "\r\nUser-Agent: nodex-bench\r\n";
    for (const std::string& line : options.header_lines) message += line + "\r\n";
    if (options.unique_keys) {
        message += "X-Idempotency-Key: ";
        request.key_offset = message.size();
        message += unique_key(0, 0) + "\r\n";
    }
    if (!options.body.empty())
        message += "Content-Type: application/json\r\nContent-Length: " +
                   std::to_string(options.body.size()) + "\r\n";
    message += "\r\n" + options.body;
    return request;
}

std::string unique_key(std::uint64_t run, std::uint64_t number) {
    char text[unique_key_bytes + 1];
    std::snprintf(text, sizeof text, "nxb%016llx-%016llx", static_cast<unsigned long long>(run),
                  static_cast<unsigned long long>(number));
    return text;
}

}  // namespace nodex::bench
