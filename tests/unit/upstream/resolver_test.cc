// The cache's rules with time passed in, and the thread around them with a look-up function of its own.
#include "edge/upstream/resolver.h"

#include <gtest/gtest.h>
#include <netinet/in.h>

#include <atomic>

#include "edge/base/limits.h"
#include "edge/upstream/resolver_cache.h"
#include "tests/unit/upstream/mail_receiver.h"

namespace nodex::upstream::resolver_test {
namespace {

constexpr Nanoseconds start = 1000 * second;

Addresses some_addresses(const char* literal) { return {*parse_address_literal(literal)}; }

std::uint32_t ipv4_of(const SocketAddress& address) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address.storage, sizeof ipv4);
    return ntohl(ipv4.sin_addr.s_addr);
}

std::uint16_t port_of(const SocketAddress& address) {
    sockaddr_in ipv4{};
    std::memcpy(&ipv4, &address.storage, sizeof ipv4);
    return ntohs(ipv4.sin_port);
}

TEST(ResolverCache, AsksForANameItHasNeverSeen) {
    ResolverCache cache;
    EXPECT_FALSE(cache.find("a.example", start).has_value());
}

TEST(ResolverCache, RefreshesAfterTheIntervalAndServesMeanwhile) {
    ResolverCache cache;
    cache.store("a.example", some_addresses("192.0.2.1"), start);
    const Nanoseconds due = start + limits::resolve_refresh_interval;
    EXPECT_FALSE(cache.due(due - 1).has_value());
    EXPECT_EQ(cache.next_refresh_ns(), due);
    EXPECT_EQ(cache.due(due), "a.example");
    EXPECT_EQ(cache.find("a.example", due)->size(), 1u);
}

TEST(ResolverCache, ServesStaleAddressesWhileRefreshesFail) {
    ResolverCache cache;
    cache.store("a.example", some_addresses("192.0.2.1"), start);
    Nanoseconds now = start + limits::resolve_refresh_interval;
    for (int round = 0; round < 100; ++round, now += limits::resolve_retry_interval) {
        ASSERT_EQ(cache.due(now), "a.example") << round;
        cache.store("a.example", {}, now);
        const auto served = cache.find("a.example", now);
        ASSERT_TRUE(served.has_value() && served->size() == 1);
        ASSERT_EQ(ipv4_of(served->front()), 0xc0000201u);
    }
}

TEST(ResolverCache, ReplacesAddressesWhenARefreshSucceeds) {
    ResolverCache cache;
    cache.store("a.example", some_addresses("192.0.2.1"), start);
    cache.store("a.example", some_addresses("192.0.2.2"), start + second);
    EXPECT_EQ(ipv4_of(cache.find("a.example", start + second)->front()), 0xc0000202u);
}

TEST(ResolverCache, RemembersAFailureForOneRetryInterval) {
    ResolverCache cache;
    cache.store("a.example", {}, start);
    const auto early = cache.find("a.example", start + limits::resolve_retry_interval - 1);
    ASSERT_TRUE(early.has_value());
    EXPECT_TRUE(early->empty());
    EXPECT_FALSE(cache.find("a.example", start + limits::resolve_retry_interval).has_value());
}

TEST(ResolverCache, DoesNotRefreshANameThatWasNeverFound) {
    ResolverCache cache;
    cache.store("a.example", {}, start);
    EXPECT_FALSE(cache.due(start + 100 * second).has_value());
    EXPECT_FALSE(cache.next_refresh_ns().has_value());
}

TEST(ResolverCache, ForgetsNamesThatNobodyAsksFor) {
    ResolverCache cache;
    cache.store("a.example", some_addresses("192.0.2.1"), start);
    EXPECT_TRUE(cache.due(start + limits::resolve_unused_deadline - 1).has_value());
    EXPECT_FALSE(cache.due(start + limits::resolve_unused_deadline).has_value());
    EXPECT_EQ(cache.names_count(), 0u);
}

TEST(ResolverCache, IsBoundedAndForgetsTheNameUnusedForLongest) {
    ResolverCache cache;
    for (std::size_t i = 0; i <= limits::resolved_names_max; ++i)
        cache.store(std::to_string(i), some_addresses("192.0.2.1"), start + static_cast<Nanoseconds>(i));
    EXPECT_EQ(cache.names_count(), limits::resolved_names_max);
    EXPECT_FALSE(cache.find("0", start).has_value());
    EXPECT_TRUE(cache.find("1", start).has_value());
}

