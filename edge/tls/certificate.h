// One certificate chain with its private key, loaded and checked at start-up or reload.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "edge/tls/handles.h"
#include "edge/tls/tls_context.h"

namespace nodex::tls {

struct Certificate {
    std::vector<Handle<crypto_buffer_st>> chain;  // leaf first
    Handle<evp_pkey_st> key;
    std::vector<std::string> dns_names;  // of the leaf, lower case, possibly "*.example.com"

    // Reads both files. ECDSA on P-256 or P-384, or RSA of 2048 bits and more. An expired certificate is
    // taken with a warning: an edge that serves it is better than an edge that is down.
    // Errors: bad_configuration(configuration), logged as "certificate_refused".
    static Result<Certificate> load(const CertificateFiles& files);
};

}  // namespace nodex::tls
