// The vault: the table of account keys, and the making and opening of sealed bodies.
#include "storage/vault.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

#include "edge/base/codec.h"
#include "edge/base/time_ordered_id.h"
#include "edge/crypto/secret_file.h"
#include "storage/chunk_codec.h"

namespace nodex::storage {
namespace {

constexpr std::uint8_t record_format = 1;
constexpr std::size_t prefix_bytes = 7;
constexpr std::size_t commitment_bytes = 16;
constexpr Bytes kek_label = "nx-kek-v1";
constexpr Bytes dek_label = "nx-dek-v1";

using NoncePrefix = std::array<std::uint8_t, prefix_bytes>;

Bytes view_of(const std::uint8_t* octets, std::size_t size) noexcept {
    return {reinterpret_cast<const char*>(octets), size};
}

// What a wrapped account key is bound to: it opens as no other account's and as no other version.
std::string kek_context(AccountId account, std::uint32_t version) {
    std::string context(kek_label);
    ByteWriter writer(context);
    writer.integer(account);
    writer.integer(version);
    return context;
}

std::string body_header(AccountId account, BodyId id, std::uint32_t kek_version,
                        const NoncePrefix& prefix) {
    std::string header;
    ByteWriter writer(header);
    writer.integer(record_format);
    writer.integer(account);
    writer.opaque(id);
    writer.integer(kek_version);
    writer.raw_bytes(view_of(prefix.data(), prefix.size()));
    return header;
}

std::string dek_context(Bytes header) {
    std::string context(dek_label);
    context.append(header);
    return context;
}

Error corrupt() noexcept {
    return {ErrorCode::corrupt, ErrorSource::storage};
}

Error not_here_yet() noexcept {
    return {ErrorCode::unavailable, ErrorSource::storage};
}

// The parts of a CF dek value.
struct KeyRecord {
    std::uint32_t kek_version = 0;
    NoncePrefix prefix{};
    Bytes commitment;  // borrow the record
    Bytes wrapped;

    static std::optional<KeyRecord> parse(Bytes bytes) noexcept {
        ByteReader reader(bytes);
        const auto format = reader.integer<std::uint8_t>();
        KeyRecord record;
        record.kek_version = reader.integer<std::uint32_t>();
        const Bytes prefix = reader.raw_bytes(prefix_bytes);
        record.commitment = reader.raw_bytes(commitment_bytes);
        record.wrapped = reader.raw_bytes(crypto::wrapped_key_bytes);
        if (!reader.finished() || format != record_format) return std::nullopt;
        std::memcpy(record.prefix.data(), prefix.data(), prefix.size());
        return record;
    }
};

// The account keys, in 64 shards with a mutex each. Every body needs one look-up and a copy of 32
// octets under the lock; two loops meet only on accounts of one shard within those nanoseconds. A
// snapshot behind an atomic pointer was the alternative: its readers would not wait at all, but
// each new account would copy the table.
class KekTable {
  public:
    struct Kek {
        std::uint32_t version;
        crypto::SecretKey key;
    };
    void insert(AccountId account, std::uint32_t version, const crypto::SecretKey& key) {
        Shard& shard = shard_of(account);
        const std::lock_guard lock(shard.mutex);
        shard.accounts[account].versions.insert_or_assign(version, key);
    }
    void erase_below(AccountId account, std::uint32_t version) {
        Shard& shard = shard_of(account);
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.accounts.find(account);
        if (found == shard.accounts.end()) return;
        Versions& versions = found->second.versions;
        versions.erase(versions.begin(), versions.lower_bound(version));
    }
    [[nodiscard]] std::optional<Kek> current(AccountId account) const {
        const Shard& shard = shard_of(account);
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.accounts.find(account);
        if (found == shard.accounts.end() || found->second.versions.empty()) return std::nullopt;
        const auto& [version, key] = *found->second.versions.rbegin();
        return Kek{version, key};
    }
    // Keys come in the order of their numbers, all that the centre has at a time. So one that is
    // missing below the newest will not come any more; one above it has not come yet.
    [[nodiscard]] Result<crypto::SecretKey> find(AccountId account, std::uint32_t version) const {
        const Shard& shard = shard_of(account);
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.accounts.find(account);
        if (found == shard.accounts.end()) return not_here_yet();
        const auto key = found->second.versions.find(version);
        if (key != found->second.versions.end()) return key->second;
        if (version <= found->second.newest())
            return Error{ErrorCode::forbidden, ErrorSource::storage};
        return not_here_yet();
    }
    std::uint32_t destroy(AccountId account) {
        Shard& shard = shard_of(account);
        const std::lock_guard lock(shard.mutex);
        const auto found = shard.accounts.find(account);
        if (found == shard.accounts.end()) return 0;
        found->second.destroyed = found->second.newest();
        found->second.versions.clear();  // SecretKey wipes itself
        return found->second.destroyed;
    }
    void set_destroyed(AccountId account, std::uint32_t newest) {
        Shard& shard = shard_of(account);
        const std::lock_guard lock(shard.mutex);
        std::uint32_t& destroyed = shard.accounts[account].destroyed;
        destroyed = std::max(destroyed, newest);
    }

