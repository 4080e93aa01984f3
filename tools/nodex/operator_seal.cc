// Sealing commands and opening their replies.
#include "tools/nodex/operator_seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <memory>

#include "edge/base/codec.h"
#include "edge/base/result.h"

namespace nodex::cli {
namespace {

constexpr std::uint8_t seal_version = 1;
constexpr std::string_view command_label = "nx-operator-command-v1";
constexpr std::string_view reply_label = "nx-operator-reply-v1";
constexpr std::size_t reply_salt_bytes = 16;
constexpr int tag_bytes = 16;

using DerivedKey = std::array<unsigned char, 32>;
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

const unsigned char* octets(std::string_view text) noexcept {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* writable(std::string& text) noexcept {
    return reinterpret_cast<unsigned char*>(text.data());
}
template <std::size_t Size>
std::string_view view(const std::array<char, Size>& bytes) noexcept {
    return {bytes.data(), bytes.size()};
}

DerivedKey hmac(std::string_view key, std::string_view data) noexcept {
    DerivedKey mac;
    unsigned size = 0;
    NX_ASSERT(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), octets(data),
                   data.size(), mac.data(), &size) != nullptr);
    NX_ASSERT(size == mac.size());
    return mac;
}

// HKDF-SHA256 (RFC 5869) without salt, one block long.
DerivedKey derive(const OperatorKey& key, std::string info) noexcept {
    constexpr std::array<char, 32> no_salt{};
    DerivedKey extracted = hmac(view(no_salt), view(key.octets));
    info.push_back('\1');
    const DerivedKey derived =
        hmac({reinterpret_cast<const char*>(extracted.data()), extracted.size()}, info);
    OPENSSL_cleanse(extracted.data(), extracted.size());
    return derived;
}

// ChaCha20-Poly1305 with the nonce zero: each key seals one message.
Cipher keyed(const DerivedKey& key, bool seals, std::string_view context) {
    constexpr std::array<unsigned char, 12> nonce{};
    Cipher cipher(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
    int size = 0;
    NX_ASSERT(cipher != nullptr);
    NX_ASSERT(EVP_CipherInit_ex(cipher.get(), EVP_chacha20_poly1305(), nullptr, key.data(),
                                nonce.data(), seals ? 1 : 0) == 1);
    NX_ASSERT(EVP_CipherUpdate(cipher.get(), nullptr, &size, octets(context),
                               static_cast<int>(context.size())) == 1);
    return cipher;
}

std::string seal(const DerivedKey& key, std::string_view plain, std::string_view context) {
    const Cipher cipher = keyed(key, true, context);
    std::string sealed(plain.size() + tag_bytes, '\0');
    int size = 0, rest = 0;
    NX_ASSERT(EVP_CipherUpdate(cipher.get(), writable(sealed), &size, octets(plain),
                               static_cast<int>(plain.size())) == 1);
    NX_ASSERT(EVP_CipherFinal_ex(cipher.get(), writable(sealed) + size, &rest) == 1);
    NX_ASSERT(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, tag_bytes,
                                  writable(sealed) + plain.size()) == 1);
    return sealed;
}

std::optional<std::string> open(const DerivedKey& key, std::string_view sealed,
                                std::string_view context) {
    if (sealed.size() < tag_bytes) return std::nullopt;
    std::string tag(sealed.substr(sealed.size() - tag_bytes));
    sealed.remove_suffix(tag_bytes);
    const Cipher cipher = keyed(key, false, context);
    std::string plain(sealed.size() + 1, '\0');  // never a null pointer to write to
    int size = 0, rest = 0;
    NX_ASSERT(EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1);
    NX_ASSERT(EVP_CipherUpdate(cipher.get(), writable(plain), &size, octets(sealed),
                               static_cast<int>(sealed.size())) == 1);
    if (EVP_CipherFinal_ex(cipher.get(), writable(plain) + size, &rest) != 1) return std::nullopt;
    plain.resize(sealed.size());
    return plain;
}

}  // namespace

OperatorKey::~OperatorKey() {
    OPENSSL_cleanse(octets.data(), octets.size());
}

void fill_random(char* target, std::size_t size) noexcept {
    NX_ASSERT(RAND_bytes(reinterpret_cast<unsigned char*>(target), static_cast<int>(size)) == 1);
}

std::string seal_command(const OperatorKey& key, const CommandHead& head, std::string_view json) {
    std::string command;
    ByteWriter writer(command);
    writer.integer(seal_version);
    writer.integer(head.pop);
    writer.integer(head.sealed_ms);
    writer.string(key.name);
    writer.raw_bytes(view(head.id));
    DerivedKey derived = derive(key, std::string(command_label).append(view(head.id)));
    writer.string(seal(derived, json, command));
    OPENSSL_cleanse(derived.data(), derived.size());
    return command;
}

std::optional<OpenedReply> open_reply(const OperatorKey& key, const CommandName& id,
                                      std::string_view bytes) {
    ByteReader reader(bytes);
    const std::string_view context = bytes.substr(0, 1 + reply_salt_bytes);
    const auto version = reader.integer<std::uint8_t>();
    const std::string_view salt = reader.raw_bytes(reply_salt_bytes);
    const std::string_view sealed = reader.string();
    if (!reader.finished() || version != seal_version) return std::nullopt;
    DerivedKey derived = derive(key, std::string(reply_label).append(view(id)).append(salt));
    const std::optional<std::string> plain = open(derived, sealed, context);
    OPENSSL_cleanse(derived.data(), derived.size());
    if (!plain) return std::nullopt;
    ByteReader fields(*plain);
    OpenedReply reply;
    reply.status = fields.integer<std::uint16_t>();
    reply.json = fields.rest();
    if (!fields.ok()) return std::nullopt;
    return reply;
}

}  // namespace nodex::cli
