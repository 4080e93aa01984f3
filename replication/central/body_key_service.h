// BodyKeyService: makes the accounts' body keys, keeps them in the ledger wrapped by the root key,
// and seals them for the POP that asks. Plain keys exist in this object only, for the time of an
// answer. One thread: that of Central.
#pragma once
#include <optional>
#include <string>

#include "edge/base/random.h"
#include "replication/body_keys.h"
#include "replication/central/ledger.h"

namespace nodex::replication {

class BodyKeyService {
  public:
    BodyKeyService(Ledger& ledger, Random& random) noexcept : ledger_(ledger), random_(random) {}

    // Before anything else. `given`, or the file at `path`, which is made (0600, durable) when the
    // ledger has never seen a root key. Neither given nor a path: not ready, for good.
    // bad_configuration(configuration): missing although the ledger has keys under one, or not that
    // one; unreadable (log lines "root_key_refused", "secret_file_refused").
    Status start(const std::optional<crypto::SecretKey>& given, const std::string& path);
    [[nodiscard]] bool ready() const noexcept { return root_.has_value(); }

    // The first version of an account that has none is made here. forbidden(client): not ready.
    Result<BodyKeyReply> answer(PopId pop, const crypto::SecretKey& link_key,
                                const BodyKeyRequest& request, std::int64_t now_ms);
    // One more version, now. Errors of Ledger::add_body_key().
    Result<ledger::BodyKeys> rotate(AccountId account, std::int64_t now_ms);
    // Versions that are due, among the next `accounts_max` accounts. How many were made.
    Result<unsigned> rotate_outdated(std::int64_t now_ms, unsigned accounts_max);

  private:
    Result<ledger::BodyKeys> keys_of(AccountId account, std::int64_t now_ms);

    Ledger& ledger_;
    Random& random_;
    std::optional<crypto::SecretKey> root_;
};

}  // namespace nodex::replication
