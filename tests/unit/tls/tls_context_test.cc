// Contexts: what configuration they refuse, and which servers our client trusts.
#include "edge/tls/tls_context.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "edge/crypto/crypto.h"
#include "tests/support/test_certificates.h"
#include "tests/unit/tls/session_pair.h"

namespace nodex::tls {
namespace {

using test::SessionPair;

class TlsContext : public testing::Test {
  protected:
    ErrorCode create_code(const std::vector<CertificateFiles>& certificates) {
        const auto made = ServerContext::create(certificates, tickets);
        return made ? ErrorCode::none : made.error().code;
    }
    // How a connection of a client that trusts `trusted` ends at a server with `files`.
    ErrorCode connect_code(const CertificateFiles& files, const std::string& trusted,
                           const std::string& host) {
        auto server = ServerContext::create({files}, tickets);
        auto client = ClientContext::create({trusted});
        NX_ASSERT(server.has_value());
        NX_ASSERT(client.has_value());
        SessionPair pair(*client, *server, host);
        pair.exchange();
        if (pair.client.last) return pair.both_open() ? ErrorCode::none : ErrorCode::unavailable;
        // Whoever refuses a certificate says so: the other end must not be left waiting.
        EXPECT_EQ(pair.server.session->phase(), Phase::failed);
        EXPECT_EQ(pair.client.session->phase(), Phase::failed);
        return pair.client.last.error().code;
    }

