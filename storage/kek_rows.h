// The wrapped body keys of accounts as rows of CF meta: "kek/" account u64 version u32 (big endian)
// -> wrapped key; and what was destroyed of them: "shred/" account u64 -> orders u32 newest u32.
#pragma once
#include "storage/store.h"
#include "storage/vault.h"

namespace nodex::storage {

// Before a body is sealed under it.
void put_kek(const Vault::KekRecord& record, Batch& batch);
// All versions of an account: with Vault::shred() this makes its bodies unreadable for good.
void erase_keks(AccountId account, Batch& batch);
// Those below `version`, as Vault::forget_below().
void erase_keks_below(AccountId account, std::uint32_t version, Batch& batch);
// What outlives an account's keys, so that they are told as destroyed, and not as keys that have
// yet to come, in every later life.
struct DestroyedKeks {
    std::uint32_t orders = 0;  // of the centre's to destroy all of them: carried out
    std::uint32_t newest = 0;  // the newest version that was here; 0: none, or a row of before it was told
};
void put_destroyed(AccountId account, const DestroyedKeks& destroyed, Batch& batch);
// All zero: nothing was. Errors of the store; corrupt(storage).
Result<DestroyedKeks> find_destroyed(Store& store, AccountId account);

// At start: keys, and what was destroyed. corrupt(storage): a row cannot be read or the node key does
// not open it (log line "kek_refused").
Status load_keks(Store& store, Vault& vault);

struct RewrapCount {
    std::uint64_t rewrapped = 0;
    std::uint64_t already = 0;  // under the new key before: an earlier run was ended in the middle
};
inline constexpr std::size_t rewrap_batch_rows = 1'024;  // rows in one synced write
// Another node key: every row opened with `from` and wrapped by `to`. Rows change in synced batches, so a run
// that is killed leaves rows of both kinds, and another run with the same two keys ends it. When it answers
// success every row is durable under `to`. corrupt(storage): a row that neither opens (log line
// "kek_refused"); rows before it may have changed.
Result<RewrapCount> rewrap_keks(Store& store, const crypto::SecretKey& from,
                                const crypto::SecretKey& to, Random& random);

}  // namespace nodex::storage
