// Rows of wrapped body keys.
#include "storage/kek_rows.h"

#include <functional>

#include "edge/base/codec.h"
#include "edge/base/log.h"

namespace nodex::storage {
namespace {

constexpr Bytes prefix = "kek/";
constexpr Bytes prefix_end = "kek0";  // '0' follows '/': the first key behind every kek row
constexpr std::size_t key_bytes = 4 + 8 + 4;
constexpr Bytes destroyed_prefix = "shred/";
constexpr Bytes destroyed_end = "shred0";
constexpr std::size_t destroyed_key_bytes = 6 + 8;

std::string row_key(AccountId account, std::uint32_t version) {
    std::string key(prefix);
    append_ordered(key, raw(account));
    append_ordered(key, version);
    return key;
}

std::string destroyed_key(AccountId account) {
    std::string key(destroyed_prefix);
    append_ordered(key, raw(account));
    return key;
}

// Rows of earlier versions of this program end after the first field.
Result<DestroyedKeks> decode_destroyed(Bytes row) noexcept {
    ByteReader reader(row);
    DestroyedKeks destroyed;
    destroyed.orders = reader.integer<std::uint32_t>();
    if (!reader.finished()) destroyed.newest = reader.integer<std::uint32_t>();
    if (!reader.finished()) return Error{ErrorCode::corrupt, ErrorSource::storage};
    return destroyed;
}

Status load_destroyed(Store& store, Vault& vault) {
    Status result;
    const Status scanned =
        store.scan(Family::meta, destroyed_prefix, destroyed_end, [&](Bytes key, Bytes value) {
            const Result<DestroyedKeks> destroyed =
                key.size() == destroyed_key_bytes
                    ? decode_destroyed(value)
                    : Result<DestroyedKeks>({ErrorCode::corrupt, ErrorSource::storage});
            if (!destroyed) {
                log::error("kek_refused", {{"advice", "a row of destroyed keys cannot be read"}});
                result = destroyed.error();
                return false;
            }
            const AccountId account{read_ordered64(key.substr(destroyed_prefix.size()))};
            vault.load_destroyed(account, destroyed->newest);
            return true;
        });
    return scanned ? result : scanned;
}

// Every row, until the visitor answers an error; corrupt(storage) for a key of another shape.
Status scan_keks(Store& store, const std::function<Status(const Vault::KekRecord&)>& visit) {
    Status result;
    const Status scanned =
        store.scan(Family::meta, prefix, prefix_end, [&](Bytes key, Bytes value) {
            if (key.size() != key_bytes) {
                result = Error{ErrorCode::corrupt, ErrorSource::storage};
                return false;
            }
            std::uint32_t version = 0;
            for (const char octet : key.substr(12))
                version = version << 8 | static_cast<unsigned char>(octet);
            const AccountId account{read_ordered64(key.substr(4))};
            result = visit({account, version, std::string(value)});
            return result.has_value();
        });
    return scanned ? result : scanned;
}

void log_refusal(const Vault::KekRecord& record, const char* advice) {
    log::error("kek_refused", {{"account", raw(record.account)},
                               {"version", record.version},
                               {"advice", advice}});
}

}  // namespace

void put_kek(const Vault::KekRecord& record, Batch& batch) {
    batch.put(Family::meta, row_key(record.account, record.version), record.wrapped);
}

void erase_keks(AccountId account, Batch& batch) {
    std::string end = row_key(account, UINT32_MAX);
    end.push_back('\0');
    batch.erase_range(Family::meta, row_key(account, 0), end);
}

void erase_keks_below(AccountId account, std::uint32_t version, Batch& batch) {
    if (version > 0)
        batch.erase_range(Family::meta, row_key(account, 0), row_key(account, version));
}

void put_destroyed(AccountId account, const DestroyedKeks& destroyed, Batch& batch) {
    std::string row;
    ByteWriter writer(row);
    writer.integer(destroyed.orders);
    writer.integer(destroyed.newest);
    batch.put(Family::meta, destroyed_key(account), row);
}

Result<DestroyedKeks> find_destroyed(Store& store, AccountId account) {
    const Result<std::optional<std::string>> row = store.get(Family::meta, destroyed_key(account));
    if (!row) return row.error();
    return *row ? decode_destroyed(**row) : DestroyedKeks{};
}

Status load_keks(Store& store, Vault& vault) {
    if (const Status loaded = load_destroyed(store, vault); !loaded) return loaded;
    return scan_keks(store, [&vault](const Vault::KekRecord& record) {
        const Status loaded = vault.load(record);
        if (!loaded)
            log_refusal(record,
                        "the node key does not open this account's body key: is "
                        "secrets_dir/node.key the one of this data directory?");
        return loaded;
    });
}

Result<RewrapCount> rewrap_keks(Store& store, const crypto::SecretKey& from,
                                const crypto::SecretKey& to, Random& random) {
    RewrapCount count;
    Batch batch;
    const auto write = [&store, &batch]() -> Status {
        if (batch.empty()) return {};
        const Status written = store.write(batch, Durability::power);
        batch.clear();
        return written;
    };
    const Status scanned = scan_keks(store, [&](const Vault::KekRecord& record) -> Status {
        auto rewrapped = Vault::rewrap(record, from, to, random);
        if (!rewrapped) {
            log_refusal(record, "neither the old nor the new node key opens this account's body key");
            return rewrapped.error();
        }
        if (!rewrapped->has_value()) {
            ++count.already;
            return {};
        }
        put_kek(**rewrapped, batch);
        ++count.rewrapped;
        return batch.count() < rewrap_batch_rows ? Status() : write();
    });
    if (!scanned) return scanned.error();
    if (const Status written = write(); !written) return written.error();
    return count;
}

}  // namespace nodex::storage
