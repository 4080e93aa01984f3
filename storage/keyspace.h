// Keys of every family, and the small records that only storage/ itself writes. Integers inside
// keys are big endian, so that byte order is number order (scans of the outbox and of a body's
// chunks rely on it).
//
//   - meta    "schema" | "install" | "outbox" | "outbox/kept" | "link"
//             (replication/stored_feed.cc) | "kek/" account u64 version u32 (kek_rows.cc) |
//             "shred/" account u64 (kek_rows.cc) | "buddy/" hour u32
//             (buddy_copies.cc)
//   - lease   kind u8, id u64
//   - open    request id[16]
//   - idem    account u64, idempotency id[16]
//   - outbox  sequence u64
//   - body    body id[16], number u32
//   - dek     body id[16]
//   - buddy   account u64, idempotency id[16], owner's pop u16
#pragma once
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "edge/base/ids.h"
#include "storage/journal.h"
#include "storage/records.h"

namespace nodex::storage {

namespace meta_key {
inline constexpr Bytes schema = "schema";     // u32: layout of this store
inline constexpr Bytes install = "install";   // InstallId
inline constexpr Bytes outbox = "outbox";     // OutboxMark
inline constexpr Bytes kept = "outbox/kept";  // OutboxRetention
}  // namespace meta_key

// A short key in place: building one allocates nothing.
class Key {
  public:
    Key& append(Bytes bytes) noexcept {
        NX_ASSERT(bytes.size() <= octets_.size() - size_);
        std::memcpy(octets_.data() + size_, bytes.data(), bytes.size());
        size_ += bytes.size();
        return *this;
    }
    template <class Integer>
    Key& number(Integer value) noexcept {
        NX_ASSERT(sizeof value <= octets_.size() - size_);
        for (std::size_t i = sizeof value; i-- > 0;)
            octets_[size_++] = static_cast<char>((value >> (i * 8)) & 0xff);
        return *this;
    }
    [[nodiscard]] Bytes view() const noexcept { return {octets_.data(), size_}; }

  private:
    std::array<char, 32> octets_{};
    std::size_t size_ = 0;
};

inline Key lease_key(const Journal::Scope& scope) noexcept {
    return Key().number(static_cast<std::uint8_t>(scope.kind)).number(scope.id);
}
std::optional<Journal::Scope> parse_lease_key(Bytes key) noexcept;  // nothing: not a lease key

inline Key open_key(const RequestId& request_id) noexcept {
    return Key().append(request_id.view());
}
inline Key idem_key(AccountId account, const IdempotencyId& idempotency) noexcept {
    return Key().number(raw(account)).append(idempotency.view());
}
inline Key outbox_key(std::uint64_t sequence) noexcept {
    return Key().number(sequence);
}
inline Key body_key(const BodyId& body, std::uint32_t number) noexcept {
    return Key().append(body.view()).number(number);
}
struct BodyKeyParts {
    BodyId body;
    std::uint32_t number = 0;
};
std::optional<BodyKeyParts> parse_body_key(Bytes key) noexcept;  // nothing: not a body key
inline Key dek_key(const BodyId& body) noexcept {
    return Key().append(body.view());
}

inline Key buddy_key(AccountId account, const IdempotencyId& idempotency, PopId owner) noexcept {
    return Key().number(raw(account)).append(idempotency.view()).number(raw(owner));
}
// Buddy copies of one account are in [buddy_account_key(account), buddy_account_key(next account)).
inline Key buddy_account_key(AccountId account) noexcept {
    return Key().number(raw(account));
}

// CF meta "outbox": the newest record the ledger has applied, and the chain there.
struct OutboxMark {
    std::uint64_t applied = 0;
    ChainHash chain;
};

// CF dek: the vault's key record and when it was stored, by which it is dropped after its
// retention.
struct BodyKey {
    std::int64_t stored_ms = 0;
    Bytes key_record;  // borrowed
};

// Append to `target` what records.h's encode() would return.
void encode(const OpenRequest&, std::string& target);
void encode(const Answer&, std::string& target);
void encode(const Settlement&, std::string& target);
void encode(const LeaseCounters&, std::string& target);
void encode(const OutboxMark&, std::string& target);
void encode(const BodyKey&, std::string& target);
void encode(const BuddyCopy&, std::string& target);
Result<OutboxMark> decode_outbox_mark(Bytes) noexcept;
Result<BodyKey> decode_body_key(Bytes) noexcept;  // borrows the source

// When a stored Answer may be dropped, without decoding it; nothing when it is not one.
std::optional<std::int64_t> expiry_of_answer(Bytes record) noexcept;
std::optional<std::int64_t> expiry_of_buddy_copy(Bytes record) noexcept;  // as expiry_of_answer

}  // namespace nodex::storage
