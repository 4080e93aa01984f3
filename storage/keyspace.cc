// Names of families and parsing of the keys that are scanned.
#include "storage/keyspace.h"

#include "edge/base/codec.h"

namespace nodex::storage {

std::optional<Journal::Scope> parse_lease_key(Bytes key) noexcept {
    if (key.size() != 9) return std::nullopt;
    const auto kind = static_cast<unsigned char>(key.front());
    if (kind > static_cast<unsigned char>(Journal::Scope::Kind::key)) return std::nullopt;
    return Journal::Scope{static_cast<Journal::Scope::Kind>(kind), read_ordered64(key.substr(1))};
}

std::optional<BodyKeyParts> parse_body_key(Bytes key) noexcept {
    if (key.size() != BodyId::size + 4) return std::nullopt;
    BodyKeyParts parts{BodyId::from(key.substr(0, BodyId::size)), 0};
    for (const char octet : key.substr(BodyId::size))
        parts.number = parts.number << 8 | static_cast<unsigned char>(octet);
    return parts;
}

const char* name(Family family) noexcept {
    switch (family) {
        case Family::meta: return "meta";
        case Family::lease: return "lease";
        case Family::open: return "open";
        case Family::idem: return "idem";
        case Family::outbox: return "outbox";
        case Family::body: return "body";
        case Family::dek: return "dek";
        case Family::buddy: return "buddy";
        case Family::c_account: return "c_account";
        case Family::c_key: return "c_key";
        case Family::c_lease: return "c_lease";
        case Family::c_charge: return "c_charge";
        case Family::c_row: return "c_row";
        case Family::c_price: return "c_price";
        case Family::c_mark: return "c_mark";
        case Family::c_meta: return "c_meta";
        case Family::c_key_hash: return "c_key_hash";
        case Family::c_usage: return "c_usage";
        case Family::c_claim: return "c_claim";
        case Family::feed: return "feed";
        case Family::c_kek: return "c_kek";
        case Family::c_reference: return "c_reference";
        case Family::count: break;
    }
    return "unknown";
}

}  // namespace nodex::storage
