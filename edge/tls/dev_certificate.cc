// X.509 version 3 certificates for development (RFC 5280).
#include "edge/tls/dev_certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <openssl/nid.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>

#include "edge/base/bytes.h"

namespace nodex::tls {
namespace {

constexpr std::size_t dns_name_bytes_max = 253;
constexpr std::size_t serial_bytes = 16;

struct Validity {
    std::int64_t not_before_s;
    std::int64_t not_after_s;
};

bssl::UniquePtr<EVP_PKEY> generate_key() {
    bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
    bssl::UniquePtr<EVP_PKEY> key(EVP_PKEY_new());
    const bool made =
        ec && key && EC_KEY_generate_key(ec.get()) == 1 && EVP_PKEY_set1_EC_KEY(key.get(), ec.get()) == 1;
    NX_ASSERT(made);
    return key;
}

void set_random_serial(X509* certificate) {
    std::array<std::uint8_t, serial_bytes> octets;
    RAND_bytes(octets.data(), octets.size());
    octets[0] &= 0x7f;  // RFC 5280 section 4.1.2.2: positive
    octets[0] |= 0x40;
    const bssl::UniquePtr<BIGNUM> number(BN_bin2bn(octets.data(), octets.size(), nullptr));
    const bool set =
        number && BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr;
    NX_ASSERT(set);
}

// Version, serial, dates, subject and key; the issuer and the extensions are the caller's.
bssl::UniquePtr<X509> begin_certificate(const std::string& common_name, Validity validity, EVP_PKEY* key) {
    bssl::UniquePtr<X509> certificate(X509_new());
    NX_ASSERT(certificate != nullptr);
    set_random_serial(certificate.get());
    const auto* text = reinterpret_cast<const std::uint8_t*>(common_name.data());
    const bool filled =
        X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
        ASN1_TIME_set(X509_getm_notBefore(certificate.get()), validity.not_before_s) != nullptr &&
        ASN1_TIME_set(X509_getm_notAfter(certificate.get()), validity.not_after_s) != nullptr &&
        X509_NAME_add_entry_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, MBSTRING_UTF8,
                                   text, static_cast<int>(common_name.size()), -1, 0) == 1 &&
        X509_set_pubkey(certificate.get(), key) == 1;
    NX_ASSERT(filled);
    return certificate;
}

void add_extension(X509* certificate, X509* issuer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    const bssl::UniquePtr<X509_EXTENSION> extension(X509V3_EXT_nconf_nid(nullptr, &context, nid, value));
    const bool added = extension && X509_add_ext(certificate, extension.get(), -1) == 1;
    NX_ASSERT(added);
}

void sign(X509* certificate, const X509* issuer, EVP_PKEY* issuer_key) {
    const bool done = X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
                      X509_sign(certificate, issuer_key, EVP_sha256()) > 0;
    NX_ASSERT(done);
}

bool is_dns_name(const std::string& name) noexcept {
    const Bytes rest = name.starts_with("*.") ? Bytes(name).substr(2) : Bytes(name);
    return !rest.empty() && rest.size() <= dns_name_bytes_max &&
           std::all_of(rest.begin(), rest.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.';
           });
}

// The octets of an address as in RFC 5280 section 4.2.1.6: 4 or 16; empty when it is no literal.
std::string address_octets(const std::string& literal) {
    std::array<char, 16> octets;
    if (::inet_pton(AF_INET, literal.c_str(), octets.data()) == 1) return {octets.data(), 4};
    if (::inet_pton(AF_INET6, literal.c_str(), octets.data()) == 1) return {octets.data(), 16};
    return {};
}

void add_name(GENERAL_NAMES* names, int type, ASN1_STRING* value, Bytes octets) {
    bssl::UniquePtr<GENERAL_NAME> name(GENERAL_NAME_new());
    const bool set =
        name && value && ASN1_STRING_set(value, octets.data(), static_cast<int>(octets.size())) == 1;
    NX_ASSERT(set);
    GENERAL_NAME_set0_value(name.get(), type, value);
    const bool pushed = bssl::PushToStack(names, std::move(name));
    NX_ASSERT(pushed);
}

