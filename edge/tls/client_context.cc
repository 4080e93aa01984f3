// Trust in providers: the CA file, the host check, and sessions kept for the next connection.
#include "edge/tls/client_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "edge/base/log.h"
#include "edge/tls/policy.h"

namespace nodex::tls {
namespace {

constexpr const char* system_ca_file = "/etc/ssl/certs/ca-certificates.crt";
constexpr std::uint8_t protocols[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

// The connection owns a copy of its host: the session callback may come at any later read.
void free_host(void*, void* host, CRYPTO_EX_DATA*, int, long, void*) {
    delete static_cast<std::string*>(host);
}
int host_index() noexcept {
    static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, free_host);
    return index;
}

// Returns 1 when it keeps the reference it is given.
int keep_session(SSL* connection, SSL_SESSION* session) {
    auto* owner =
        static_cast<ClientContextImpl*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), owner_index()));
    NX_ASSERT(owner != nullptr);
    owner->sessions().put(host_of(connection), Handle<ssl_session_st>(session));
    return 1;
}

bool is_ip_literal(const std::string& host) noexcept {
    in6_addr address{};
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1 ||
           ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool expect_host(SSL* connection, const std::string& host) noexcept {
    if (host.empty() || host.find('\0') != std::string::npos) return false;
    X509_VERIFY_PARAM* expected = SSL_get0_param(connection);
    if (is_ip_literal(host)) return X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;
    X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1 &&
           SSL_set_tlsext_host_name(connection, host.c_str()) == 1;
}

}  // namespace

const std::string& host_of(const ssl_st* connection) noexcept {
    const auto* host = static_cast<const std::string*>(SSL_get_ex_data(connection, host_index()));
    NX_ASSERT(host != nullptr);
    return *host;
}

ClientContextImpl::ClientContextImpl(Handle<ssl_ctx_st> context) : context_(std::move(context)) {
    SSL_CTX* ctx = context_.get();
    const int stored = SSL_CTX_set_ex_data(ctx, owner_index(), this);
    NX_ASSERT(stored == 1);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
    const int refused = SSL_CTX_set_alpn_protos(ctx, protocols, sizeof protocols);  // 0 is success
    NX_ASSERT(refused == 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, keep_session);
}

Handle<ssl_st> ClientContextImpl::start(const std::string& host) {
    Handle<ssl_st> connection(SSL_new(context_.get()));
    NX_ASSERT(connection != nullptr);
    auto owned_host = std::make_unique<std::string>(host);
    const int stored = SSL_set_ex_data(connection.get(), host_index(), owned_host.get());
    NX_ASSERT(stored == 1);
    owned_host.release();
    SSL_set_connect_state(connection.get());
    SSL_set_shed_handshake_config(connection.get(), 1);
    if (!expect_host(connection.get(), host)) {
        ERR_clear_error();
        return nullptr;
    }
    if (const Handle<ssl_session_st> session = sessions_.take(host))
        SSL_set_session(connection.get(), session.get());  // refused when too old: then a full handshake
    ERR_clear_error();
    return connection;
}

Result<std::shared_ptr<ClientContext>> ClientContext::create(const ClientOptions& options) {
    const std::string ca_file = options.ca_file.empty() ? system_ca_file : options.ca_file;
    Handle<ssl_ctx_st> context = make_context(Role::client);
    if (SSL_CTX_load_verify_locations(context.get(), ca_file.c_str(), nullptr) != 1) {
        log::error("ca_file_refused",
                   {{"path", ca_file},
                    {"reason", take_error_text()},
                    {"advice", "install ca-certificates, or give a PEM file of CA certificates"}});
        return Error{ErrorCode::bad_configuration, ErrorSource::configuration};
    }
    ERR_clear_error();
    return std::shared_ptr<ClientContext>(std::make_shared<ClientContextImpl>(std::move(context)));
}

}  // namespace nodex::tls
