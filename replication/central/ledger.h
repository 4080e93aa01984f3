// Ledger: the money, as a deterministic state machine over LedgerStore. Every verb is one entry: it
// carries the deciding process's time and every choice, reads no clock and no randomness, and is
// applied whole or not at all: an error (overflow included) leaves the state as it was. Money moves
// only between two accounts in a Row, so that every balance can be recomputed from rows; currencies
// never mix because every account has one and the house has an account of each kind per currency.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/limits.h"
#include "replication/central/ledger_records.h"
#include "replication/central/ledger_store.h"
#include "replication/messages.h"
#include "replication/planted_bug.h"
#include "replication/pop_report.h"

namespace nodex::replication {

class LedgerTransaction;

struct KeySettings {
    std::string name;
    IdempotencyPolicy policy = IdempotencyPolicy::sdk;
    std::int64_t expires_ms = 0;
    std::optional<Nano> budget;
    ledger::BudgetPeriod period = ledger::BudgetPeriod::lifetime;
    RateLimits limits;
    std::vector<std::uint32_t> models;
};

struct UsageFilter {
    AccountId account{};
    std::optional<KeyId> key;
    std::optional<std::uint32_t> model;
    std::int64_t from_ms = 0;        // settled at or after
    std::int64_t to_ms = INT64_MAX;  // and before
    unsigned rows_max = 100;
    std::string cursor;  // opaque, of an earlier page; "" for the first
};
struct UsagePage {
    std::vector<ledger::Row> rows;  // newest first
    bool more = false;
    std::string cursor;  // of the next page, when `more`
};

struct LedgerAudit {
    std::uint64_t rows = 0;
    std::uint64_t accounts = 0;
    std::uint64_t differences = 0;  // accounts whose balance is not what their rows say
    bool chain_matches = false;
    bool sums_to_zero = false;  // customers and house, per currency
    std::string first_problem;  // "" when sound
    [[nodiscard]] bool sound() const noexcept { return first_problem.empty(); }
};

// How a shipped batch is applied: in transactions of this many records, which other writers of the
// same store wait for one at a time.
struct ShipPieces {
    unsigned records_max = limits::ship_records_max;  // at least 1
    bool (*before_each)() noexcept = nullptr;  // false: all the rest is one piece
};

class Ledger {
  public:
    // Every lease notes when it ends, so that processes with different terms may share a store.
    explicit Ledger(LedgerStore& store, PlantedBug bug = PlantedBug::none,
                    Nanoseconds lease_term = limits::lease_ttl, ShipPieces pieces = {}) noexcept
        : store_(store),
          bug_(bug),
          lease_term_ms_(lease_term / millisecond),
          pieces_(pieces) {
        NX_ASSERT(pieces.records_max > 0);
    }

    // --- accounts and money (ledger_accounts.cc). not_found(client) for an unknown account or key.
    Result<ledger::Account> create_account(const std::string& name,
                                           const ledger::Currency& currency, std::int64_t now_ms);
    Result<ledger::Account> set_account_state(AccountId id, AccountState state,
                                              std::int64_t now_ms);
    Result<ledger::Account> set_account_claims(AccountId id, ClaimMode claims, std::int64_t now_ms);
    Result<ledger::Account> shred_account(AccountId id, std::int64_t now_ms);
    struct TopUp {
        ledger::Account account;
        bool applied = false;  // false: this reference had been applied before
    };
    // amount > 0. One reference is applied once; with another amount: already_exists(client).
    Result<TopUp> top_up(AccountId id, Nano amount, const std::string& reference,
                         std::int64_t now_ms);
    // insufficient_funds(client) when the balance would fall below what POPs hold.
    Result<ledger::Account> adjust(AccountId id, Nano delta, const std::string& reason,
                                   std::int64_t now_ms);