TEST(ResolverCache, KeepsABoundedNumberOfAddresses) {
    ResolverCache cache;
    const Addresses many(limits::resolved_addresses_max + 1, *parse_address_literal("192.0.2.1"));
    cache.store("a.example", many, start);
    EXPECT_EQ(cache.find("a.example", start)->size(), limits::resolved_addresses_max);
}

TEST(AddressLiteral, TakesBothFamiliesAndRefusesNames) {
    EXPECT_EQ(parse_address_literal("127.0.0.1")->storage.ss_family, AF_INET);
    EXPECT_EQ(parse_address_literal("::1")->storage.ss_family, AF_INET6);
    for (const char* text : {"localhost", "127.0.0.1 ", "127.1", "1.2.3.4.5", "", "[::1]"})
        EXPECT_FALSE(parse_address_literal(text).has_value()) << text;
}

void count_done(void* owner) noexcept { ++*static_cast<int*>(owner); }

std::atomic<int> look_ups_count{0};
std::vector<SocketAddress> look_up_example(const std::string& host) noexcept {
    ++look_ups_count;
    if (host != "a.example") return {};
    return {*parse_address_literal("192.0.2.7")};
}

TEST(Resolver, AnswersLiteralsWithoutItsThread) {
    Resolver resolver(look_up_example);
    MailReceiver receiver;
    Resolution resolution;
    int done = 0;
    resolver.resolve(resolution, "127.0.0.1", 9900, receiver.mailbox, count_done, &done);
    EXPECT_EQ(done, 0);  // never from inside the verb
    receiver.join(resolution);
    EXPECT_EQ(done, 1);
    ASSERT_TRUE(resolution.addresses.has_value());
    EXPECT_EQ(port_of(resolution.addresses->front()), 9900);
}

TEST(Resolver, LooksANameUpOnceAndThenAnswersFromItsCache) {
    Resolver resolver(look_up_example);
    resolver.start();
    MailReceiver receiver;
    look_ups_count = 0;
    for (const std::uint16_t port : {std::uint16_t{443}, std::uint16_t{8443}}) {
        Resolution resolution;
        int done = 0;
        resolver.resolve(resolution, "a.example", port, receiver.mailbox, count_done, &done);
        receiver.join(resolution);
        ASSERT_TRUE(resolution.addresses.has_value());
        EXPECT_EQ(ipv4_of(resolution.addresses->front()), 0xc0000207u);
        EXPECT_EQ(port_of(resolution.addresses->front()), port);
        EXPECT_EQ(done, 1);
    }
    EXPECT_EQ(look_ups_count, 1);
}

TEST(Resolver, SaysThatANameWasNotFound) {
    Resolver resolver(look_up_example);
    resolver.start();
    MailReceiver receiver;
    Resolution resolution;
    int done = 0;
    resolver.resolve(resolution, "missing.example", 443, receiver.mailbox, count_done, &done);
    receiver.join(resolution);
    ASSERT_FALSE(resolution.addresses.has_value());
    EXPECT_EQ(resolution.addresses.error().code, ErrorCode::name_not_found);
    EXPECT_EQ(resolution.addresses.error().source, ErrorSource::provider);
}

TEST(Resolver, AnswersNamesWithCancelledWhenItsThreadDoesNotRun) {
    Resolver resolver(look_up_example);
    MailReceiver receiver;
    Resolution resolution;
    int done = 0;
    resolver.resolve(resolution, "a.example", 443, receiver.mailbox, count_done, &done);
    receiver.join(resolution);
    EXPECT_EQ(resolution.addresses.error().code, ErrorCode::cancelled);
}

TEST(Resolver, FindsLocalhostThroughTheSystem) {
    Resolver resolver;
    resolver.start();
    MailReceiver receiver;
    Resolution resolution;
    int done = 0;
    resolver.resolve(resolution, "localhost", 80, receiver.mailbox, count_done, &done);
    receiver.join(resolution);
    ASSERT_TRUE(resolution.addresses.has_value());
    EXPECT_FALSE(resolution.addresses->empty());
}

}  // namespace
}  // namespace nodex::upstream::resolver_test
