// What the server agrees to: versions, suites, ALPN, certificates by name, tickets.
#include <gtest/gtest.h>

#include "edge/crypto/crypto.h"
#include "edge/tls/tls_session.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/tls/raw_client.h"
#include "tests/unit/tls/session_pair.h"

namespace nodex::tls {
namespace {

using test::RawClient;
using test::SessionPair;

constexpr std::uint16_t tls_1_0 = 0x0301;
constexpr std::uint16_t tls_1_1 = 0x0302;
constexpr std::uint16_t tls_1_2 = 0x0303;
constexpr std::uint16_t tls_1_3 = 0x0304;
constexpr int alert_handshake_failure = 40;
constexpr int alert_protocol_version = 70;
constexpr int alert_no_application_protocol = 120;
constexpr Nanoseconds hour = 3600 * second;

class TlsHandshake : public testing::Test {
  protected:
    std::shared_ptr<ServerContext> make_server() {
        auto made = ServerContext::create(certificates, tickets);
        NX_ASSERT(made.has_value());
        return *made;
    }
    std::shared_ptr<ClientContext> make_client() {
        auto made = ClientContext::create({authority.ca_file()});
        NX_ASSERT(made.has_value());
        return *made;
    }
    // Which of `certificates` a client that asks for `host` is shown: each is valid for one probe name only.
    bool accepts(const std::string& host) {
        SessionPair pair(client, server, host);
        pair.exchange();
        return pair.both_open();
    }