    // --- keys (ledger_keys.cc)
    Result<ledger::Key> create_key(AccountId account, const KeyHash& hash,
                                   const KeySettings& settings, std::int64_t now_ms);
    // insufficient_funds(client): the new budget is below what is spent and held. `seen_version` is
    // the feed version of the key that the settings were made from: stale(client) when it has
    // changed since, because another operator's change would be lost.
    Result<ledger::Key> update_key(KeyId id, const KeySettings& settings, std::int64_t now_ms,
                                   std::optional<std::uint64_t> seen_version = {});
    // A revoked key stays revoked: forbidden(client).
    Result<ledger::Key> set_key_state(KeyId id, KeyState state, std::int64_t now_ms);
    // `model` without number: found by id or new. A changed price makes a new, immutable price
    // list. `seen_version` as above; 0: there was none.
    Result<ledger::Model> set_model(const ModelEntry& given, std::int64_t now_ms,
                                    std::optional<std::uint64_t> seen_version = {});

    // --- body keys (ledger_body_keys.cc), wrapped by whoever calls; shred_account() destroys them
    Result<ledger::BodyKeys> body_keys(AccountId id);  // without versions when none were made
    // The number that the next version of `keys` must have: above every earlier one, and in a range
    // of its own after each restore (epoch), because POPs may hold keys that a restored ledger
    // lost. limit_exceeded(client): there is none, or (in a restored ledger) not within this
    // second.
    Result<std::uint32_t> next_body_key(const ledger::BodyKeys& keys, std::int64_t now_ms);
    // Nothing is kept under the versions below it any more.
    [[nodiscard]] std::uint32_t oldest_body_key(const ledger::BodyKeys& keys,
                                                std::int64_t now_ms) const noexcept;
    // Adds `wrapped` as version `number` and tells POPs through the feed; drops what is out of
    // date. stale(client): it is not the next any more. forbidden(client): house or closed account.
    // limit_exceeded(client): body_key_versions_max are in use.
    Result<ledger::BodyKeys> add_body_key(AccountId id, std::uint32_t number,
                                          const std::string& wrapped, std::int64_t now_ms);
    // Accounts whose newest version is older than limits::body_key_lifetime or of an earlier epoch.
    // Looks at no more than `accounts_max` from where the last call ended.
    Result<std::vector<AccountId>> outdated_body_keys(std::int64_t now_ms, unsigned accounts_max);
    // What was stored to tell the root key from another; "" when nothing was. Stored once.
    Result<std::string> root_key_check();
    // already_exists(client): another one is.
    Status set_root_key_check(const std::string& check);

    // --- sessions and references to bodies (ledger_references.cc), kept until the bodies expire
    Result<std::optional<ledger::Reference>> reference(const RequestId& request);
    struct ReferencePage {
        std::vector<ledger::Reference> references;
        std::string cursor;  // of the next page; "" at the end
    };
    // The account's, session by session; of one session when it is given. `cursor`: "" or of an
    // earlier page, else malformed(client).
    Result<ReferencePage> references(AccountId account, const std::optional<SessionId>& session,
                                     const std::string& cursor, unsigned count_max);
    // Looks at no more than `rows_max` from where the last call ended; how many it erased.
    Result<unsigned> sweep_references(std::int64_t now_ms, unsigned rows_max);

    // --- deletion of bodies (ledger_erasures.cc). not_found(client): no such request, or its
    // bodies have expired.
    struct Erasing {
        PopId owner{};
        bool ordered = false;
        std::vector<PopId> waiting;  // have not said yet that their keys are destroyed
    };
    // Marks the reference and orders every POP, in one write; said again it changes nothing.
    Result<Erasing> erase_bodies(const RequestId& request, std::int64_t now_ms);
    Result<Erasing> erasing(const RequestId& request);