// Null when a name or an address is malformed, or there is none.
bssl::UniquePtr<GENERAL_NAMES> alternative_names(const DevAuthority::Request& request) {
    bssl::UniquePtr<GENERAL_NAMES> names(GENERAL_NAMES_new());
    for (const std::string& name : request.names) {
        if (!is_dns_name(name)) return nullptr;
        add_name(names.get(), GEN_DNS, ASN1_IA5STRING_new(), name);
    }
    for (const std::string& ip : request.ips) {
        const std::string octets = address_octets(ip);
        if (octets.empty()) return nullptr;
        add_name(names.get(), GEN_IPADD, ASN1_OCTET_STRING_new(), octets);
    }
    if (sk_GENERAL_NAME_num(names.get()) == 0) return nullptr;
    return names;
}

template <class Write>
std::string to_pem(Write write) {
    const bssl::UniquePtr<BIO> memory(BIO_new(BIO_s_mem()));
    const bool written = memory && write(memory.get()) == 1;
    NX_ASSERT(written);
    const std::uint8_t* octets = nullptr;
    std::size_t size = 0;
    const int borrowed = BIO_mem_contents(memory.get(), &octets, &size);
    NX_ASSERT(borrowed == 1);
    return {reinterpret_cast<const char*>(octets), size};
}

std::string certificate_pem(X509* certificate) {
    return to_pem([&](BIO* target) { return PEM_write_bio_X509(target, certificate); });
}

std::string key_pem(EVP_PKEY* key) {
    return to_pem([&](BIO* target) {
        return PEM_write_bio_PKCS8PrivateKey(target, key, nullptr, nullptr, 0, nullptr, nullptr);
    });
}

}  // namespace

struct DevAuthority::State {
    bssl::UniquePtr<EVP_PKEY> key;
    bssl::UniquePtr<X509> certificate;
};

DevAuthority::DevAuthority(const std::string& common_name, std::int64_t not_before_s,
                           std::int64_t not_after_s)
    : state_(std::make_unique<State>()) {
    state_->key = generate_key();
    state_->certificate = begin_certificate(common_name, {not_before_s, not_after_s}, state_->key.get());
    X509* certificate = state_->certificate.get();
    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
    add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
    sign(certificate, certificate, state_->key.get());
}

DevAuthority::~DevAuthority() = default;
DevAuthority::DevAuthority(DevAuthority&&) noexcept = default;
DevAuthority& DevAuthority::operator=(DevAuthority&&) noexcept = default;

std::string DevAuthority::ca_pem() const {
    return certificate_pem(state_->certificate.get());
}

Result<DevAuthority::Leaf> DevAuthority::issue(const Request& request) const {
    const bssl::UniquePtr<GENERAL_NAMES> names = alternative_names(request);
    if (!names) return Error{ErrorCode::bad_configuration, ErrorSource::configuration};
    const bssl::UniquePtr<EVP_PKEY> key = generate_key();
    const bssl::UniquePtr<X509> leaf =
        begin_certificate("nodex development", {request.not_before_s, request.not_after_s}, key.get());
    X509* issuer = state_->certificate.get();
    add_extension(leaf.get(), issuer, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(leaf.get(), issuer, NID_key_usage, "critical,digitalSignature");
    add_extension(leaf.get(), issuer, NID_ext_key_usage, "serverAuth");
    add_extension(leaf.get(), issuer, NID_subject_key_identifier, "hash");
    add_extension(leaf.get(), issuer, NID_authority_key_identifier, "keyid:always");
    const int added = X509_add1_ext_i2d(leaf.get(), NID_subject_alt_name, names.get(), 0, X509V3_ADD_APPEND);
    NX_ASSERT(added == 1);
    sign(leaf.get(), issuer, state_->key.get());
    return Leaf{certificate_pem(leaf.get()), key_pem(key.get())};
}

Result<DevCertificate> make_dev_certificate(const std::vector<std::string>& names,
                                            const std::vector<std::string>& ips, unsigned days,
                                            const Clock& clock) {
    const std::int64_t now_s = clock.wall_ms() / 1000;
    const std::int64_t from_s = now_s - 3600;  // clocks of clients differ a little
    const std::int64_t until_s = now_s + std::int64_t{days} * 86'400;
    const DevAuthority authority("nodex development CA", from_s, until_s);
    Result<DevAuthority::Leaf> leaf = authority.issue({names, ips, from_s, until_s});
    if (!leaf) return leaf.error();
    return DevCertificate{authority.ca_pem(), std::move(leaf->chain_pem), std::move(leaf->key_pem)};
}

}  // namespace nodex::tls
