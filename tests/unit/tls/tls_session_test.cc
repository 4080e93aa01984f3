// Sessions against each other: handshake, data, closing, and every way a wire can misbehave.
#include "edge/tls/tls_session.h"

#include <gtest/gtest.h>

#include "edge/crypto/crypto.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/tls/session_pair.h"

namespace nodex::tls {
namespace {

using test::SessionPair;

class TlsSession : public testing::Test {
  protected:
    TlsSession() {
        auto made_server = ServerContext::create({authority.issue({"edge.test"}, {"127.0.0.1", "::1"})}, tickets);
        auto made_client = ClientContext::create({authority.ca_file()});
        NX_ASSERT(made_server.has_value());
        NX_ASSERT(made_client.has_value());
        server = *made_server;
        client = *made_client;
    }
    SessionPair open_pair(const std::string& host = "edge.test") {
        SessionPair pair(client, server, host);
        pair.exchange();
        return pair;
    }

    nodex::test::TestAuthority authority;
    ManualClock clock;
    std::shared_ptr<TicketKeys> tickets = std::make_shared<TicketKeys>(crypto::secure_random(), clock);
    std::shared_ptr<ServerContext> server;
    std::shared_ptr<ClientContext> client;
};

TEST_F(TlsSession, HandshakesToTls13AndMovesDataBothWays) {
    SessionPair pair = open_pair();
    ASSERT_TRUE(pair.both_open());
    EXPECT_STREQ(pair.server.session->version(), "TLSv1.3");
    EXPECT_STREQ(pair.client.session->version(), "TLSv1.3");
    ASSERT_TRUE(pair.client.session->write("question"));
    ASSERT_TRUE(pair.server.session->write("answer"));
    pair.exchange();
    EXPECT_EQ(pair.server.received, "question");
    EXPECT_EQ(pair.client.received, "answer");
    EXPECT_TRUE(pair.client.last && pair.server.last);
}

TEST_F(TlsSession, VersionIsEmptyBeforeTheHandshakeIsDone) {
    SessionPair pair(client, server, "edge.test");
    EXPECT_STREQ(pair.client.session->version(), "");
    EXPECT_STREQ(pair.server.session->version(), "");
    EXPECT_FALSE(pair.client.session->resumed());
}

}  // namespace
}  // namespace nodex::tls