    // --- epochs (ledger_epoch.cc). After the ledger was restored from a backup, before it serves:
    // POPs register again, ship again what it lost, and give up the grants it does not know. Every
    // POP counts as heard now. The new epoch is the next second, or what follows `above` (the
    // highest that a lost ledger is known to have had) where that is more, so that no two ledgers
    // have one epoch. overflow(client): it would leave what an epoch may be.
    Result<std::uint64_t> raise_epoch(std::int64_t now_ms, std::uint64_t above = 0);

    // Whether an operator's command with that number is a new one of this POP, and notes it: the
    // last commands_remembered numbers are told from each other, what is older than they are is
    // refused.
    static constexpr std::size_t commands_remembered = 64;
    Result<bool> note_command(PopId pop, std::uint64_t number);
    // The same of a command that an operator sealed: `id` names it, and is kept for
    // limits::operator_commands_kept. Its time is of limits::operator_command_window around now.
    Result<bool> note_sealed_command(std::int64_t sealed_ms, const CommandId& id,
                                     std::int64_t now_ms);

    // --- POPs (ledger_leases.cc, ledger_settle.cc)
    Result<RegisterReply> register_pop(PopId pop, const RegisterRequest& request,
                                       std::int64_t now_ms);
    // stale(client): not this POP's newest incarnation.
    Result<LeaseReply> lease(PopId pop, std::uint32_t incarnation, const LeaseRequest& request,
                             std::int64_t now_ms);
    // Looks at no more than `scopes_max` leases from where the last call ended; answers how many it
    // closed.
    Result<unsigned> reclaim(std::int64_t now_ms, unsigned scopes_max);
    Result<ShipReply> ship(PopId pop, std::uint32_t incarnation, const ShipRequest& request,
                           std::int64_t now_ms);
    // What ship() has committed since this object was made: for watching, nothing depends on it.
    struct SettlementCounts {
        std::uint64_t charges = 0;
        std::uint64_t duplicates = 0;           // second executions of a key: the house's
        std::uint64_t repeated_records = 0;     // at or below the mark: sent again
        std::uint64_t repeated_executions = 0;  // charged before, under an earlier mark
        std::uint64_t late_losses = 0;
        std::uint64_t overruns = 0;
    };
    [[nodiscard]] const SettlementCounts& settlement_counts() const noexcept { return counts_; }

    // --- what operators see of POPs (ledger_pops.cc)
    // stale(client): not this POP's newest incarnation. `epoch`: the one it is registered in.
    Result<ReportReply> report(PopId pop, std::uint32_t incarnation, std::uint64_t epoch,
                               const PopReport& report, std::int64_t now_ms);
    struct PopView {
        PopId pop{};
        std::uint32_t incarnation = 0;  // the newest
        ledger::Mark mark;              // of that incarnation
        std::int64_t reported_ms = 0;
        std::uint64_t epoch = 0;          // when it reported
        std::optional<PopReport> report;  // nothing: it has never reported
    };
    // Every POP that was ever registered, by number.
    Result<std::vector<PopView>> pops(PopId after, unsigned count_max);

    // --- idempotency keys (ledger_claims.cc)
    // This process hears POPs from now on: it began, or did not run for a while. Who was silent
    // before may have spoken, so nobody is dead until a whole silence after it.
    void listens_from(std::int64_t now_ms) noexcept { listens_from_ms_ = now_ms; }
    // An answer an entry, in their order; all in one commit. stale(client): not this POP's newest
    // incarnation.
    Result<ClaimReply> claim(PopId pop, std::uint32_t incarnation, const ClaimRequest& request,
                             std::int64_t now_ms);
    // This process did not read what it was sent between the two times: what it is handed now may
    // have been sent as early. Nothing when they are less than limits::message_lateness_max apart.
    void was_away(std::int64_t from_ms, std::int64_t to_ms) noexcept;
    // Erases expired claims among no more than `claims_max`, from where the last call ended;
    // answers how many.
    Result<unsigned> sweep_claims(std::int64_t now_ms, unsigned claims_max);

