// Ledger: the accounts' body keys as wrapped rows: versions, their ends, their destruction.
#include <algorithm>

#include "edge/base/clock.h"
#include "edge/base/limits.h"
#include "replication/body_keys.h"
#include "replication/central/ledger.h"
#include "replication/central/ledger_errors.h"
#include "replication/central/ledger_round.h"
#include "replication/central/ledger_transaction.h"

namespace nodex::replication {

using ledger::BodyKeys;

namespace {

constexpr std::int64_t lifetime_ms = limits::body_key_lifetime / millisecond;
constexpr std::int64_t retention_ms = limits::body_key_retention / millisecond;
constexpr std::int64_t clock_back_max_ms = limits::centre_clock_back_max / millisecond;
const std::string check_key = "c";

// Where an epoch's numbers begin. An epoch of a restored ledger is above its time in seconds then,
// and above every earlier epoch.
std::uint32_t first_of_epoch(std::uint64_t epoch) noexcept {
    return std::max(first_body_key_version,
                    static_cast<std::uint32_t>(std::min<std::uint64_t>(epoch, UINT32_MAX)));
}

// The numbers of a restored ledger that follow its first wait for the time in seconds to pass them,
// by as much as the clock may be set back before the next restore. So none is ahead of the time
// then but the first, and the epoch after that restore begins above numbers that this ledger gave
// and that its backup does not know.
bool is_ahead(std::uint32_t number, std::uint32_t first, std::int64_t now_ms) noexcept {
    const std::int64_t passed_s = (now_ms - clock_back_max_ms) / 1'000;
    return first > first_body_key_version && number > first && number > passed_s;
}

// A version is of use as long as a body under it may be kept: until some time after its successor
// was made. Whether any went.
bool drop_out_of_date(BodyKeys& keys, std::int64_t now_ms) {
    const std::size_t before = keys.versions.size();
    while (keys.versions.size() > 1 && keys.versions[1].created_ms <= now_ms - retention_ms)
        keys.versions.erase(keys.versions.begin());
    return keys.versions.size() < before;
}

// A row that has lost versions: they are to leave the disk too.
void save(LedgerTransaction& transaction, AccountId id, const BodyKeys& keys, bool some_went) {
    if (some_went)
        transaction.destroy(LedgerTable::kek, ledger::body_keys_key(id), ledger::encode(keys));
    else
        transaction.put(LedgerTable::kek, ledger::body_keys_key(id), ledger::encode(keys));
}

Result<BodyKeys> load(LedgerTransaction& transaction, AccountId id) {
    Result<std::optional<BodyKeys>> keys =
        transaction.find<BodyKeys>(LedgerTable::kek, ledger::body_keys_key(id));
    if (!keys) return keys.error();
    return *keys ? std::move(**keys) : BodyKeys{};
}

}  // namespace

// A POP keeps what is answered from it, so it is committed as what is written.
Result<BodyKeys> Ledger::body_keys(AccountId id) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<BodyKeys> {
        return load(transaction, id);
    });
}

Result<std::uint32_t> Ledger::next_body_key(const BodyKeys& keys, std::int64_t now_ms) {
    const Result<ledger::Head> now = head();
    if (!now) return now.error();
    const bool repeats = bug_ == PlantedBug::repeated_key_numbers;
    const std::uint32_t first = first_of_epoch(repeats ? 1 : now->epoch);
    if (keys.last == UINT32_MAX || is_ahead(keys.last + 1, first, now_ms))
        return refused(ErrorCode::limit_exceeded);
    return std::max(keys.last + 1, first);
}

// A version went because of its age when its successor, which then is the oldest or older than it,
// is that old. Others may be missing that POPs still need: those that a ledger lost which was
// restored.
std::uint32_t Ledger::oldest_body_key(const BodyKeys& keys, std::int64_t now_ms) const noexcept {
    if (keys.versions.empty()) return first_body_key_version;
    const BodyKeys::Version& oldest = keys.versions.front();
    const bool aged = oldest.created_ms <= now_ms - retention_ms;
    return aged || bug_ == PlantedBug::hasty_key_retention ? oldest.number : first_body_key_version;
}

Result<BodyKeys> Ledger::add_body_key(AccountId id, std::uint32_t number,
                                      const std::string& wrapped, std::int64_t now_ms) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Result<BodyKeys> {
        Result<ledger::Account> account = load_account(transaction, id);
        if (!account) return account.error();
        if (ledger::is_house(id) || account->state == AccountState::closed)
            return refused(ErrorCode::forbidden);
        Result<BodyKeys> keys = load(transaction, id);
        if (!keys) return keys.error();
        if (number <= keys->last) return refused(ErrorCode::stale);
        const bool some_went = drop_out_of_date(*keys, now_ms);
        if (keys->versions.size() == limits::body_key_versions_max)
            return refused(ErrorCode::limit_exceeded);
        keys->last = number;
        keys->versions.push_back({number, now_ms, wrapped});
        save(transaction, id, *keys, some_went);
        if (const Status saved = save_and_announce(transaction, *account); !saved)
            return saved.error();
        return keys;
    });
}

// The numbers go on behind those that are gone: a version names one key, for good.
Status Ledger::destroy_body_keys(LedgerTransaction& transaction, AccountId id) {
    Result<BodyKeys> keys = load(transaction, id);
    if (!keys) return keys.error();
    const bool some_went = !keys->versions.empty();
    keys->versions.clear();
    save(transaction, id, *keys, some_went);
    return {};
}

Result<std::vector<AccountId>> Ledger::outdated_body_keys(std::int64_t now_ms,
                                                          unsigned accounts_max) {
    const Result<ledger::Head> now = head();
    if (!now) return now.error();
    bool sound = true;
    const std::uint32_t first = first_of_epoch(now->epoch);
    const auto is_outdated = [&](Bytes key, Bytes value) {
        BodyKeys keys;
        const bool readable = key.size() == 9 && ledger::decode(value, keys).has_value();
        sound &= readable;
        if (!readable || keys.versions.empty()) return false;
        const BodyKeys::Version& newest = keys.versions.back();
        return newest.created_ms <= now_ms - lifetime_ms || newest.number < first;
    };
    const std::string begin = ledger::body_keys_key(AccountId{0});
    const Result<std::vector<std::string>> rows = look_on(
        store_, {LedgerTable::kek, begin, "l"}, accounts_max, outdated_from_, is_outdated);
    if (!rows) return rows.error();
    if (!sound) return corrupt();
    std::vector<AccountId> outdated;
    for (const std::string& row : *rows)
        outdated.push_back(static_cast<AccountId>(read_ordered64(Bytes(row).substr(1))));
    return outdated;
}

Result<std::string> Ledger::root_key_check() {
    return run_verb(
        store_, LedgerAccess::read, [](LedgerTransaction& glance) -> Result<std::string> {
            Result<std::optional<std::string>> check = glance.get(LedgerTable::kek, check_key);
            if (!check) return check.error();
            return *check ? std::move(**check) : std::string();
        });
}

Status Ledger::set_root_key_check(const std::string& check) {
    return run_verb(store_, [&](LedgerTransaction& transaction) -> Status {
        // Two centres may start on a new ledger at once: one root key is its, for good.
        const Result<std::optional<std::string>> known =
            transaction.get(LedgerTable::kek, check_key);
        if (!known) return known.error();
        if (*known && **known != check) return refused(ErrorCode::already_exists);
        transaction.put(LedgerTable::kek, check_key, check);
        return {};
    });
}

}  // namespace nodex::replication
