// The wrapped body keys of accounts as rows of CF meta: "kek/" account u64 version u32 (big endian)
// -> wrapped key.
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
// At start. corrupt(storage): a row cannot be read or the node key does not open it (log line
// "kek_refused").
Status load_keks(Store& store, Vault& vault);

}  // namespace nodex::storage
