// What the cores share in TLS: ticket keys that rotate, contexts, and the cache of client sessions.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>

#include "edge/crypto/crypto.h"
#include "edge/tls/session_cache.h"
#include "edge/tls/tls_session.h"
#include "tests/support/test_certificates.h"
#include "tests/support/together.h"
#include "tests/unit/tls/raw_client.h"
#include "tests/unit/tls/session_pair.h"

namespace nodex::tls {
namespace {

using test::RawClient;
using test::SessionPair;

constexpr std::size_t cores = 4;

// Moves on at every look, so that any core may be the one that finds a rotation due.
class HastyClock final : public Clock {
  public:
    explicit HastyClock(Nanoseconds step) noexcept : step_(step) {}
    Nanoseconds now_ns() const noexcept override { return now_ns_.fetch_add(step_); }
    std::int64_t wall_ms() const noexcept override { return 1'790'000'000'000; }

  private:
    const Nanoseconds step_;
    mutable std::atomic<Nanoseconds> now_ns_{second};
};

class TlsThreads : public testing::Test {
  protected:
    std::shared_ptr<ServerContext> make_server(Clock& clock) {
        auto made = ServerContext::create(
            {certificate}, std::make_shared<TicketKeys>(crypto::secure_random(), clock));
        NX_ASSERT(made.has_value());
        return *made;
    }
    // Each core connects `each` times through the shared contexts; how many connections were resumed.
    int resumed_of(const std::shared_ptr<ServerContext>& server, int each) {
        auto client = ClientContext::create({authority.ca_file()});
        NX_ASSERT(client.has_value());
        std::atomic<int> resumed{0};
        nodex::test::together(cores, [&](std::size_t) {
            for (int i = 0; i < each; ++i) {
                SessionPair pair(*client, server, "edge.test");
                pair.exchange();
                EXPECT_TRUE(pair.both_open());
                EXPECT_TRUE(pair.server.session->write("x"));  // carries the tickets
                pair.exchange();
                EXPECT_EQ(pair.client.received, "x");
                if (pair.server.session->resumed()) resumed.fetch_add(1);
            }
        });
        return resumed.load();
    }

    nodex::test::TestAuthority authority;
    CertificateFiles certificate = authority.issue({"edge.test"});
};

TEST_F(TlsThreads, CoresThatShareContextsResumeEachOthersSessions) {
    HastyClock clock(0);
    const int each = 15;
    // The first of each core may find the cache empty; every later one finds a ticket of its own at least.
    EXPECT_GE(resumed_of(make_server(clock), each), static_cast<int>(cores) * (each - 1));
}

TEST_F(TlsThreads, EveryHandshakeSucceedsWhileTicketKeysRotate) {
    HastyClock clock(25 * 3600 * second);  // each look finds two rotations due: no ticket lives to the next
    EXPECT_EQ(resumed_of(make_server(clock), 15), 0);
}

TEST_F(TlsThreads, ASingleUseSessionIsNeverGivenToTwoCores) {
    HastyClock clock(0);
    const auto server = make_server(clock);
    SessionCache cache;
    std::map<const ssl_session_st*, std::atomic<bool>> in_use;
    for (int i = 0; i < 3; ++i) {
        const auto session = Session::accept(server);
        RawClient raw({.host = "edge.test"});
        ASSERT_TRUE(raw.run(*session));
        Handle<ssl_session_st> ticket = raw.session();
        in_use[ticket.get()] = false;
        cache.put("edge.test", std::move(ticket));
    }
    std::atomic<int> taken{0};
    nodex::test::together(cores, [&](std::size_t) {
        for (int i = 0; i < 300; ++i) {
            Handle<ssl_session_st> session = cache.take("edge.test");
            if (!session) continue;
            taken.fetch_add(1);
            std::atomic<bool>& mine = in_use.at(session.get());
            EXPECT_FALSE(mine.exchange(true));
            mine.store(false);
            cache.put("edge.test", std::move(session));
        }
    });
    EXPECT_GT(taken.load(), 0);
    for (std::size_t i = 0; i < in_use.size(); ++i) EXPECT_TRUE(cache.take("edge.test"));
    EXPECT_FALSE(cache.take("edge.test")) << "none was lost, none doubled";
}

}  // namespace
}  // namespace nodex::tls