    nodex::test::TestAuthority authority;
    std::shared_ptr<TicketKeys> tickets =
        std::make_shared<TicketKeys>(crypto::secure_random(), system_clock());
};

TEST_F(TlsContext, RefusesToServeWithoutACertificate) {
    EXPECT_EQ(create_code({}), ErrorCode::bad_configuration);
}

TEST_F(TlsContext, RefusesFilesThatAreMissingOrNotPem) {
    const CertificateFiles good = authority.issue({"edge.test"});
    const std::string text = authority.folder().write("text", "hello\n");
    EXPECT_EQ(create_code({{"/nonexistent", good.key_path}}), ErrorCode::bad_configuration);
    EXPECT_EQ(create_code({{good.chain_path, "/nonexistent"}}), ErrorCode::bad_configuration);
    EXPECT_EQ(create_code({{text, good.key_path}}), ErrorCode::bad_configuration);
    EXPECT_EQ(create_code({{good.chain_path, text}}), ErrorCode::bad_configuration);
    EXPECT_EQ(create_code({{good.key_path, good.key_path}}), ErrorCode::bad_configuration);
    EXPECT_EQ(create_code({good}), ErrorCode::none);
}

TEST_F(TlsContext, RefusesAKeyOfAnotherCertificate) {
    const CertificateFiles first = authority.issue({"one.test"});
    const CertificateFiles second = authority.issue({"two.test"});
    EXPECT_EQ(create_code({{first.chain_path, second.key_path}}), ErrorCode::bad_configuration);
    EXPECT_EQ(create_code({first, {first.chain_path, second.key_path}}), ErrorCode::bad_configuration);
}

TEST_F(TlsContext, RefusesAKeyFileThatOthersCanRead) {
    const CertificateFiles files = authority.issue({"edge.test"});
    ASSERT_EQ(::chmod(files.key_path.c_str(), 0640), 0);
    EXPECT_EQ(create_code({files}), ErrorCode::bad_configuration);
}

TEST_F(TlsContext, RefusesAChainWithABrokenSecondCertificate) {
    const CertificateFiles files = authority.issue({"edge.test"});
    const std::string broken = authority.folder().write(
        "broken.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    const std::string chain = authority.folder().file("joined.pem");
    ASSERT_EQ(::system(("cat " + files.chain_path + " " + broken + " > " + chain).c_str()), 0);
    EXPECT_EQ(create_code({{chain, files.key_path}}), ErrorCode::bad_configuration);
}

TEST_F(TlsContext, ClientRefusesAMissingOrEmptyAuthorityFile) {
    EXPECT_FALSE(ClientContext::create({"/nonexistent"}));
    EXPECT_FALSE(ClientContext::create({authority.folder().write("empty.pem", "")}));
}

TEST_F(TlsContext, ClientFindsTheSystemsAuthorities) {
    if (::access("/etc/ssl/certs/ca-certificates.crt", R_OK) != 0)
        GTEST_SKIP() << "ca-certificates is not installed";
    EXPECT_TRUE(ClientContext::create({}));
}

TEST_F(TlsContext, ClientAcceptsTheRightNameOrAddress) {
    const CertificateFiles files = authority.issue({"edge.test", "*.edge.test"}, {"127.0.0.1", "::1"});
    for (const char* host : {"edge.test", "EDGE.test", "a.edge.test", "127.0.0.1", "::1"})
        EXPECT_EQ(connect_code(files, authority.ca_file(), host), ErrorCode::none) << host;
}

TEST_F(TlsContext, ClientRefusesEveryOtherNameOrAddress) {
    const CertificateFiles files = authority.issue({"edge.test", "*.edge.test"}, {"127.0.0.1"});
    for (const char* host :
         {"edge.test.evil", "other.test", "a.b.edge.test", "127.0.0.2", "::1", "nodex development"})
        EXPECT_EQ(connect_code(files, authority.ca_file(), host), ErrorCode::tls_certificate_invalid) << host;
}

TEST_F(TlsContext, ClientRefusesHostsThatAreNoHosts) {
    const CertificateFiles files = authority.issue({"edge.test"});
    const auto client = ClientContext::create({authority.ca_file()});
    ASSERT_TRUE(client);
    for (const std::string& host : {std::string(), std::string("edge.test\0x", 11), std::string(300, 'a')}) {
        const auto session = Session::connect(*client, host);
        std::string plaintext;
        const Status fed = session->feed({}, plaintext);
        ASSERT_FALSE(fed);
        EXPECT_EQ(fed.error().code, ErrorCode::tls_certificate_invalid);
        EXPECT_EQ(session->output(), "");
        session->close();
    }
}

TEST_F(TlsContext, ClientRefusesAnUnknownAuthority) {
    const nodex::test::TestAuthority stranger("another CA");
    EXPECT_EQ(connect_code(authority.issue({"edge.test"}), stranger.ca_file(), "edge.test"),
              ErrorCode::tls_certificate_invalid);
}

TEST_F(TlsContext, ClientRefusesAnAuthorityThatOnlyBearsTheRightName) {
    const nodex::test::TestAuthority impostor("test CA");
    EXPECT_EQ(connect_code(authority.issue({"edge.test"}), impostor.ca_file(), "edge.test"),
              ErrorCode::tls_certificate_invalid);
}

TEST_F(TlsContext, ClientRefusesCertificatesOutsideTheirDates) {
    EXPECT_EQ(connect_code(authority.issue({"edge.test"}, {}, -3, -1), authority.ca_file(), "edge.test"),
              ErrorCode::tls_certificate_invalid);
    EXPECT_EQ(connect_code(authority.issue({"edge.test"}, {}, 1, 3), authority.ca_file(), "edge.test"),
              ErrorCode::tls_certificate_invalid);
}

TEST(DevCertificateTest, ServesItsNamesAndAddressesToAClientThatTrustsItsAuthority) {
    const nodex::test::TemporaryFolder folder;
    const Result<DevCertificate> made = make_dev_certificate({"localhost"}, {"127.0.0.1"}, 30);
    ASSERT_TRUE(made);
    const auto tickets = std::make_shared<TicketKeys>(crypto::secure_random(), system_clock());
    const auto server = ServerContext::create(
        {{folder.write("chain.pem", made->chain_pem), folder.write("key.pem", made->key_pem)}}, tickets);
    const auto client = ClientContext::create({folder.write("ca.pem", made->ca_pem)});
    ASSERT_TRUE(server && client);
    for (const char* host : {"localhost", "127.0.0.1"}) {
        SessionPair pair(*client, *server, host);
        pair.exchange();
        EXPECT_TRUE(pair.both_open()) << host;
    }
}

TEST(DevCertificateTest, RefusesMalformedNamesAndNoNames) {
    EXPECT_FALSE(make_dev_certificate({}, {}, 30));
    EXPECT_FALSE(make_dev_certificate({""}, {}, 30));
    EXPECT_FALSE(make_dev_certificate({"a b"}, {}, 30));
    EXPECT_FALSE(make_dev_certificate({"a.*.test"}, {}, 30));
    EXPECT_FALSE(make_dev_certificate({"localhost"}, {"127.0.0"}, 30));
}

}  // namespace
}  // namespace nodex::tls
