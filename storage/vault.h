// Vault: sealed bodies. A key (DEK) per body, wrapped by the account's key (KEK, versioned), itself
// wrapped by the node's key file. Without the account's key nothing of it can be read again
// (crypto-shredding). Sealing and opening are pure and run on loops; the KEK table is read-mostly
// and thread-safe.
//   CF dek value   format u8 (1), kek version u32, nonce prefix[7], commitment[16], wrapped DEK[72]
//   body header    format u8, account u64, body id[16], kek version u32, nonce prefix[7]
// The header is never stored: it is known to whoever asks, and both the wrapped DEK and every chunk
// are bound to it. Little endian.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "edge/base/ids.h"
#include "edge/base/random.h"
#include "edge/crypto/crypto.h"
#include "storage/records.h"

namespace nodex::storage {

// Seals the chunks of one body, in order. Chunk: flags u8 (1: zstd), payload; sealed with
// AES-256-GCM. At most limits::stored_chunk_bytes_max of plaintext a chunk (asserted); a longer
// body is several chunks.
class BodyWriter {
  public:
    [[nodiscard]] BodyId id() const noexcept { return id_; }
    [[nodiscard]] std::uint32_t chunks_count() const noexcept { return next_chunk_; }
    // CF dek value: header and wrapped key; written with (or before) the first chunk.
    [[nodiscard]] const std::string& key_record() const noexcept { return key_record_; }
    // What was sealed so far, for whoever must tell later that it is whole; expires_ms is the
    // caller's.
    [[nodiscard]] SealedBody sealed() const noexcept;
    // The sealed chunk number chunks_count(), appended to `target`. Nothing follows the last one
    // (asserted).
    void seal(Bytes plaintext, bool last, std::string& target);

  private:
    friend class Vault;
    BodyWriter(BodyId id, std::uint32_t kek_version, crypto::BodySealer sealer,
               std::string key_record)
        : id_(id),
          kek_version_(kek_version),
          sealer_(std::move(sealer)),
          key_record_(std::move(key_record)) {}
    BodyId id_;
    std::uint32_t kek_version_;
    crypto::BodySealer sealer_;
    std::string key_record_;
    crypto::Sha256Stream digest_;  // over the sealed chunks
    std::uint64_t sealed_bytes_ = 0;
    std::uint32_t next_chunk_ = 0;
    bool finished_ = false;  // the last chunk is sealed
};

class BodyReader {
  public:
    // Appends the plaintext of chunk `number`. corrupt(storage) when altered, truncated or another
    // body's.
    Status open(std::uint32_t number, bool last, Bytes sealed, std::string& target) const noexcept;

  private:
    friend class Vault;
    explicit BodyReader(crypto::BodySealer sealer) : sealer_(std::move(sealer)) {}
    crypto::BodySealer sealer_;
};

class Vault {
  public:
    // `node_key_path`: 32 octets in hex, mode 0600 or 0400, made on first use when `create` is set.
    // Errors: bad_configuration (missing, wrong size, readable by others); the log says what to do.
    static Result<std::unique_ptr<Vault>> open(const std::string& node_key_path, bool create,
                                               Random& random);
    ~Vault();

    // An account's key of one version, wrapped by the node key: a row of CF meta (kek_rows.h).
    struct KekRecord {
        AccountId account{};
        std::uint32_t version = 0;
        std::string wrapped;
    };
    // Loads a stored record; corrupt(storage) when the node key does not open it.
    Status load(const KekRecord& record);
    // The record wrapped by `to` instead of `from`; nothing when `to` opens it already. corrupt(storage):
    // neither does. Pure.
    static Result<std::optional<KekRecord>> rewrap(const KekRecord& record, const crypto::SecretKey& from,
                                                   const crypto::SecretKey& to, Random& random);
    // A key that the centre has given, as a record to be stored; activate() makes it known once it
    // is. Bodies are sealed under the highest version.
    [[nodiscard]] KekRecord wrap(AccountId account, std::uint32_t version,
                                 const crypto::SecretKey& key, Random& random) const;
    void activate(const KekRecord& record);  // asserts that the record is this vault's own
    // The highest version; nothing when the account has no key.
    [[nodiscard]] std::optional<std::uint32_t> current_version(AccountId account) const noexcept;
    // Forgets the versions below `version`: no body under them is kept any longer. The caller
    // erases the stored records.
    void forget_below(AccountId account, std::uint32_t version) noexcept;
    // Forgets every version: the account's bodies are unreadable from here on. The caller erases
    // the stored records. Answers the newest version that is gone (0: none was ever here), which the
    // caller stores, so that load_destroyed() tells it after a restart.
    std::uint32_t shred(AccountId account) noexcept;
    // Versions up to `newest` were destroyed, in this life or an earlier one.
    void load_destroyed(AccountId account, std::uint32_t newest);

    // unavailable(storage) while the account has no key: its first has not come yet, or all were
    // destroyed and the next has not come yet; whether one will is the account's state, not the
    // vault's. The body's id begins with `created_ms` (48 bits big endian, then 80 of chance, as UUID
    // version 7 has it), so that new rows stand at the end of their families instead of anywhere:
    // inserting them compares a few keys, not dozens.
    Result<BodyWriter> create_body(AccountId account, std::int64_t created_ms, Random& random) const;
    // `key_record` from CF dek. forbidden(storage): the account's key of then is gone for good
    // (shredded, or out of date); unavailable(storage): it is newer than every one that was ever
    // here, so it has not come yet; corrupt(storage) otherwise.
    Result<BodyReader> open_body(AccountId account, BodyId id, Bytes key_record) const noexcept;

    // The key version that a `key_record` is wrapped under; nothing when it is none.
    static std::optional<std::uint32_t> version_of(Bytes key_record) noexcept;

  private:
    Vault();
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::storage