    // --- questions (ledger_queries.cc); they see what is committed
    Result<std::optional<ledger::Account>> account(AccountId id);
    Result<std::optional<ledger::Key>> key(KeyId id);
    Result<std::vector<ledger::Account>> accounts(AccountId after,
                                                  unsigned count_max);  // customers, by id
    Result<std::vector<ledger::Key>> keys(AccountId account, KeyId after, unsigned count_max);
    Result<std::optional<ledger::Model>> model(Bytes id);
    Result<std::vector<ledger::Model>> models();
    Result<std::optional<ledger::PriceList>> price_list(std::uint32_t version);
    Result<std::optional<ledger::Lease>> lease_of(const LeaseKey& scope, PopId pop,
                                                  std::uint32_t incarnation);
    Result<std::optional<ledger::Mark>> mark(PopId pop, std::uint32_t incarnation);
    Result<std::optional<ledger::Claim>> claim_of(AccountId account,
                                                  const IdempotencyId& idempotency);
    Result<ledger::Head> head();
    Result<FeedReply> feed(std::uint64_t from);
    Result<UsagePage> usage(const UsageFilter& filter);

    // --- audit (ledger_audit.cc)
    Result<LedgerAudit> verify();  // rows, chain, balances
    // verify() and the holds: I1, I3 and the lease sums of replication/README.md. For tests:
    // reads everything.
    Result<LedgerAudit> check_invariants();

  private:
    enum class ObjectKind : std::uint8_t { account, key, model, last = model };
    struct Changed {
        std::uint64_t version;
        ObjectKind kind;
        std::uint64_t id;
    };
    static LedgerPlace object_place(const Changed& changed);
    Result<std::vector<Changed>> changes_after(LedgerTransaction& transaction, std::uint64_t from,
                                               bool& more);
    Result<std::string> feed_record(LedgerTransaction& transaction, const Changed& changed);
    // A page of the rows whose places are in [from, to).
    static Result<UsagePage> usage_page(LedgerTransaction& transaction, const UsageFilter& filter,
                                        Bytes from, Bytes to);
    Result<LedgerAudit> verify(LedgerTransaction& transaction);
    Result<LedgerAudit> check_invariants(LedgerTransaction& transaction);
    Result<ledger::Head> load_head(LedgerTransaction& transaction);
    void save_head(LedgerTransaction& transaction, const ledger::Head& head);
    Result<ledger::Account> load_account(LedgerTransaction& transaction, AccountId id);
    Result<ledger::Key> load_key(LedgerTransaction& transaction, KeyId id);
    Status save_account(LedgerTransaction& transaction, const ledger::Account& account);
    // Of what POPs know of it too: under the next feed version.
    Status save_and_announce(LedgerTransaction& transaction, ledger::Account& account);
    Status save_and_announce(LedgerTransaction& transaction, ledger::Key& key);
    // A customer's that is not closed; else forbidden(client).
    Result<ledger::Account> change_account(AccountId id, std::int64_t now_ms,
                                           const std::function<void(ledger::Account&)>& change);
    Status save_key(LedgerTransaction& transaction, const ledger::Key& key);
    // The object takes the next feed version; its older entry goes.
    Status announce(LedgerTransaction& transaction, ObjectKind kind, std::uint64_t id,
                    std::uint64_t& feed_version);
    Status destroy_body_keys(LedgerTransaction& transaction, AccountId id);
    // Appends the row (index and currency are filled in) and moves its amount. Answers the row's
    // index.
    Result<std::uint64_t> post(LedgerTransaction& transaction, ledger::Row row,
                               const ledger::Currency& currency);
    Status move(LedgerTransaction& transaction, AccountId account, const ledger::Currency& currency,
                Nano delta, std::int64_t now_ms);

