// PostgresLedgerStore: a transaction as few round trips: BEGIN and the lock travel with the first
// question, COMMIT with the writes.
#include "replication/central/postgres/postgres_ledger_store.h"

#include <algorithm>
#include <tuple>

#include "edge/base/limits.h"
#include "edge/base/log.h"

namespace nodex::replication {
namespace {

constexpr const char* begin_read = "begin_read";
constexpr const char* begin_write = "begin_write";
constexpr const char* lock_writer = "lock_writer";
constexpr const char* mark_for_purge = "mark_for_purge";
constexpr const char* commit_work = "commit";
constexpr const char* roll_back_work = "rollback";

std::string milliseconds(Nanoseconds duration) {
    return std::to_string(duration / millisecond);
}

// Plans must not depend on what the planner guesses about a table that was empty a minute ago:
// every read is by the primary key.
std::string session_settings() {
    return "SET search_path TO nodex; SET client_min_messages TO warning;"
           "SET default_transaction_isolation TO 'read committed';"
           "SET enable_seqscan TO off; SET enable_bitmapscan TO off; SET jit TO off;"
           "SET plan_cache_mode TO force_generic_plan;"
           "SET lock_timeout TO " +
           milliseconds(limits::database_lock_timeout) + ";SET statement_timeout TO " +
           milliseconds(limits::database_statement_timeout) +
           ";SET idle_in_transaction_session_timeout TO " +
           milliseconds(limits::database_idle_timeout);
}

std::string text_of(Bytes bytes) {
    return std::string(bytes);
}

}  // namespace

// The SQL, and the names under which each connection prepares it.
struct PostgresLedgerStore::Statements {
    struct OfTable {
        std::string get, put, erase, scan, scan_to;  // names
    };
    std::vector<OfTable> tables;
    std::vector<std::pair<std::string, std::string>> all;  // name, SQL

    Statements() {
        all = {{begin_read, "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"},
               {begin_write, "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE"},
               {lock_writer, "SELECT id FROM ledger_writer WHERE id = 1 FOR UPDATE"},
               {mark_for_purge, "INSERT INTO purge_mark DEFAULT VALUES"},
               {commit_work, "COMMIT"},
               {roll_back_work, "ROLLBACK"}};
        const std::string page =
            " ORDER BY key LIMIT " + std::to_string(limits::database_scan_rows);
        for (std::size_t i = 0; i < ledger_tables_count; ++i) {
            const std::string short_name = name(static_cast<LedgerTable>(i));
            const std::string table = "ledger_" + short_name;
            OfTable names{"get_" + short_name, "put_" + short_name, "erase_" + short_name,
                          "scan_" + short_name, "scan_to_" + short_name};
            const std::string read = "SELECT key, value FROM " + table;
            all.emplace_back(names.get, read + " WHERE key = ANY($1::bytea[])");
            all.emplace_back(names.put,
                             "INSERT INTO " + table +
                                 " (key, value) SELECT * FROM unnest($1::bytea[], $2::bytea[])"
                                 " ON CONFLICT (key) DO UPDATE SET value = excluded.value");
            all.emplace_back(names.erase, "DELETE FROM " + table + " WHERE key = ANY($1::bytea[])");
            all.emplace_back(names.scan, read + " WHERE key >= $1::bytea" + page);
            all.emplace_back(names.scan_to,
                             read + " WHERE key >= $1::bytea AND key < $2::bytea" + page);
            tables.push_back(std::move(names));
        }
    }
    const OfTable& of(LedgerTable table) const noexcept {
        return tables[static_cast<std::size_t>(table)];
    }
};

PostgresLedgerStore::PostgresLedgerStore(DatabaseTarget target, Clock& clock)
    : target_(std::move(target)),
      clock_(clock),
      connection_(clock),
      statements_(std::make_unique<const Statements>()) {}
PostgresLedgerStore::~PostgresLedgerStore() = default;

std::unique_ptr<PostgresLedgerStore> PostgresLedgerStore::open(const std::string& url,
                                                               SchemaPolicy policy, Clock& clock,
                                                               std::string& problem) {
    DatabaseTarget target;
    if (!parse_database_target(url, target, problem)) return nullptr;
    std::unique_ptr<PostgresLedgerStore> store(new PostgresLedgerStore(std::move(target), clock));
    problem.clear();
    if (store->connect(policy, problem)) return store;
    return nullptr;
}

// A server that forgets what it has confirmed makes POPs forget too.
Status PostgresLedgerStore::check_server(std::string& problem) {
    const std::pair<const char*, std::vector<Bytes>> required[] = {
        {"synchronous_commit", {"on", "remote_apply"}},
        {"fsync", {"on"}},
        {"full_page_writes", {"on"}},
    };
    for (const auto& [setting, allowed] : required) {
        std::string value;
        const std::string question = std::string("SHOW ") + setting;
        if (const Status asked = connection_.execute(question.c_str(), &value); !asked)
            return asked;
        if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) continue;
        problem = std::string("the database has ") + setting + " = " + value +
                  ", so it may lose what it has committed";
        return Error{ErrorCode::bad_configuration, ErrorSource::storage};
    }
    return {};
}

