// One SSL_CTX for every certificate: what differs by name is put on the connection when its ClientHello
// comes, so that all names share their parameters, their tickets and their memory.
#include "edge/tls/server_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>

#include "edge/base/log.h"
#include "edge/crypto/crypto.h"
#include "edge/tls/policy.h"
#include "edge/tls/ticket_keys.h"

namespace nodex::tls {
namespace {

constexpr std::uint8_t http_1_1[] = {'h', 't', 't', 'p', '/', '1', '.', '1'};

// RFC 7301 section 3.2: no protocol in common is a fatal alert. Without the extension it is not called.
int select_protocol(SSL*, const std::uint8_t** chosen, std::uint8_t* chosen_bytes,
                    const std::uint8_t* offered, unsigned offered_bytes, void*) {
    while (offered_bytes > 0) {
        const unsigned entry_bytes = offered[0];
        if (entry_bytes + 1 > offered_bytes) break;
        if (Bytes(reinterpret_cast<const char*>(offered + 1), entry_bytes) == "http/1.1") {
            *chosen = http_1_1;
            *chosen_bytes = sizeof http_1_1;
            return SSL_TLSEXT_ERR_OK;
        }
        offered += entry_bytes + 1;
        offered_bytes -= entry_bytes + 1;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

ssl_select_cert_result_t select_certificate_callback(const SSL_CLIENT_HELLO* hello) {
    const auto* owner = static_cast<const ServerContextImpl*>(
        SSL_CTX_get_ex_data(SSL_get_SSL_CTX(hello->ssl), owner_index()));
    NX_ASSERT(owner != nullptr);
    return owner->select_certificate(hello->ssl) ? ssl_select_cert_success : ssl_select_cert_error;
}

// A ticket is good only for the names it was given under: clients may not resume one host's session on
// another. Taken over the names and not the certificate, so that a renewal keeps the tickets.
crypto::Sha256 ticket_scope_of(const Certificate& certificate) {
    crypto::Sha256Stream names;
    for (const std::string& name : certificate.dns_names) {
        names.update(name);
        names.update("\n");
    }
    return names.finish();
}

}  // namespace

struct ServerContextImpl::Entry {
    Certificate certificate;
    std::vector<CRYPTO_BUFFER*> chain;  // borrowed from `certificate`, in the form the library takes
    crypto::Sha256 ticket_scope;
};

ServerContextImpl::ServerContextImpl(std::vector<Certificate> certificates,
                                     std::shared_ptr<TicketKeys> ticket_keys)
    : ticket_keys_(std::move(ticket_keys)), context_(make_context(Role::server)) {
    NX_ASSERT(!certificates.empty());
    NX_ASSERT(ticket_keys_ != nullptr);
    entries_.reserve(certificates.size());
    for (Certificate& certificate : certificates) {
        const std::size_t index = entries_.size();
        // The first certificate that claims a name keeps it.
        for (const std::string& name : certificate.dns_names)
            by_name_.emplace(name.starts_with("*.") ? name.substr(1) : name, index);
        std::vector<CRYPTO_BUFFER*> chain;
        for (const Handle<crypto_buffer_st>& buffer : certificate.chain) chain.push_back(buffer.get());
        const crypto::Sha256 scope = ticket_scope_of(certificate);
        entries_.push_back({std::move(certificate), std::move(chain), scope});
    }
    SSL_CTX* ctx = context_.get();
    const int stored = SSL_CTX_set_ex_data(ctx, owner_index(), this);
    NX_ASSERT(stored == 1);
    SSL_CTX_set_select_certificate_cb(ctx, select_certificate_callback);
    SSL_CTX_set_alpn_select_cb(ctx, select_protocol, nullptr);
    TicketKeysAccess::install(ctx, *ticket_keys_);
}

ServerContextImpl::~ServerContextImpl() = default;

Handle<ssl_st> ServerContextImpl::start() const {
    Handle<ssl_st> connection(SSL_new(context_.get()));
    NX_ASSERT(connection != nullptr);
    SSL_set_accept_state(connection.get());
    SSL_set_shed_handshake_config(connection.get(), 1);  // an open connection needs none of it any more
    return connection;
}

const ServerContextImpl::Entry& ServerContextImpl::entry_for(std::string_view host) const noexcept {
    std::array<char, TLSEXT_MAXLEN_host_name> lowered;
    if (host.empty() || host.size() > lowered.size()) return entries_.front();
    for (std::size_t i = 0; i < host.size(); ++i)
        lowered[i] = host[i] >= 'A' && host[i] <= 'Z' ? static_cast<char>(host[i] + ('a' - 'A')) : host[i];
    const std::string_view name(lowered.data(), host.size());
    // A host that begins with a dot would find a wildcard's entry; no certificate is meant for it.
    if (name.front() == '.') return entries_.front();
    if (const auto exact = by_name_.find(std::string(name)); exact != by_name_.end())
        return entries_[exact->second];
    const std::size_t dot = name.find('.');
    if (dot == std::string_view::npos) return entries_.front();
    const auto wildcard = by_name_.find(std::string(name.substr(dot)));
    return wildcard != by_name_.end() ? entries_[wildcard->second] : entries_.front();
}

bool ServerContextImpl::select_certificate(ssl_st* connection) const noexcept {
    const char* host = SSL_get_servername(connection, TLSEXT_NAMETYPE_host_name);
    const Entry& entry = entry_for(host != nullptr ? host : "");
    return SSL_set_chain_and_key(connection, entry.chain.data(), entry.chain.size(),
                                 entry.certificate.key.get(), nullptr) == 1 &&
           SSL_set_session_id_context(connection, entry.ticket_scope.data(), entry.ticket_scope.size()) == 1;
}

Result<std::shared_ptr<ServerContext>> ServerContext::create(
    const std::vector<CertificateFiles>& certificates, std::shared_ptr<TicketKeys> ticket_keys) {
    if (certificates.empty()) {
        log::error("certificate_refused", {{"reason", "a TLS listener needs at least one certificate"}});
        return Error{ErrorCode::bad_configuration, ErrorSource::configuration};
    }
    std::vector<Certificate> loaded;
    for (const CertificateFiles& files : certificates) {
        Result<Certificate> certificate = Certificate::load(files);
        if (!certificate) return certificate.error();
        loaded.push_back(std::move(*certificate));
    }
    return std::shared_ptr<ServerContext>(
        std::make_shared<ServerContextImpl>(std::move(loaded), std::move(ticket_keys)));
}

}  // namespace nodex::tls
