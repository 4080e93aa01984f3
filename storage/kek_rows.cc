// Rows of wrapped body keys.
#include "storage/kek_rows.h"

#include "edge/base/codec.h"
#include "edge/base/log.h"

namespace nodex::storage {
namespace {

constexpr Bytes prefix = "kek/";
constexpr Bytes prefix_end = "kek0";  // '0' follows '/': the first key behind every kek row
constexpr std::size_t key_bytes = 4 + 8 + 4;

std::string row_key(AccountId account, std::uint32_t version) {
    std::string key(prefix);
    append_ordered(key, raw(account));
    append_ordered(key, version);
    return key;
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

Status load_keks(Store& store, Vault& vault) {
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
            result = vault.load({account, version, std::string(value)});
            if (!result)
                log::error("kek_refused",
                           {{"account", raw(account)},
                            {"version", version},
                            {"advice",
                             "the node key does not open this account's body key: is "
                             "secrets_dir/node.key the one of this data directory?"}});
            return result.has_value();
        });
    if (!scanned) return scanned;
    return result;
}

}  // namespace nodex::storage
