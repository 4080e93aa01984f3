// What Debian's BoringSSL would allow by default is not acceptable (TLS 1.0, CBC with SHA-1, SHA-1
// signatures), so every parameter is set here rather than trusted.
#include "edge/tls/policy.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "edge/base/result.h"

namespace nodex::tls {
namespace {

// Suites in brackets are equal: the client's order decides among them, since it knows whether it has AES
// instructions. ECDSA goes first because it costs the server a fifth of RSA.
constexpr const char* cipher_list =
    "[ECDHE-ECDSA-AES128-GCM-SHA256|ECDHE-ECDSA-AES256-GCM-SHA384|ECDHE-ECDSA-CHACHA20-POLY1305]:"
    "[ECDHE-RSA-AES128-GCM-SHA256|ECDHE-RSA-AES256-GCM-SHA384|ECDHE-RSA-CHACHA20-POLY1305]";

constexpr std::uint16_t signature_algorithms[] = {
    SSL_SIGN_ECDSA_SECP256R1_SHA256, SSL_SIGN_ECDSA_SECP384R1_SHA384, SSL_SIGN_RSA_PSS_RSAE_SHA256,
    SSL_SIGN_RSA_PSS_RSAE_SHA384,    SSL_SIGN_RSA_PSS_RSAE_SHA512,    SSL_SIGN_RSA_PKCS1_SHA256,
    SSL_SIGN_RSA_PKCS1_SHA384,       SSL_SIGN_RSA_PKCS1_SHA512,
};

// Seconds. A server's ticket ends with its key after 24 h at most; the hint must not promise more.
constexpr unsigned session_lifetime_s = 24 * 3600;

const char* groups(Role role) noexcept {
    switch (role) {
        case Role::server: return "X25519:P-256";
        case Role::client: return "X25519:P-256:P-384";
    }
    return "";
}

}  // namespace

Handle<ssl_ctx_st> make_context(Role role) {
    Handle<ssl_ctx_st> context(SSL_CTX_new(TLS_method()));
    NX_ASSERT(context != nullptr);
    SSL_CTX* ctx = context.get();
    const bool applied =
        SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
        SSL_CTX_set_strict_cipher_list(ctx, cipher_list) == 1 &&
        SSL_CTX_set1_curves_list(ctx, groups(role)) == 1 &&
        SSL_CTX_set_signing_algorithm_prefs(ctx, signature_algorithms, std::size(signature_algorithms)) ==
            1 &&
        SSL_CTX_set_verify_algorithm_prefs(ctx, signature_algorithms, std::size(signature_algorithms)) == 1;
    NX_ASSERT(applied);  // constants of ours against a library we ship with
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_early_data_enabled(ctx, 0);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(ctx, session_lifetime_s);
    SSL_CTX_set_session_psk_dhe_timeout(ctx, session_lifetime_s);
    return context;
}

int owner_index() noexcept {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

std::string take_error_text() {
    const std::uint32_t code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return "no reason given";
    const char* reason = ERR_reason_error_string(code);
    return reason != nullptr ? reason : "unknown reason";
}

}  // namespace nodex::tls
