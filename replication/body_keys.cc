// Layouts of the messages about body keys, and their seal.
#include "replication/body_keys.h"

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "replication/decoding.h"

namespace nodex::replication {
namespace {

constexpr Bytes link_purpose = "nodex body keys on the link v1";
constexpr Bytes link_context_label = "nx-kek-link-v1";

std::string link_context_of(PopId pop, AccountId account, std::uint32_t version) {
    std::string context(link_context_label);
    ByteWriter writer(context);
    writer.integer(pop);
    writer.integer(account);
    writer.integer(version);
    return context;
}

bool read_keys(ByteReader& reader, std::vector<BodyKeyReply::Key>& keys) {
    const auto count = reader.integer<std::uint8_t>();
    if (!reader.ok() || count > limits::body_key_versions_max) return false;
    for (unsigned i = 0; i < count; ++i) {
        BodyKeyReply::Key key;
        key.version = reader.integer<std::uint32_t>();
        key.sealed = std::string(reader.raw_bytes(crypto::wrapped_key_bytes));
        keys.push_back(std::move(key));
    }
    return reader.ok();
}

}  // namespace

// count u16 [account u64 newest u32]
std::string encode(const BodyKeyRequest& request) {
    NX_ASSERT(request.entries.size() <= limits::body_key_accounts_max);
    std::string target;
    ByteWriter writer(target);
    writer.integer(static_cast<std::uint16_t>(request.entries.size()));
    for (const BodyKeyRequest::Entry& entry : request.entries) {
        writer.integer(entry.account);
        writer.integer(entry.newest);
    }
    return target;
}

Result<BodyKeyRequest> decode_body_key_request(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    BodyKeyRequest request;
    const auto count = reader.integer<std::uint16_t>();
    if (!reader.ok() || count > limits::body_key_accounts_max) return malformed();
    request.entries.resize(count);
    for (BodyKeyRequest::Entry& entry : request.entries) {
        entry.account = reader.integer<AccountId>();
        entry.newest = reader.integer<std::uint32_t>();
    }
    if (!reader.ok()) return malformed();
    return request;
}

// count u16 [account u64 shreds u32 oldest u32 count u8 [version u32 sealed[72]]]
std::string encode(const BodyKeyReply& reply) {
    NX_ASSERT(reply.entries.size() <= limits::body_key_accounts_max);
    std::string target;
    ByteWriter writer(target);
    writer.integer(static_cast<std::uint16_t>(reply.entries.size()));
    for (const BodyKeyReply::Entry& entry : reply.entries) {
        NX_ASSERT(entry.keys.size() <= limits::body_key_versions_max);
        writer.integer(entry.account);
        writer.integer(entry.shreds);
        writer.integer(entry.oldest);
        writer.integer(static_cast<std::uint8_t>(entry.keys.size()));
        for (const BodyKeyReply::Key& key : entry.keys) {
            NX_ASSERT(key.sealed.size() == crypto::wrapped_key_bytes);
            writer.integer(key.version);
            writer.raw_bytes(key.sealed);
        }
    }
    return target;
}

Result<BodyKeyReply> decode_body_key_reply(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    BodyKeyReply reply;
    const auto count = reader.integer<std::uint16_t>();
    if (!reader.ok() || count > limits::body_key_accounts_max) return malformed();
    for (unsigned i = 0; i < count; ++i) {
        BodyKeyReply::Entry entry;
        entry.account = reader.integer<AccountId>();
        entry.shreds = reader.integer<std::uint32_t>();
        entry.oldest = reader.integer<std::uint32_t>();
        if (!read_keys(reader, entry.keys)) return malformed();
        reply.entries.push_back(std::move(entry));
    }
    return reply;
}

crypto::SecretKey body_key_link_key(const crypto::SecretKey& link_key) noexcept {
    return crypto::derive_key(link_key, link_purpose);
}

std::string seal_body_key(const crypto::SecretKey& link_key_derived, PopId pop, AccountId account,
                          std::uint32_t version, const crypto::SecretKey& key, Random& random) {
    return crypto::wrap_key(link_key_derived, key, link_context_of(pop, account, version), random);
}

std::optional<crypto::SecretKey> open_body_key(const crypto::SecretKey& link_key_derived, PopId pop,
                                               AccountId account, std::uint32_t version,
                                               Bytes sealed) noexcept {
    return crypto::unwrap_key(link_key_derived, sealed, link_context_of(pop, account, version));
}

}  // namespace nodex::replication
