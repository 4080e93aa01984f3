// Loading a certificate chain and its key from PEM files.
#include "edge/tls/certificate.h"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/pool.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <iterator>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "edge/crypto/secret_file.h"
#include "edge/tls/policy.h"

namespace nodex::tls {
namespace {

constexpr unsigned rsa_bits_min = 2048;

Error refused(const CertificateFiles& files, const std::string& reason) {
    log::error("certificate_refused",
               {{"chain", files.chain_path}, {"key", files.key_path}, {"reason", reason}});
    return {ErrorCode::bad_configuration, ErrorSource::configuration};
}

std::optional<std::string> read_public_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) return std::nullopt;
    std::string text(limits::certificate_file_bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > limits::certificate_file_bytes_max) return std::nullopt;
    return text;
}

bssl::UniquePtr<BIO> reader_of(const std::string& text) {
    return bssl::UniquePtr<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// A password prompt on a server's terminal would hang its start: an encrypted key is refused instead.
int no_password(char*, int, int, void*) {
    return -1;
}

std::vector<bssl::UniquePtr<X509>> parse_chain(const std::string& text) {
    std::vector<bssl::UniquePtr<X509>> chain;
    const bssl::UniquePtr<BIO> reader = reader_of(text);
    while (X509* certificate = PEM_read_bio_X509(reader.get(), nullptr, no_password, nullptr))
        chain.emplace_back(certificate);
    // The last round ends with "no start line"; anything else is a certificate that does not parse.
    const std::uint32_t last = ERR_peek_last_error();
    if (ERR_GET_LIB(last) != ERR_LIB_PEM || ERR_GET_REASON(last) != PEM_R_NO_START_LINE) chain.clear();
    ERR_clear_error();
    return chain;
}

// Empty when the key is one we accept, else why not.
std::string key_defect(const EVP_PKEY* key) {
    switch (EVP_PKEY_id(key)) {
        case EVP_PKEY_EC: {
            const int curve = EC_GROUP_get_curve_name(EC_KEY_get0_group(EVP_PKEY_get0_EC_KEY(key)));
            const bool known = curve == NID_X9_62_prime256v1 || curve == NID_secp384r1;
            return known ? "" : "its curve is neither P-256 nor P-384";
        }
        case EVP_PKEY_RSA:
            return RSA_bits(EVP_PKEY_get0_RSA(key)) >= rsa_bits_min ? ""
                                                                    : "an RSA key needs 2048 bits or more";
        default: return "its key is neither ECDSA nor RSA";
    }
}

std::string lower_case(Bytes text) {
    std::string lowered(text);
    for (char& c : lowered)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
    return lowered;
}

std::vector<std::string> dns_names_of(const X509* leaf) {
    std::vector<std::string> names;
    const bssl::UniquePtr<GENERAL_NAMES> alternatives(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr)));
    ERR_clear_error();
    if (!alternatives) return names;
    for (const GENERAL_NAME* name : alternatives.get()) {
        if (name->type != GEN_DNS) continue;
        const auto* text = reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName));
        names.push_back(
            lower_case(Bytes(text, static_cast<std::size_t>(ASN1_STRING_length(name->d.dNSName)))));
    }
    return names;
}

void warn_about_dates(const CertificateFiles& files, const X509* leaf) {
    const char* reason = nullptr;
    if (X509_cmp_current_time(X509_get0_notBefore(leaf)) > 0) reason = "it is not valid yet";
    if (X509_cmp_current_time(X509_get0_notAfter(leaf)) < 0) reason = "it has expired";
    if (reason != nullptr)
        log::warning("certificate_out_of_date", {{"chain", files.chain_path}, {"reason", reason}});
}

Handle<crypto_buffer_st> to_buffer(X509* certificate) {
    std::uint8_t* der = nullptr;
    const int der_bytes = i2d_X509(certificate, &der);
    NX_ASSERT(der_bytes > 0);  // it was just parsed
    Handle<crypto_buffer_st> buffer(CRYPTO_BUFFER_new(der, static_cast<std::size_t>(der_bytes), nullptr));
    OPENSSL_free(der);
    return buffer;
}

Result<Handle<evp_pkey_st>> load_key(const CertificateFiles& files) {
    Result<std::string> text = crypto::read_private_file(files.key_path, limits::certificate_file_bytes_max);
    if (!text) return text.error();
    Handle<evp_pkey_st> key(PEM_read_bio_PrivateKey(reader_of(*text).get(), nullptr, no_password, nullptr));
    crypto::cleanse(text->data(), text->size());
    if (!key)
        return refused(files, "the key file holds no unencrypted PEM private key: " + take_error_text());
    return key;
}

}  // namespace

Result<Certificate> Certificate::load(const CertificateFiles& files) {
    const std::optional<std::string> text = read_public_file(files.chain_path);
    if (!text) return refused(files, "the chain file cannot be read or is too large");
    const std::vector<bssl::UniquePtr<X509>> chain = parse_chain(*text);
    if (chain.empty()) return refused(files, "the chain file holds no PEM certificate, or a broken one");
    if (chain.size() > limits::certificate_chain_count_max) return refused(files, "the chain is too long");

    Result<Handle<evp_pkey_st>> key = load_key(files);
    if (!key) return key.error();
    X509* leaf = chain.front().get();
    const int matches = X509_check_private_key(leaf, key->get());
    ERR_clear_error();
    if (matches != 1) return refused(files, "the private key does not belong to the first certificate");
    if (const std::string defect = key_defect(key->get()); !defect.empty()) return refused(files, defect);
    warn_about_dates(files, leaf);

    Certificate loaded;
    loaded.key = std::move(*key);
    loaded.dns_names = dns_names_of(leaf);
    for (const bssl::UniquePtr<X509>& certificate : chain)
        loaded.chain.push_back(to_buffer(certificate.get()));
    return loaded;
}

}  // namespace nodex::tls
