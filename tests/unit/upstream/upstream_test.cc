// Endpoints together: choice by health, probing with real calls, replacement at a reload, TLS.
#include "edge/upstream/upstream.h"

#include "tests/support/test_certificates.h"
#include "tests/unit/upstream/mail_receiver.h"
#include "tests/unit/upstream/provider_world.h"

namespace nodex::upstream {
namespace {

class UpstreamTest : public ProviderWorld {
  protected:
    using Indices = std::vector<std::size_t>;
    void eject(std::size_t index) {
        for (unsigned i = 0; i < limits::ejection_failures; ++i) upstream->report(index, false);
    }
};

TEST_F(UpstreamTest, ChoosesOnlyEndpointsThatServeTheModel) {
    auto other = endpoint("other");
    other->models = {{"other-model", "x"}};
    upstream->replace_endpoints({config, other});
    EXPECT_EQ(upstream->choose("model"), Indices{0});
    EXPECT_EQ(upstream->choose("other-model"), Indices{1});
    EXPECT_TRUE(upstream->choose("nothing").empty());
}

TEST_F(UpstreamTest, ReportedFailuresMakeAnEndpointTheLastChoice) {
    upstream->replace_endpoints({config, endpoint("spare")});
    eject(0);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(upstream->choose("model"), (Indices{1, 0}));
    EXPECT_TRUE(upstream->status()[0].ejected);
    upstream->report(0, true);
    EXPECT_FALSE(upstream->status()[0].ejected);
}

TEST_F(UpstreamTest, FailedCallsCountTowardsEjection) {
    provider->script({{.bytes = "nonsense\r\n\r\n"}});
    Caller caller(*upstream);
    for (unsigned i = 0; i < limits::ejection_failures; ++i) {
        EXPECT_FALSE(upstream->status()[0].ejected);
        call_once(caller);
    }
    EXPECT_TRUE(upstream->status()[0].ejected);
    EXPECT_EQ(upstream->status()[0].failures, limits::ejection_failures);
}

TEST_F(UpstreamTest, AnEndpointsProbeComesFirstOnceAndAlone) {
    upstream->replace_endpoints({config, endpoint("spare")});
    provider->script({{.bytes = ""}});
    eject(0);
    run_for(limits::ejection_backoff_min + 10 * millisecond);
    EXPECT_EQ(upstream->choose("model"), (Indices{0, 1}));
    Caller probe(*upstream);
    probe.start(0);
    EXPECT_EQ(upstream->choose("model"), (Indices{1, 0}));
    upstream->report(0, true);
    EXPECT_FALSE(upstream->status()[0].ejected);
    probe.call.cancel();
}

TEST_F(UpstreamTest, AFailedProbeDoublesTheBackoff) {
    upstream->replace_endpoints({config, endpoint("spare")});
    provider->script({{.bytes = "nonsense\r\n\r\n"}});
    eject(0);
    run_for(limits::ejection_backoff_min + 10 * millisecond);
    Caller probe(*upstream);
    call_once(probe, 0);
    run_for(limits::ejection_backoff_min + 10 * millisecond);
    EXPECT_EQ(upstream->choose("model"), (Indices{1, 0}));
    run_for(limits::ejection_backoff_min);
    EXPECT_EQ(upstream->choose("model"), (Indices{0, 1}));
}

TEST_F(UpstreamTest, ACancelledProbeMakesRoomForAnother) {
    upstream->replace_endpoints({config, endpoint("spare")});
    provider->script({{.bytes = ""}});
    eject(0);
    run_for(limits::ejection_backoff_min + 10 * millisecond);
    Caller probe(*upstream);
    probe.start(0);
    run_for(second);
    probe.call.cancel();
    EXPECT_EQ(upstream->choose("model"), (Indices{0, 1}));
}

TEST_F(UpstreamTest, ReplacingKeepsConnectionsHealthAndIndexOfTheSamePlace) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    call_once(caller);
    eject(0);
    auto changed = std::make_shared<EndpointConfig>(*config);
    changed->authorization = "Bearer rotated";
    upstream->replace_endpoints({endpoint("first"), changed});
    EXPECT_EQ(upstream->endpoint(0).authorization, "Bearer rotated");
    EXPECT_TRUE(upstream->status()[0].ejected);
    call_once(caller, 0);
    EXPECT_EQ(provider->peers.size(), 1u);
    EXPECT_NE(provider->requests[1].find("Authorization: Bearer rotated\r\n"), std::string::npos);
}

TEST_F(UpstreamTest, RunningCallsFinishOnTheEndpointTheyWereSentTo) {
    provider->script({{.bytes = ""}});
    Caller running(*upstream);
    running.start();
    run_for(10 * millisecond);
    Provider moved(loop, 9901);
    moved.script({json_reply("{\"moved\":1}")});
    upstream->replace_endpoints({endpoint("local", 9901)});
    Caller later(*upstream);
    call_once(later, 0);
    EXPECT_EQ(later.body, "{\"moved\":1}");
    provider->peers[0]->channel.write(json_reply("{\"old\":1}").bytes);
    finish(running);
    EXPECT_EQ(running.body, "{\"old\":1}");
    run_until([&] { return provider->peers[0]->saw_end; });  // nothing is kept of the old place
    upstream->close_idle();
    moved.stop();
    run_until([&] { return moved.quiet(); });
}

TEST_F(UpstreamTest, ARemovedEndpointRefusesAndComesBackUnderItsIndex) {
    upstream->replace_endpoints({endpoint("spare")});
    EXPECT_EQ(upstream->choose("model"), Indices{1});
    Caller caller(*upstream);
    call_once(caller, 0);
    EXPECT_EQ(caller.error.code, ErrorCode::unavailable);
    EXPECT_FALSE(caller.sent);
    upstream->report(0, false);  // late, and about nobody
    upstream->replace_endpoints({config, endpoint("spare")});
    EXPECT_EQ(upstream->endpoint(0).name, "local");
    EXPECT_EQ(upstream->endpoint(1).name, "spare");
}

TEST_F(UpstreamTest, ClosesItsIdleConnectionsWhenDraining) {
    provider->script({json_reply("{}")});
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_FALSE(upstream->idle());
    upstream->close_idle();
    run_until([&] { return upstream->idle(); });
    EXPECT_TRUE(provider->peers[0]->saw_end);
}

TEST_F(UpstreamTest, TriesTheNextAddressWhenOneRefuses) {
    Resolver two_addresses([](const std::string&) noexcept -> std::vector<SocketAddress> {
        return {*parse_address_literal("127.0.0.9"), *parse_address_literal("127.0.0.1")};
    });
    two_addresses.start();
    // Known before the call, because simulated time does not wait for the resolver's thread.
    MailReceiver receiver;
    Resolution known;
    two_addresses.resolve(known, "provider.example", port, receiver.mailbox, [](void*) noexcept {}, nullptr);
    receiver.join(known);
    auto named = endpoint("named");
    named->host = "provider.example";
    provider->script({json_reply("{}")});
    Upstream by_name(loop, {named}, two_addresses, random);
    Caller caller(by_name);
    call_once(caller);
    EXPECT_TRUE(caller.completed);
    EXPECT_NE(provider->requests[0].find("\r\nHost: provider.example:9900\r\n"), std::string::npos);
    by_name.close_idle();
    run_until([&] { return by_name.idle(); });
}

// --- TLS ---

class UpstreamTlsTest : public UpstreamTest {
  protected:
    void serve(const tls::CertificateFiles& files) {
        shut_down();
        upstream.reset();
        auto keys = std::make_shared<tls::TicketKeys>(random, loop.clock());
        auto context = tls::ServerContext::create({files}, keys);
        ASSERT_TRUE(context.has_value());
        provider = std::make_unique<Provider>(loop, port, *context);
        provider->script({json_reply("{\"secure\":1}")});
        secure_ = std::make_shared<EndpointConfig>(*config);
        secure_->tls = true;
        secure_->ca_file = authority_.ca_file();
        endpoints = {secure_};
        upstream = std::make_unique<Upstream>(loop, endpoints, resolver, random);
    }
    test::TestAuthority authority_;
    std::shared_ptr<EndpointConfig> secure_;
};

TEST_F(UpstreamTlsTest, CallsAProviderOverTlsAndReusesItsConnection) {
    serve(authority_.issue({"localhost"}, {"127.0.0.1"}));
    Caller caller(*upstream);
    for (int i = 0; i < 3; ++i) {
        call_once(caller);
        ASSERT_TRUE(caller.completed) << name(caller.error.code);
        EXPECT_EQ(caller.body, "{\"secure\":1}");
    }
    EXPECT_EQ(provider->peers.size(), 1u);
}

TEST_F(UpstreamTlsTest, RefusesACertificateOfAnotherHostBeforeSendingAnything) {
    serve(authority_.issue({"elsewhere.example"}, {"192.0.2.1"}));
    Caller caller(*upstream);
    call_once(caller);
    EXPECT_EQ(caller.error.code, ErrorCode::tls_certificate_invalid);
    EXPECT_FALSE(caller.sent);
    EXPECT_TRUE(provider->requests.empty());
    EXPECT_EQ(upstream->status()[0].failures, 1u);
}

TEST_F(UpstreamTlsTest, AnUnreadableCaFileDisablesThatEndpointOnly) {
    serve(authority_.issue({"localhost"}, {"127.0.0.1"}));
    auto broken = std::make_shared<EndpointConfig>(*secure_);
    broken->name = "broken";
    broken->ca_file = authority_.folder().file("missing.pem");
    upstream->replace_endpoints({secure_, broken});
    Caller caller(*upstream);
    call_once(caller, 1);
    EXPECT_EQ(caller.error.code, ErrorCode::bad_configuration);
    EXPECT_FALSE(caller.sent);
    call_once(caller, 0);
    EXPECT_TRUE(caller.completed);
}

}  // namespace
}  // namespace nodex::upstream