Status PostgresLedgerStore::connect(SchemaPolicy policy, std::string& problem) {
    Status status = ledger_unavailable();
    for (std::size_t tried = 0; tried < target_.places.size(); ++tried) {
        const std::size_t place = (first_place_ + tried) % target_.places.size();
        status = connect_to(target_.places[place], policy, problem);
        if (status) {
            first_place_ = place + 1;
            return status;
        }
        if (problem.empty()) problem = connection_.last_problem();
    }
    return status;
}

Status PostgresLedgerStore::connect_to(const DatabaseTarget::Place& place, SchemaPolicy policy,
                                       std::string& problem) {
    if (const Status connected = connection_.connect(target_, place); !connected) return connected;
    Status status = check_server(problem);
    if (status) status = ensure_schema(connection_, policy, problem);
    if (status) status = connection_.execute(session_settings().c_str());
    if (status) status = connection_.enter_pipeline();
    if (status) {
        std::vector<PgConnection::Statement> list;
        for (const auto& [statement, sql] : statements_->all)
            list.push_back({statement.c_str(), sql.c_str()});
        status = connection_.prepare(list);
    }
    if (!status) {
        connection_.close();
        return status;
    }
    backoff_ns_ = 0;
    log::info("database_connected",
              {{"target", target_.description}, {"host", place.host}, {"port", place.port}});
    return {};
}

// A database that comes back with another schema or other settings is refused as at the start, but
// goes on being asked: an operator is at work there.
Status PostgresLedgerStore::ensure_connected() {
    if (connection_.open()) return {};
    const Nanoseconds now = clock_.now_ns();
    if (now < next_attempt_ns_) return ledger_unavailable();
    std::string problem;
    if (connect(SchemaPolicy::check, problem)) return {};
    backoff_ns_ =
        std::clamp(2 * backoff_ns_, limits::database_backoff_min, limits::database_backoff_max);
    next_attempt_ns_ = clock_.now_ns() + backoff_ns_;
    log::warning("database_unreachable", {{"target", target_.description},
                                          {"text", problem},
                                          {"next_attempt_ms", backoff_ns_ / millisecond}});
    return ledger_unavailable();
}

void PostgresLedgerStore::enter(Phase next) noexcept {
    constexpr auto bit = [](Phase phase) { return 1u << static_cast<unsigned>(phase); };
    constexpr unsigned may_follow[] = {
        bit(Phase::announced),                                     // none
        bit(Phase::open) | bit(Phase::failed) | bit(Phase::none),  // announced
        bit(Phase::none) | bit(Phase::failed),                     // open
        bit(Phase::none),                                          // failed
    };
    NX_ASSERT((may_follow[static_cast<std::size_t>(phase_)] & bit(next)) != 0);
    phase_ = next;
}

Status PostgresLedgerStore::begin(LedgerAccess access) noexcept {
    if (const Status connected = ensure_connected(); !connected) return connected;
    access_ = access;
    enter(Phase::announced);
    return {};
}

void PostgresLedgerStore::roll_back() noexcept {
    if (!connection_.open()) return;
    const PgCall call{roll_back_work, {}};
    if (!connection_.run({&call, 1})) connection_.close();
}

void PostgresLedgerStore::abort() noexcept {
    if (phase_ == Phase::open) roll_back();
    enter(Phase::none);
}

Status PostgresLedgerStore::fail(Error error) {
    if (phase_ == Phase::none) return error;
    roll_back();  // frees the writer's lock at once
    // A connection that was lost before COMMIT went out took the transaction with it.
    if (!connection_.open() && !committing_) error = ledger_conflict();
    failure_ = error;
    enter(Phase::failed);
    return error;
}

Status PostgresLedgerStore::run(std::vector<PgCall> calls,
                                const std::function<void(std::size_t, PgRows)>& visit) {
    if (phase_ == Phase::failed) return failure_;
    if (phase_ == Phase::none)
        if (const Status connected = ensure_connected(); !connected) return connected;
    if (phase_ != Phase::announced) {
        const Status done = connection_.run(calls, visit);
        return done ? done : fail(done.error());
    }
    std::vector<PgCall> opening;
    if (access_ == LedgerAccess::read)
        opening = {{begin_read, {}}};
    else
        opening = {{begin_write, {}}, {lock_writer, {}}};
    const std::size_t before = opening.size();
    calls.insert(calls.begin(), std::make_move_iterator(opening.begin()),
                 std::make_move_iterator(opening.end()));
    const Status done = connection_.run(calls, [&](std::size_t index, PgRows rows) {
        if (index >= before && visit) visit(index - before, rows);
    });
    if (!done) return fail(done.error());
    enter(Phase::open);
    return {};
}

Result<std::optional<std::string>> PostgresLedgerStore::get(LedgerTable table, Bytes key) noexcept {
    std::optional<std::string> value;
    const Status done = run({{statements_->of(table).get.c_str(), {encode_bytea_array({&key, 1})}}},
                            [&](std::size_t, PgRows rows) {
                                if (rows.rows() > 0) value = text_of(rows.value(0, 1));
                            });
    if (!done) return done.error();
    return value;
}