    nodex::test::TestAuthority authority;
    ManualClock clock;
    std::shared_ptr<TicketKeys> tickets = std::make_shared<TicketKeys>(crypto::secure_random(), clock);
    std::vector<CertificateFiles> certificates = {authority.issue({"edge.test"}),
                                                  authority.issue({"*.wild.test"}),
                                                  authority.issue({"one.wild.test", "Upper.Test"})};
    std::shared_ptr<ServerContext> server = make_server();
    std::shared_ptr<ClientContext> client = make_client();
};

TEST_F(TlsHandshake, SpeaksTls12AndTls13) {
    for (const std::uint16_t version : {tls_1_2, tls_1_3}) {
        const auto session = Session::accept(server);
        RawClient raw({.version_min = version, .version_max = version});
        EXPECT_TRUE(raw.run(*session));
        EXPECT_STREQ(session->version(), version == tls_1_2 ? "TLSv1.2" : "TLSv1.3");
    }
}

TEST_F(TlsHandshake, RefusesOlderVersionsWithAnAlert) {
    for (const std::uint16_t version : {tls_1_0, tls_1_1}) {
        const auto session = Session::accept(server);
        RawClient raw({.version_min = tls_1_0, .version_max = version});
        EXPECT_FALSE(raw.run(*session));
        EXPECT_EQ(raw.alert(), alert_protocol_version);
        EXPECT_EQ(session->phase(), Phase::failed);
        std::string plaintext;
        EXPECT_EQ(session->feed("more", plaintext).error().code, ErrorCode::tls_handshake_failed)
            << "and stays failed";
    }
}

TEST_F(TlsHandshake, OffersOnlyAeadSuitesWithEcdhe) {
    for (const char* suite : {"ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                              "ECDHE-ECDSA-CHACHA20-POLY1305"}) {
        const auto session = Session::accept(server);
        RawClient raw({.version_max = tls_1_2, .ciphers = suite});
        EXPECT_TRUE(raw.run(*session)) << suite;
        EXPECT_EQ(raw.cipher(), suite);
    }
    for (const char* suite : {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256",
                              "AES128-SHA", "ECDHE-RSA-AES128-SHA"}) {
        const auto session = Session::accept(server);
        RawClient raw({.version_max = tls_1_2, .ciphers = suite});
        EXPECT_FALSE(raw.run(*session)) << suite;
        EXPECT_EQ(raw.alert(), alert_handshake_failure) << suite;
    }
}

TEST_F(TlsHandshake, ChoosesHttp11AmongTheOfferedProtocols) {
    const auto session = Session::accept(server);
    RawClient raw({.protocols = "\x02h2\x08http/1.1"});
    EXPECT_TRUE(raw.run(*session));
    EXPECT_EQ(raw.protocol(), "http/1.1");
}

TEST_F(TlsHandshake, RefusesAClientThatOffersOnlyOtherProtocols) {
    for (const std::uint16_t version : {tls_1_2, tls_1_3}) {
        const auto session = Session::accept(server);
        RawClient raw({.version_max = version, .protocols = "\x02h2\x08http/1.0"});
        EXPECT_FALSE(raw.run(*session));
        EXPECT_EQ(raw.alert(), alert_no_application_protocol);
    }
}

TEST_F(TlsHandshake, AcceptsAClientWithoutAlpn) {
    const auto session = Session::accept(server);
    RawClient raw({});
    EXPECT_TRUE(raw.run(*session));
    EXPECT_EQ(raw.protocol(), "");
}

TEST_F(TlsHandshake, ChoosesTheCertificateByTheNameAskedFor) {
    EXPECT_TRUE(accepts("edge.test"));
    EXPECT_TRUE(accepts("one.wild.test")) << "an exact name goes before a wildcard";
    EXPECT_TRUE(accepts("UPPER.test"));
    EXPECT_TRUE(accepts("two.wild.test"));
}

TEST_F(TlsHandshake, AWildcardCoversOneLabelOnly) {
    EXPECT_FALSE(accepts("a.b.wild.test"));
    EXPECT_FALSE(accepts("wild.test"));
}

TEST_F(TlsHandshake, AnUnknownNameIsShownTheFirstCertificate) {
    const auto session = Session::accept(server);
    RawClient raw({.host = "unknown.test"});  // checks no name
    EXPECT_TRUE(raw.run(*session));
}

TEST_F(TlsHandshake, ResumesOnAnotherContextThatSharesTheTicketKeys) {
    for (const std::uint16_t version : {tls_1_2, tls_1_3}) {
        const auto first = Session::accept(server);
        RawClient before({.version_max = version, .host = "edge.test"});
        ASSERT_TRUE(before.run(*first));
        EXPECT_FALSE(first->resumed());
        const Handle<ssl_session_st> session = before.session();
        ASSERT_TRUE(session) << "no ticket came";

        const auto second = Session::accept(make_server());
        RawClient after({.version_max = version, .host = "edge.test", .session = session.get()});
        EXPECT_TRUE(after.run(*second));
        EXPECT_TRUE(after.resumed());
        EXPECT_TRUE(second->resumed());
    }
}

TEST_F(TlsHandshake, DoesNotResumeWithOtherTicketKeys) {
    const auto first = Session::accept(server);
    RawClient before({.host = "edge.test"});
    ASSERT_TRUE(before.run(*first));
    tickets = std::make_shared<TicketKeys>(crypto::secure_random(), clock);
    const auto second = Session::accept(make_server());
    RawClient after({.host = "edge.test", .session = before.session().get()});
    EXPECT_TRUE(after.run(*second)) << "a full handshake instead";
    EXPECT_FALSE(second->resumed());
}

// How often a ticket taken now resumes after the clock has moved by `age`.
TEST_F(TlsHandshake, ATicketOutlivesOneRotationButNotTwo) {
    const auto first = Session::accept(server);
    RawClient before({.host = "edge.test"});
    ASSERT_TRUE(before.run(*first));
    const Handle<ssl_session_st> ticket = before.session();
    const auto resumes = [&] {
        const auto session = Session::accept(server);
        RawClient raw({.host = "edge.test", .session = ticket.get()});
        EXPECT_TRUE(raw.run(*session));
        return session->resumed();
    };
    EXPECT_TRUE(resumes());
    clock.advance(12 * hour);
    tickets->rotate_if_due();
    EXPECT_TRUE(resumes());
    clock.advance(12 * hour - 1);
    tickets->rotate_if_due();
    EXPECT_TRUE(resumes()) << "not due yet";
    clock.advance(1);
    EXPECT_FALSE(resumes()) << "rotation happens at use, even if nobody asked for it";
}

TEST_F(TlsHandshake, NoTicketSurvivesALongSleep) {
    const auto first = Session::accept(server);
    RawClient before({.host = "edge.test"});
    ASSERT_TRUE(before.run(*first));
    clock.advance(30 * hour);
    const auto second = Session::accept(server);
    RawClient after({.host = "edge.test", .session = before.session().get()});
    EXPECT_TRUE(after.run(*second));
    EXPECT_FALSE(second->resumed());
}

TEST_F(TlsHandshake, ATicketOfOneNameDoesNotResumeUnderAnother) {
    const auto first = Session::accept(server);
    RawClient before({.host = "edge.test"});
    ASSERT_TRUE(before.run(*first));
    const auto second = Session::accept(server);
    RawClient after({.host = "one.wild.test", .session = before.session().get()});
    EXPECT_TRUE(after.run(*second));
    EXPECT_FALSE(second->resumed());
}

TEST_F(TlsHandshake, OurClientResumesPerHost) {
    const auto connect = [&](const std::string& host) {
        SessionPair pair(client, server, host);
        pair.exchange();
        EXPECT_TRUE(pair.both_open());
        EXPECT_TRUE(pair.server.session->write("x"));
        pair.exchange();
        return pair.client.session->resumed();
    };
    EXPECT_FALSE(connect("edge.test"));
    EXPECT_TRUE(connect("edge.test"));
    EXPECT_FALSE(connect("two.wild.test"));
    EXPECT_TRUE(connect("edge.test"));
}

}  // namespace
}  // namespace nodex::tls
