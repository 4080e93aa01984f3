// Addresses by name, refreshed in the background, served stale while a refresh fails.
#include "edge/upstream/resolver_cache.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>

#include "edge/base/limits.h"

namespace nodex::upstream {
namespace {

template <class Address>
SocketAddress wrap(const Address& address) noexcept {
    SocketAddress wrapped;
    static_assert(sizeof address <= sizeof wrapped.storage);
    std::memcpy(&wrapped.storage, &address, sizeof address);
    wrapped.size = sizeof address;
    return wrapped;
}

}  // namespace

std::optional<Addresses> ResolverCache::find(const std::string& host, Nanoseconds now_ns) {
    const auto found = entries_.find(host);
    if (found == entries_.end()) return std::nullopt;
    Entry& entry = found->second;
    entry.used_ns = now_ns;
    // A name that was never found is asked for again as soon as its failure is old enough.
    if (entry.addresses.empty() && now_ns >= entry.refresh_at_ns) return std::nullopt;
    return entry.addresses;
}

void ResolverCache::store(const std::string& host, Addresses addresses, Nanoseconds now_ns) {
    if (!entries_.contains(host)) make_room();
    const auto [position, is_new] = entries_.try_emplace(host);
    Entry& entry = position->second;
    if (is_new) entry.used_ns = now_ns;
    if (addresses.size() > limits::resolved_addresses_max) addresses.resize(limits::resolved_addresses_max);
    const bool failed = addresses.empty();
    entry.refresh_at_ns =
        now_ns + (failed ? limits::resolve_retry_interval : limits::resolve_refresh_interval);
    if (!failed) entry.addresses = std::move(addresses);
}

std::optional<std::string> ResolverCache::due(Nanoseconds now_ns) {
    std::erase_if(entries_, [now_ns](const auto& item) {
        return now_ns - item.second.used_ns >= limits::resolve_unused_deadline;
    });
    for (auto& [host, entry] : entries_) {
        // A name without addresses is looked up when somebody asks, not in the background for ever.
        if (!entry.addresses.empty() && now_ns >= entry.refresh_at_ns) return host;
    }
    return std::nullopt;
}

std::optional<Nanoseconds> ResolverCache::next_refresh_ns() const {
    std::optional<Nanoseconds> next;
    for (const auto& [host, entry] : entries_)
        if (!entry.addresses.empty() && (!next || entry.refresh_at_ns < *next)) next = entry.refresh_at_ns;
    return next;
}

void ResolverCache::make_room() {
    if (entries_.size() < limits::resolved_names_max) return;
    const auto used_earlier = [](const auto& left, const auto& right) {
        return left.second.used_ns < right.second.used_ns;
    };
    entries_.erase(std::min_element(entries_.begin(), entries_.end(), used_earlier));
}

std::optional<SocketAddress> parse_address_literal(const std::string& host) {
    sockaddr_in ipv4{};
    if (inet_pton(AF_INET, host.c_str(), &ipv4.sin_addr) == 1) {
        ipv4.sin_family = AF_INET;
        return wrap(ipv4);
    }
    sockaddr_in6 ipv6{};
    if (inet_pton(AF_INET6, host.c_str(), &ipv6.sin6_addr) == 1) {
        ipv6.sin6_family = AF_INET6;
        return wrap(ipv6);
    }
    return std::nullopt;
}

void set_port(SocketAddress& address, std::uint16_t port) noexcept {
    const std::uint16_t network_order = htons(port);
    auto* octets = reinterpret_cast<char*>(&address.storage);
    if (address.storage.ss_family == AF_INET)
        std::memcpy(octets + offsetof(sockaddr_in, sin_port), &network_order, sizeof network_order);
    else if (address.storage.ss_family == AF_INET6)
        std::memcpy(octets + offsetof(sockaddr_in6, sin6_port), &network_order, sizeof network_order);
}

}  // namespace nodex::upstream
