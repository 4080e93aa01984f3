// What the resolver remembers: names, their addresses, when to ask again. Pure: no thread, no clock, no DNS.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/clock.h"
#include "edge/io/io.h"

namespace nodex::upstream {

using Addresses = std::vector<SocketAddress>;

class ResolverCache {
  public:
    // Counts as a use of `host`. Nothing: the name must be looked up first. An empty list: the last look-up
    // failed less than limits::resolve_retry_interval ago and no older addresses exist.
    std::optional<Addresses> find(const std::string& host, Nanoseconds now_ns);
    // A look-up ended; `addresses` empty: it failed, and what was known before still serves.
    void store(const std::string& host, Addresses addresses, Nanoseconds now_ns);

    // The next name to refresh, or nothing before next_refresh_ns(). Forgets names unused for long.
    std::optional<std::string> due(Nanoseconds now_ns);
    [[nodiscard]] std::optional<Nanoseconds> next_refresh_ns() const;
    [[nodiscard]] std::size_t names_count() const noexcept { return entries_.size(); }

  private:
    struct Entry {
        Addresses addresses;  // empty: it has never been found
        Nanoseconds refresh_at_ns = 0;
        Nanoseconds used_ns = 0;
    };
    void make_room();
    std::map<std::string, Entry> entries_;  // a handful of names: the configured providers
};

// The address when `host` is an IPv4 or IPv6 literal; nothing when it must be looked up.
std::optional<SocketAddress> parse_address_literal(const std::string& host);
void set_port(SocketAddress& address, std::uint16_t port) noexcept;

}  // namespace nodex::upstream
