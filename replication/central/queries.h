// Queries: JSON in, JSON out, on the ledger: what customers ask (balance, usage) and the operator's
// commands.
//   admin   {"command":"account.create","args":{...}} -> {"result":{...}} or
//   {"error":{"code","message"}} balance {"account":1,"key_id":2}                  ->
//   {"balance","currency","total_spent","last_updated","key"} usage   {"account":1,...} ->
//   {"object":"list","data":[...],"has_more","next_cursor"}
// Amounts are decimal strings of the account's currency, and beside them integers in nano-units.
#pragma once
#include <algorithm>
#include <map>
#include <string>

#include "edge/base/random.h"
#include "edge/crypto/crypto.h"
#include "replication/central/body_key_service.h"
#include "replication/central/json.h"
#include "replication/central/ledger.h"

namespace nodex::replication {

// Why a command was refused: for the operator's eyes.
struct Refusal {
    int status = 400;
    std::string code;
    std::string message;
};
// What a command writes into "result", or why not.
using CommandResult = std::optional<Refusal>;

class Queries {
  public:
    // `body_keys` may be null: rotation is refused.
    Queries(Ledger& ledger, Random& random, const crypto::SecretKey& key_hash_secret,
            BodyKeyService* body_keys = nullptr) noexcept
        : ledger_(ledger),
          random_(random),
          key_hash_secret_(key_hash_secret),
          body_keys_(body_keys) {}

    // A POP is registered in this epoch: the next one is above it.
    void saw_epoch(std::uint64_t epoch) noexcept { epoch_seen_ = std::max(epoch_seen_, epoch); }

    // `outdated`: POPs are registered with a later ledger than this one, so it obeys commands about
    // the ledger itself only: what else it did would be lost.
    QueryReply admin(Bytes json, std::int64_t now_ms, bool outdated = false);
    QueryReply balance(Bytes json);
    QueryReply usage(Bytes json);

    // A read or write of the store failed: the ledger's state is unknown and the centre must stop.
    [[nodiscard]] bool storage_failed() const noexcept { return storage_failed_; }

  private:
    struct Command {
        Bytes name;
        CommandResult (Queries::*run)(const JsonObject& args, std::int64_t now_ms,
                                      JsonWriter& result);
    };
    static const Command* find_command(Bytes name) noexcept;
    Refusal refusal(Error error);

    // admin_accounts.cc
    CommandResult account_create(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult account_list(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult account_show(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult account_claims(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult account_block(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult account_unblock(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult account_close(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult account_shred(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult account_rotate_key(const JsonObject& args, std::int64_t now_ms,
                                     JsonWriter& result);
    CommandResult balance_top_up(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult balance_adjust(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult balance_show(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult set_state(const JsonObject& args, AccountState state, std::int64_t now_ms,
                            JsonWriter& result);
    // admin_keys.cc
    CommandResult key_create(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult key_list(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult key_update(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult key_suspend(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult key_resume(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult key_revoke(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult set_key_state(const JsonObject& args, KeyState state, std::int64_t now_ms,
                                JsonWriter& result);
    CommandResult read_settings(const JsonObject& args, KeySettings& settings);
    CommandResult read_models(const JsonObject& args, KeySettings& settings);
    void write_key(const ledger::Key& key, JsonWriter& result);
    // admin_catalog.cc
    CommandResult catalog_set(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult catalog_list(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult catalog_show(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    // admin_sessions.cc
    CommandResult session_list(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult session_show(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult request_show(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    Result<std::map<std::uint32_t, std::string>> model_ids();
    // admin_bodies.cc
    CommandResult body_delete(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult body_status(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    Refusal body_refusal(Error error);
    // admin_pops.cc
    CommandResult pop_list(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    // queries.cc
    CommandResult usage_list(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult ledger_raise_epoch(const JsonObject& args, std::int64_t now_ms,
                                     JsonWriter& result);
    CommandResult ledger_verify(const JsonObject& args, std::int64_t now_ms, JsonWriter& result);
    CommandResult read_filter(const JsonObject& args, UsageFilter& filter);
    CommandResult write_usage(const JsonObject& args, JsonWriter& result);
    CommandResult write_balance(const JsonObject& args, JsonWriter& result);

    Ledger& ledger_;
    Random& random_;
    const crypto::SecretKey& key_hash_secret_;
    BodyKeyService* body_keys_;
    bool storage_failed_ = false;
    std::uint64_t epoch_seen_ = 0;
};

// Shared by the command files. A missing or wrong argument, named.
Refusal bad_argument(Bytes name, Bytes expected);
// Refuses arguments nobody reads: a misspelt budget must not become "no budget".
CommandResult only(const JsonObject& args, std::initializer_list<Bytes> names);
std::optional<AccountId> account_argument(const JsonObject& args) noexcept;
std::optional<KeyId> key_argument(const JsonObject& args) noexcept;
const char* name(AccountState state) noexcept;
const char* name(KeyState state) noexcept;
// Unit kinds by their names in prices and usage.
Bytes unit_name(std::size_t kind) noexcept;

}  // namespace nodex::replication
