// Identifiers that cross folders and machines. Shapes: replication/README.md, "Entities".
#pragma once
#include <cstdint>
#include <functional>

#include "edge/base/bytes.h"

namespace nodex {

enum class AccountId : std::uint64_t {};  // assigned by the centre, from 1; 0 is nobody
enum class KeyId : std::uint64_t {};      // an API key's public number, from 1
enum class PopId : std::uint16_t {};      // one point of presence, from 1

// req_id: pop u16, incarnation u32, core u8, counter u48, random u24, big endian: it names its
// owner.
using RequestId = Opaque<16, struct RequestIdTag>;
// First 16 octets of HMAC-SHA256(idempotency secret, account, header value). The header itself is
// never kept.
using IdempotencyId = Opaque<16, struct IdempotencyIdTag>;
// SHA-256 over method, path and canonical body.
using Fingerprint = Opaque<32, struct FingerprintTag>;
// One sealed body: a request, an answer or a stream log.
using BodyId = Opaque<16, struct BodyIdTag>;
// HMAC-SHA256(server secret, API key): the only form in which a key is stored.
using KeyHash = Opaque<32, struct KeyHashTag>;
using SessionId = Opaque<16, struct SessionIdTag>;
using InstallId = Opaque<16, struct InstallIdTag>;
using ChainHash = Opaque<32, struct ChainHashTag>;

template <class Id>
constexpr auto raw(Id id) noexcept {
    return static_cast<std::underlying_type_t<Id>>(id);
}

}  // namespace nodex