  private:
    using Versions = std::map<std::uint32_t, crypto::SecretKey>;
    struct Keys {
        Versions versions;
        std::uint32_t destroyed = 0;  // the newest version that was, when all were
        [[nodiscard]] std::uint32_t newest() const noexcept {
            return versions.empty() ? destroyed : std::max(destroyed, versions.rbegin()->first);
        }
    };
    struct Shard {
        mutable std::mutex mutex;
        std::unordered_map<AccountId, Keys> accounts;
    };
    static constexpr std::size_t shards_count = 64;
    // Account numbers are assigned in sequence, so their low bits spread them evenly.
    [[nodiscard]] Shard& shard_of(AccountId account) {
        return shards_[raw(account) % shards_count];
    }
    [[nodiscard]] const Shard& shard_of(AccountId account) const {
        return shards_[raw(account) % shards_count];
    }
    std::array<Shard, shards_count> shards_;
};

}  // namespace

struct Vault::State {
    crypto::SecretKey node_key;
    KekTable keks;
};

void BodyWriter::seal(Bytes plaintext, bool last, std::string& target) {
    NX_ASSERT(!finished_);
    std::string chunk;
    encode_chunk(plaintext, chunk);
    const std::size_t before = target.size();
    sealer_.seal(next_chunk_, last, chunk, target);
    digest_.update(Bytes(target).substr(before));
    sealed_bytes_ += target.size() - before;
    ++next_chunk_;
    finished_ = last;
}

SealedBody BodyWriter::sealed() const noexcept {
    crypto::Sha256Stream digest = digest_;
    return {.id = id_,
            .bytes = sealed_bytes_,
            .digest = BodyDigest::from(crypto::view(digest.finish())),
            .kek_version = kek_version_};
}

Status BodyReader::open(std::uint32_t number, bool last, Bytes sealed,
                        std::string& target) const noexcept {
    std::string chunk;
    if (!sealer_.open(number, last, sealed, chunk)) return corrupt();
    return decode_chunk(chunk, target) ? Status() : corrupt();
}

Vault::Vault() : state_(std::make_unique<State>()) {}
Vault::~Vault() = default;

Result<std::unique_ptr<Vault>> Vault::open(const std::string& node_key_path, bool create,
                                           Random& random) {
    const Result<crypto::SecretKey> key =
        create ? crypto::read_or_create_secret_file(node_key_path, random)
               : crypto::read_secret_file(node_key_path);
    if (!key) return key.error();
    std::unique_ptr<Vault> vault(new Vault);
    vault->state_->node_key = *key;
    return vault;
}

Status Vault::load(const KekRecord& record) {
    const std::optional<crypto::SecretKey> key = crypto::unwrap_key(
        state_->node_key, record.wrapped, kek_context(record.account, record.version));
    if (!key) return corrupt();
    state_->keks.insert(record.account, record.version, *key);
    return {};
}

Result<std::optional<Vault::KekRecord>> Vault::rewrap(const KekRecord& record, const crypto::SecretKey& from,
                                                      const crypto::SecretKey& to, Random& random) {
    const std::string context = kek_context(record.account, record.version);
    if (crypto::unwrap_key(to, record.wrapped, context)) return std::optional<KekRecord>();
    const std::optional<crypto::SecretKey> key = crypto::unwrap_key(from, record.wrapped, context);
    if (!key) return corrupt();
    return std::optional<KekRecord>(
        {record.account, record.version, crypto::wrap_key(to, *key, context, random)});
}

Vault::KekRecord Vault::wrap(AccountId account, std::uint32_t version, const crypto::SecretKey& key,
                             Random& random) const {
    return {account, version,
            crypto::wrap_key(state_->node_key, key, kek_context(account, version), random)};
}

void Vault::activate(const KekRecord& record) {
    const Status loaded = load(record);
    NX_ASSERT(loaded.has_value());
}

std::optional<std::uint32_t> Vault::current_version(AccountId account) const noexcept {
    const std::optional<KekTable::Kek> kek = state_->keks.current(account);
    if (!kek) return std::nullopt;
    return kek->version;
}

void Vault::forget_below(AccountId account, std::uint32_t version) noexcept {
    state_->keks.erase_below(account, version);
}

std::uint32_t Vault::shred(AccountId account) noexcept {
    return state_->keks.destroy(account);
}

void Vault::load_destroyed(AccountId account, std::uint32_t newest) {
    state_->keks.set_destroyed(account, newest);
}

Result<BodyWriter> Vault::create_body(AccountId account, std::int64_t created_ms, Random& random) const {
    const std::optional<KekTable::Kek> kek = state_->keks.current(account);
    if (!kek) return not_here_yet();
    const BodyId id = time_ordered_id<BodyId>(created_ms, random);
    NoncePrefix prefix;
    random.fill(prefix.data(), prefix.size());
    const std::string header = body_header(account, id, kek->version, prefix);
    const crypto::SecretKey dek = crypto::SecretKey::generate(random);
    crypto::BodySealer sealer(dek, prefix, header);

    std::string record;
    ByteWriter writer(record);
    writer.integer(record_format);
    writer.integer(kek->version);
    writer.raw_bytes(view_of(prefix.data(), prefix.size()));
    const auto commitment = sealer.commitment();
    writer.raw_bytes(view_of(commitment.data(), commitment.size()));
    writer.raw_bytes(crypto::wrap_key(kek->key, dek, dek_context(header), random));
    return BodyWriter(id, kek->version, std::move(sealer), std::move(record));
}

std::optional<std::uint32_t> Vault::version_of(Bytes key_record) noexcept {
    const std::optional<KeyRecord> record = KeyRecord::parse(key_record);
    return record ? std::optional(record->kek_version) : std::nullopt;
}

Result<BodyReader> Vault::open_body(AccountId account, BodyId id, Bytes key_record) const noexcept {
    const std::optional<KeyRecord> record = KeyRecord::parse(key_record);
    if (!record) return corrupt();
    const Result<crypto::SecretKey> kek = state_->keks.find(account, record->kek_version);
    if (!kek) return kek.error();
    const std::string header = body_header(account, id, record->kek_version, record->prefix);
    const std::optional<crypto::SecretKey> dek =
        crypto::unwrap_key(*kek, record->wrapped, dek_context(header));
    if (!dek) return corrupt();
    crypto::BodySealer sealer(*dek, record->prefix, header);
    const auto commitment = sealer.commitment();
    if (!crypto::equal_constant_time(record->commitment,
                                     view_of(commitment.data(), commitment.size())))
        return corrupt();
    return BodyReader(std::move(sealer));
}

}  // namespace nodex::storage
