// Sessions against each other: handshake, data, closing, and every way a wire can misbehave.
#include "edge/tls/tls_session.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <cstdio>

#include "edge/crypto/crypto.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/tls/session_pair.h"

namespace nodex::tls {
namespace {

using test::SessionPair;

class TlsSession : public testing::Test {
  protected:
    TlsSession() {
        auto made_server =
            ServerContext::create({authority.issue({"edge.test"}, {"127.0.0.1", "::1"})}, tickets);
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

TEST_F(TlsSession, HandshakesWhereverTheWireIsSplit) {
    for (const std::size_t piece : {1u, 2u, 3u, 5u, 7u, 64u, 1'000u}) {
        SessionPair pair(client, server, "edge.test");
        pair.exchange(piece);
        ASSERT_TRUE(pair.both_open()) << piece;
        ASSERT_TRUE(pair.client.session->write("question"));
        pair.exchange(piece);
        EXPECT_EQ(pair.server.received, "question") << piece;
    }
}

// The client's first flight, cut in two at every octet.
TEST_F(TlsSession, WaitsForTheRestOfACutFlight) {
    SessionPair first(client, server, "edge.test");
    const std::string hello = first.client.session->output();
    for (std::size_t cut = 0; cut <= hello.size(); ++cut) {
        const auto session = Session::accept(server);
        std::string plaintext;
        ASSERT_TRUE(session->feed(Bytes(hello).substr(0, cut), plaintext)) << cut;
        ASSERT_EQ(session->output().empty(), cut < hello.size()) << cut;
        ASSERT_TRUE(session->feed(Bytes(hello).substr(cut), plaintext)) << cut;
        ASSERT_FALSE(session->output().empty()) << cut;
        ASSERT_EQ(session->phase(), Phase::handshaking);
    }
}

TEST_F(TlsSession, MovesOneMebibyteEachWay) {
    SessionPair pair = open_pair();
    ASSERT_TRUE(pair.both_open());
    SeededRandom random(3);
    std::string question(1024 * 1024, '\0'), answer(1024 * 1024, '\0');
    random.fill(question.data(), question.size());
    random.fill(answer.data(), answer.size());
    ASSERT_TRUE(pair.client.session->write(question));
    ASSERT_TRUE(pair.server.session->write(answer));
    pair.exchange(4'096);  // as the loop's receive buffers cut it
    EXPECT_TRUE(pair.server.received == question);
    EXPECT_TRUE(pair.client.received == answer);
}

TEST_F(TlsSession, AWriteOfUpTo16KibIsOneRecord) {
    SessionPair pair = open_pair();
    ASSERT_TRUE(pair.server.session->write("x"));        // the tickets go out with the first write
    constexpr std::size_t record_overhead = 5 + 1 + 16;  // header, content type, tag
    for (const std::size_t size : {1u, 120u, 4'096u, 16'384u}) {
        pair.server.session->output().clear();
        ASSERT_TRUE(pair.server.session->write(std::string(size, 'x')));
        EXPECT_EQ(pair.server.session->output().size(), size + record_overhead);
    }
    pair.server.session->output().clear();
    ASSERT_TRUE(pair.server.session->write({}));
    EXPECT_EQ(pair.server.session->output(), "") << "nothing to say is no record";
}

TEST_F(TlsSession, DeliversWhatCameBeforeCloseNotify) {
    SessionPair pair = open_pair();
    ASSERT_TRUE(pair.client.session->write("last words"));
    pair.client.session->close();
    EXPECT_EQ(pair.client.session->phase(), Phase::closed);
    pair.exchange();
    EXPECT_EQ(pair.server.received, "last words");
    ASSERT_FALSE(pair.server.last);
    EXPECT_EQ(pair.server.last.error().code, ErrorCode::peer_closed);
    EXPECT_EQ(pair.server.session->phase(), Phase::open) << "our answer may still be written";
    EXPECT_TRUE(pair.server.session->write("answer"));
}

TEST_F(TlsSession, ACutWithoutCloseNotifyIsNotAnOrderlyEnd) {
    SessionPair pair = open_pair();
    ASSERT_TRUE(pair.client.session->write("half of a message"));
    std::string& wire = pair.client.session->output();
    wire.resize(wire.size() - 1);
    pair.exchange();
    EXPECT_EQ(pair.server.received, "");
    EXPECT_TRUE(pair.server.last) << "only the transport knows that nothing more will come";
    EXPECT_EQ(pair.server.session->phase(), Phase::open);
}

TEST_F(TlsSession, FeedAndCloseAfterCloseAreHarmless) {
    SessionPair pair = open_pair();
    pair.server.session->close();
    const std::string once = pair.server.session->output();
    EXPECT_FALSE(once.empty());
    pair.server.session->close();
    EXPECT_EQ(pair.server.session->output(), once);
    std::string plaintext;
    EXPECT_EQ(pair.server.session->feed("late", plaintext).error().code, ErrorCode::peer_closed);
    EXPECT_EQ(plaintext, "");
}

TEST_F(TlsSession, ClosingDuringTheHandshakeSaysNothing) {
    const auto session = Session::accept(server);
    session->close();
    EXPECT_EQ(session->phase(), Phase::closed);
    EXPECT_EQ(session->output(), "");
}

TEST_F(TlsSession, RefusesWhatIsNotTls) {
    SeededRandom random(4);
    std::string noise(4'096, '\0');
    for (int round = 0; round < 200; ++round) {
        random.fill(noise.data(), noise.size());
        const auto session = Session::accept(server);
        std::string plaintext;
        const Status fed = session->feed(noise, plaintext);
        ASSERT_FALSE(fed);
        EXPECT_EQ(fed.error().code, ErrorCode::tls_handshake_failed);
        EXPECT_EQ(plaintext, "");
    }
    const auto session = Session::accept(server);
    std::string plaintext;
    EXPECT_FALSE(session->feed("GET / HTTP/1.1\r\nHost: edge.test\r\n\r\n", plaintext));
}

// Every octet of the client's hello flipped: whatever the server makes of it, it does not open or crash.
TEST_F(TlsSession, SurvivesAHelloAlteredAnywhere) {
    SessionPair first(client, server, "edge.test");
    const std::string hello = first.client.session->output();
    for (std::size_t i = 0; i < hello.size(); ++i) {
        std::string altered = hello;
        altered[i] = static_cast<char>(altered[i] ^ 0x41);
        const auto session = Session::accept(server);
        std::string plaintext;
        const Status fed = session->feed(altered, plaintext);
        EXPECT_EQ(session->phase(), fed ? Phase::handshaking : Phase::failed) << i;
    }
}

TEST_F(TlsSession, AnAlteredRecordEndsTheSessionWithAnAlert) {
    SessionPair pair = open_pair();
    ASSERT_TRUE(pair.client.session->write("message"));
    std::string& wire = pair.client.session->output();
    wire.back() = static_cast<char>(wire.back() ^ 1);
    pair.exchange();
    EXPECT_EQ(pair.server.received, "");
    ASSERT_FALSE(pair.server.last);
    EXPECT_EQ(pair.server.last.error().code, ErrorCode::malformed);
    EXPECT_EQ(pair.server.session->phase(), Phase::failed);
    ASSERT_FALSE(pair.client.last) << "the alert came through";
    EXPECT_EQ(pair.client.last.error().code, ErrorCode::connection_reset);
}

TEST_F(TlsSession, ARecordReplayedIsRefused) {
    SessionPair pair = open_pair();
    ASSERT_TRUE(pair.client.session->write("pay"));
    std::string& wire = pair.client.session->output();
    wire += wire;
    pair.exchange();
    EXPECT_EQ(pair.server.received, "pay") << "once";
    ASSERT_FALSE(pair.server.last);
    EXPECT_EQ(pair.server.last.error().code, ErrorCode::malformed);
}

// Not asserted: the allocator decides. Printed, because the memory bars of an idle connection rest on it.
TEST_F(TlsSession, PrintsTheMemoryOfAnIdleSession) {
    constexpr std::size_t sessions_count = 500;
    std::vector<std::unique_ptr<Session>> idle;
    idle.reserve(sessions_count);
    const std::size_t before = ::mallinfo2().uordblks;
    while (idle.size() < sessions_count) {
        SessionPair pair = open_pair();
        ASSERT_TRUE(pair.both_open());
        ASSERT_TRUE(pair.client.session->write("request"));
        ASSERT_TRUE(pair.server.session->write("response"));
        pair.exchange();
        std::string().swap(pair.server.session->output());
        idle.push_back(std::move(pair.server.session));
    }
    std::printf("idle server session: %zu octets of heap\n",
                (::mallinfo2().uordblks - before) / sessions_count);
}

}  // namespace
}  // namespace nodex::tls