    // What a lease's holder (account or key) has, behind one face.
    struct Holder;
    Result<Holder> load_holder(LedgerTransaction& transaction, const LeaseKey& scope,
                               std::int64_t now_ms);
    Status change_held(LedgerTransaction& transaction, const Holder& holder, Nano delta);
    Result<LeaseReply::Entry> lease_entry(LedgerTransaction& transaction, PopId pop,
                                          std::uint32_t incarnation,
                                          const LeaseRequest::Entry& entry, bool ask,
                                          std::int64_t now_ms);
    [[nodiscard]] std::int64_t closes_after_ms(
        const ledger::Lease::Generation& generation) const noexcept;
    Status close_lease(const std::string& key, std::int64_t now_ms, bool& closed);

    // stale(client): not this POP's newest incarnation. Notes, coarsely, that the POP spoke.
    Status heard_of(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                    std::int64_t now_ms);
    // Whether it is the POP's newest incarnation, which a first word makes it when none above it
    // has spoken.
    Result<bool> speaks(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation);
    Result<std::uint32_t> next_incarnation(LedgerTransaction& transaction, PopId pop,
                                           const std::optional<std::string>& newest);
    Result<bool> is_dead(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                         std::int64_t now_ms);
    Status hear_everyone(LedgerTransaction& transaction, std::int64_t now_ms);
    // The key's claim as it stands: nothing when it is free or expired.
    Result<std::optional<ledger::Claim>> standing_claim(LedgerTransaction& transaction,
                                                        const ClaimRequest::Entry& entry,
                                                        std::uint32_t ttl_ms, std::int64_t now_ms);
    Result<ClaimReply::Entry> claim_entry(LedgerTransaction& transaction, PopId pop,
                                          std::uint32_t incarnation,
                                          const ClaimRequest::Entry& entry,
                                          const ClaimRequest& message, std::int64_t now_ms);
    // A charge ends the claim of its key; until_ms: of the charge.
    Status finish_claim(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                        const storage::Settlement& settlement, Nano charged, std::int64_t until_ms,
                        std::int64_t now_ms);

    // --- uses of a key (ledger_uses.cc)
    // Of an execution, by this ledger's clock.
    struct ExecutionTimes {
        std::int64_t began_ms = 0;  // not before; 0: nobody can tell
        std::int64_t ended_ms = 0;  // not after
    };
    ExecutionTimes times_of(const ShipRequest& request, std::uint64_t sequence,
                            const storage::Settlement& settlement,
                            std::int64_t now_ms) const noexcept;
    // No message that is handled now was sent before it.
    [[nodiscard]] std::int64_t sent_after_ms(std::int64_t now_ms) const noexcept;
    // Charge::until_ms of an execution that is charged now.
    static std::int64_t answered_until(const storage::Settlement& settlement,
                                       const ExecutionTimes& times, std::int64_t now_ms) noexcept;
    Result<bool> is_new_use(LedgerTransaction& transaction, PopId pop,
                            const storage::Settlement& settlement, const ledger::Charge& earlier,
                            const ExecutionTimes& times, std::int64_t now_ms);
    enum class Use : std::uint8_t {
        charged,    // the customer's: the first execution of the key, or of a new use of it
        duplicate,  // the house's: the use is charged
        repeated,   // this very execution was charged before
    };
    // `place`: of the charge. For a new use the earlier charge is moved out of it.
    Result<Use> use_of(LedgerTransaction& transaction, PopId pop,
                       const storage::Settlement& settlement, const std::string& place,
                       const ExecutionTimes& times, std::int64_t now_ms);

    // And the key of its row; nothing: no such request, or its bodies have expired.
    static Result<std::optional<ledger::Reference>> find_reference(LedgerTransaction& transaction,
                                                                   const RequestId& request,
                                                                   std::string& key);
    Result<std::vector<PopId>> waiting_for(LedgerTransaction& transaction, const RequestId& request,
                                           const std::vector<PopId>& pops);
    Status note_erased(LedgerTransaction& transaction, PopId pop,
                       const std::vector<RequestId>& erased);
    Result<std::vector<ReportReply::Erasure>> orders_for(LedgerTransaction& transaction, PopId pop,
                                                         std::int64_t now_ms);