Status PostgresLedgerStore::get_many(
    std::span<const LedgerPlace> places,
    const std::function<void(std::size_t, std::optional<Bytes>)>& visit) noexcept {
    // In the order of places, so that an answer finds its own by bisection.
    std::vector<std::size_t> order(places.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(),
              [&](std::size_t left, std::size_t right) { return places[left] < places[right]; });
    std::vector<PgCall> calls;
    std::vector<std::pair<std::size_t, std::size_t>> ranges;  // of `order`, one a call
    for (std::size_t first = 0; first < order.size();) {
        const LedgerTable table = places[order[first]].table;
        std::vector<Bytes> keys;
        std::size_t last = first;
        for (; last < order.size() && places[order[last]].table == table; ++last)
            keys.push_back(places[order[last]].key);
        calls.push_back({statements_->of(table).get.c_str(), {encode_bytea_array(keys)}});
        ranges.emplace_back(first, last);
        first = last;
    }
    std::vector<bool> found(places.size());
    const Status done = run(std::move(calls), [&](std::size_t call, PgRows rows) {
        const auto begin = order.begin() + static_cast<std::ptrdiff_t>(ranges[call].first);
        const auto end = order.begin() + static_cast<std::ptrdiff_t>(ranges[call].second);
        for (int row = 0; row < rows.rows(); ++row) {
            const Bytes key = rows.value(row, 0);
            auto place = std::lower_bound(begin, end, key, [&](std::size_t index, Bytes wanted) {
                return Bytes(places[index].key) < wanted;
            });
            for (; place != end && places[*place].key == key; ++place) {
                found[*place] = true;
                visit(*place, rows.value(row, 1));
            }
        }
    });
    if (!done) return done;
    for (std::size_t i = 0; i < places.size(); ++i)
        if (!found[i]) visit(i, std::nullopt);
    return {};
}

Status PostgresLedgerStore::scan(
    LedgerTable table, Bytes from, Bytes to,
    const std::function<bool(Bytes key, Bytes value)>& visit) noexcept {
    const Statements::OfTable& names = statements_->of(table);
    std::string next(from);
    bool more = to.empty() || from < to;
    while (more) {
        PgCall page{to.empty() ? names.scan.c_str() : names.scan_to.c_str(), {next}};
        if (!to.empty()) page.parameters.emplace_back(to);
        more = false;
        const Status done = run({std::move(page)}, [&](std::size_t, PgRows rows) {
            more = rows.rows() == static_cast<int>(limits::database_scan_rows);
            for (int row = 0; row < rows.rows(); ++row) {
                if (!visit(rows.value(row, 0), rows.value(row, 1))) {
                    more = false;
                    return;
                }
            }
            if (more) next = text_of(rows.value(rows.rows() - 1, 0)) + '\0';
        });
        if (!done) return done;
    }
    return {};
}

Status PostgresLedgerStore::commit(const LedgerBatch& batch) noexcept {
    if (phase_ == Phase::none)
        if (const Status begun = begin(LedgerAccess::write); !begun) return begun;
    std::vector<const LedgerChange*> changes;
    changes.reserve(batch.size());
    for (const LedgerChange& change : batch) changes.push_back(&change);
    const auto place_less = [](const LedgerChange* left, const LedgerChange* right) {
        return std::tie(left->table, left->key) < std::tie(right->table, right->key);
    };
    std::stable_sort(changes.begin(), changes.end(), place_less);
    std::vector<PgCall> calls;
    for (auto change = changes.begin(); change != changes.end();) {
        const LedgerTable table = (*change)->table;
        std::vector<Bytes> keys;
        std::vector<Bytes> values;
        std::vector<Bytes> erased;
        for (; change != changes.end() && (*change)->table == table; ++change) {
            const auto next = change + 1;
            if (next != changes.end() && !place_less(*change, *next)) continue;  // a later one wins
            if ((*change)->value) {
                keys.push_back((*change)->key);
                values.push_back(*(*change)->value);
            } else {
                erased.push_back((*change)->key);
            }
        }
        const Statements::OfTable& names = statements_->of(table);
        if (!keys.empty())
            calls.push_back(
                {names.put.c_str(), {encode_bytea_array(keys), encode_bytea_array(values)}});
        if (!erased.empty()) calls.push_back({names.erase.c_str(), {encode_bytea_array(erased)}});
    }
    if (std::any_of(batch.begin(), batch.end(), [](const auto& each) { return each.destroys; }))
        calls.push_back({mark_for_purge, {}});
    calls.push_back({commit_work, {}});
    const std::size_t last = calls.size() - 1;
    bool committed = false;
    committing_ = true;
    Status done = run(std::move(calls), [&](std::size_t index, PgRows rows) {
        if (index == last) committed = rows.command() == "COMMIT";
    });
    committing_ = false;
    // A warning means that the standby was not waited for: it may or may not have it.
    if (done && (!committed || connection_.warned())) done = ledger_unavailable();
    enter(Phase::none);
    return done;
}

}  // namespace nodex::replication
