// Owning pointers to BoringSSL objects, without BoringSSL's headers.
#pragma once
#include <memory>

struct crypto_buffer_st;
struct evp_pkey_st;
struct ssl_ctx_st;
struct ssl_session_st;
struct ssl_st;

namespace nodex::tls {

struct Release {
    void operator()(crypto_buffer_st* buffer) const noexcept;
    void operator()(evp_pkey_st* key) const noexcept;
    void operator()(ssl_ctx_st* context) const noexcept;
    void operator()(ssl_session_st* session) const noexcept;
    void operator()(ssl_st* connection) const noexcept;
};
template <class Object>
using Handle = std::unique_ptr<Object, Release>;

}  // namespace nodex::tls