    // With the charge, in its write. Nothing for a record of before version 2, or without bodies.
    static void note_reference(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                               const storage::Settlement& settlement, Nano charged);
    // A POP that was registered with the ledger of before: what it may ship of that time. Once an
    // epoch: a POP that registers again and again may not go on spending what is free.
    Status note_restoration(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                            std::uint64_t epoch, std::uint64_t outbox_last, std::int64_t now_ms);
    // Nothing: this ledger was never restored, or the POP came after that.
    Result<std::optional<ledger::Restoration>> restoration(LedgerTransaction& transaction,
                                                           PopId pop, std::uint32_t incarnation);
    // The POP has gone on to generation `number` by itself, because the ledger that closed or knew
    // the ones before was lost.
    Status follow_generation(LedgerTransaction& transaction, ledger::Lease& lease, Holder& holder,
                             std::uint32_t number);

    // `amount`, or 0 where a loss of the house would come near the end of an account's range.
    Result<Nano> bookable_loss(LedgerTransaction& transaction, AccountId debit, AccountId credit,
                               Nano amount);
    // How much of `amount` the scope pays for. `restored`: the request is of before a restore, and
    // what the lease does not cover is taken from what is free.
    Result<Nano> consume(LedgerTransaction& transaction, const LeaseKey& scope, PopId pop,
                         std::uint32_t incarnation, std::uint32_t generation, Nano amount,
                         bool restored, std::int64_t now_ms);
    // What the leases of the account and, where it was held under it, the key pay for.
    Result<Nano> cover(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                       const storage::Settlement& settlement, Nano amount, bool restored,
                       std::int64_t now_ms);
    Status settle(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                  const storage::Settlement& settlement, const ExecutionTimes& times, bool restored,
                  std::int64_t now_ms, SettlementCounts& counts);
    Status book_duplicate(LedgerTransaction& transaction, ledger::Row row,
                          const ledger::Currency& currency, Nano amount);
    struct Costs {
        Nano charged = 0;
        Nano lost = 0;     // promised, and nothing is left to pay it from
        Nano overrun = 0;  // above the reservation
    };
    Status charge(LedgerTransaction& transaction, ledger::Row row, const ledger::Currency& currency,
                  const Costs& costs, const std::string& charge_place, std::int64_t until_ms);
    Status count_spending(LedgerTransaction& transaction, const storage::Settlement& settlement,
                          Nano charged, std::int64_t now_ms);
    // Of a ship request, what one transaction applies.
    struct ShipPiece;
    Status apply_records(LedgerTransaction& transaction, PopId pop, std::uint32_t incarnation,
                         ShipPiece& piece, std::int64_t now_ms, ledger::Mark& mark,
                         ShipReply& reply, SettlementCounts& counts);
    Result<ShipReply> ship_piece(PopId pop, std::uint32_t incarnation, ShipPiece& piece,
                                 std::int64_t now_ms);

    LedgerStore& store_;
    PlantedBug bug_;
    const std::int64_t lease_term_ms_;
    const ShipPieces pieces_;
    // When this process began to listen: it may only make it slower to call a POP dead.
    std::int64_t listens_from_ms_ = 0;
    std::int64_t away_from_ms_ = 0;  // was_away(), of pauses that may matter still
    std::int64_t back_ms_ = 0;
    // Key after which the next reclaim() looks: only where to go on, true or not. Nothing else is
    // remembered between two verbs, so that any number of processes may work on one store.
    std::string reclaim_from_;
    std::string sweep_from_;     // the same for the next sweep_claims()
    std::string outdated_from_;  // and outdated_body_keys()
    std::string references_from_;
    SettlementCounts counts_;
};

}  // namespace nodex::replication
