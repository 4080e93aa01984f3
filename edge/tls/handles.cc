// Releasing BoringSSL objects.
#include "edge/tls/handles.h"

#include <openssl/pool.h>
#include <openssl/ssl.h>

namespace nodex::tls {

void Release::operator()(crypto_buffer_st* buffer) const noexcept {
    CRYPTO_BUFFER_free(buffer);
}
void Release::operator()(evp_pkey_st* key) const noexcept {
    EVP_PKEY_free(key);
}
void Release::operator()(ssl_ctx_st* context) const noexcept {
    SSL_CTX_free(context);
}
void Release::operator()(ssl_session_st* session) const noexcept {
    SSL_SESSION_free(session);
}
void Release::operator()(ssl_st* connection) const noexcept {
    SSL_free(connection);
}

}  // namespace nodex::tls
