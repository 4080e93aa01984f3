// The library's own client over its memory BIOs.
#include "tests/unit/tls/raw_client.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

namespace nodex::tls::test {

struct RawClientAccess {
    static int keep(SSL* connection, SSL_SESSION* session) {
        static_cast<RawClient*>(SSL_get_app_data(connection))->newest_.reset(session);
        return 1;
    }
};

RawClient::RawClient(const Options& options) : context_(SSL_CTX_new(TLS_method())) {
    SSL_CTX* ctx = context_.get();
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, RawClientAccess::keep);
    const bool accepted =
        SSL_CTX_set_min_proto_version(ctx, options.version_min) == 1 &&
        SSL_CTX_set_max_proto_version(ctx, options.version_max) == 1 &&
        (options.ciphers.empty() || SSL_CTX_set_strict_cipher_list(ctx, options.ciphers.c_str()) == 1);
    NX_ASSERT(accepted);
    connection_.reset(SSL_new(ctx));
    SSL* ssl = connection_.get();
    SSL_set_app_data(ssl, this);
    if (!options.protocols.empty())
        SSL_set_alpn_protos(ssl, reinterpret_cast<const std::uint8_t*>(options.protocols.data()),
                            static_cast<unsigned>(options.protocols.size()));
    if (!options.host.empty()) SSL_set_tlsext_host_name(ssl, options.host.c_str());
    if (options.session != nullptr) SSL_set_session(ssl, options.session);
    SSL_set_connect_state(ssl);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl), -1);
}
RawClient::~RawClient() = default;

// Moves what each side has to say to the other once; false when the server's side failed.
bool RawClient::pump(Session& server) {
    SSL* ssl = connection_.get();
    const std::uint8_t* octets = nullptr;
    std::size_t size = 0;
    BIO_mem_contents(SSL_get_wbio(ssl), &octets, &size);
    const std::string sent(reinterpret_cast<const char*>(octets), size);
    BIO_reset(SSL_get_wbio(ssl));
    std::string ignored;
    const Status fed = server.feed(sent, ignored);
    std::string answer;
    answer.swap(server.output());
    if (!answer.empty()) BIO_write(SSL_get_rbio(ssl), answer.data(), static_cast<int>(answer.size()));
    return fed.has_value();
}

bool RawClient::run(Session& server) {
    SSL* ssl = connection_.get();
    for (int round = 0; round < 6; ++round) {
        ERR_clear_error();
        const int result = SSL_do_handshake(ssl);
        if (result == 1 && server.phase() == Phase::open) break;
        if (result != 1 && SSL_get_error(ssl, result) != SSL_ERROR_WANT_READ) {
            const std::uint32_t reason = ERR_peek_error();
            if (ERR_GET_REASON(reason) >= SSL_AD_REASON_OFFSET)
                alert_ = ERR_GET_REASON(reason) - SSL_AD_REASON_OFFSET;
            ERR_clear_error();
            return false;
        }
        pump(server);
    }
    if (server.phase() != Phase::open || !server.write("x")) return false;
    SSL_write(ssl, "y", 1);
    if (!pump(server)) return false;
    char octet = 0;
    return SSL_read(ssl, &octet, 1) == 1 && octet == 'x';
}

bool RawClient::resumed() const noexcept {
    return SSL_session_reused(connection_.get()) == 1;
}

std::string RawClient::protocol() const {
    const std::uint8_t* chosen = nullptr;
    unsigned chosen_bytes = 0;
    SSL_get0_alpn_selected(connection_.get(), &chosen, &chosen_bytes);
    return {reinterpret_cast<const char*>(chosen), chosen_bytes};
}

std::string RawClient::cipher() const {
    return SSL_CIPHER_get_name(SSL_get_current_cipher(connection_.get()));
}

Handle<ssl_session_st> RawClient::session() const {
    if (newest_) SSL_SESSION_up_ref(newest_.get());
    return Handle<ssl_session_st>(newest_.get());
}

}  // namespace nodex::tls::test
