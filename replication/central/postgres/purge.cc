// One pass over the marks of destroyed keys; see the header.
#include "replication/central/postgres/purge.h"

#include "edge/base/bytes.h"
#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "replication/central/ledger_store.h"
#include "replication/central/postgres/pg_connection.h"

namespace nodex::replication {
namespace {

// A mark is of the transaction that destroyed: whoever may still need a row of before it has a
// snapshot, a slot or a prepared transaction that is not younger. What this user may not see of
// other sessions is not among these columns.
constexpr const char* ready_marks =
    "SELECT coalesce(max(id), 0) FROM nodex.purge_mark AS mark"
    " WHERE NOT EXISTS (SELECT FROM pg_stat_activity"
    "  WHERE pid <> pg_backend_pid() AND (age(backend_xmin) >= age(mark.xmin)"
    "  OR age(backend_xid) >= age(mark.xmin)))"
    " AND NOT EXISTS (SELECT FROM pg_replication_slots WHERE age(xmin) >= age(mark.xmin))"
    " AND NOT EXISTS (SELECT FROM pg_prepared_xacts WHERE age(transaction) >= age(mark.xmin))";

Status connect(PgConnection& connection, const DatabaseTarget& target) {
    Status connected = ledger_unavailable();
    for (const DatabaseTarget::Place& place : target.places) {
        connected = connection.connect(target, place);
        if (connected) break;
    }
    return connected;
}

// Whose snapshot that is, is for the operator to find; pg_stat_activity names it.
Status tell_of_waiting(PgConnection& connection) {
    const std::string late =
        "SELECT count(*) FROM nodex.purge_mark WHERE marked_at < now() - interval '" +
        std::to_string(limits::purge_patience / second) + " seconds'";
    std::string count;
    if (const Status asked = connection.execute(late.c_str(), &count); !asked) return asked;
    if (count != "0")
        log::warning("purge_waits",
                     {{"count", Bytes(count)},
                      {"advice",
                       "destroyed keys stay in the table's file while a session, a slot or a "
                       "standby has an older snapshot: see pg_stat_activity.backend_xmin"}});
    return {};
}

Status rewrite(PgConnection& connection, const std::string& up_to) {
    const std::string settings =
        "SET lock_timeout TO " + std::to_string(limits::database_lock_timeout / millisecond) +
        ";SET statement_timeout TO " + std::to_string(limits::database_purge_timeout / millisecond);
    Status status = connection.execute(settings.c_str());
    // Alone in its message: it runs in no transaction of anybody.
    if (status)
        status = connection.execute("VACUUM (FULL) nodex.ledger_kek", nullptr,
                                    limits::database_purge_timeout);
    const std::string done = "DELETE FROM nodex.purge_mark WHERE id <= " + up_to;
    return status ? connection.execute(done.c_str()) : status;
}

}  // namespace

Result<unsigned> purge_database(const std::string& url, Clock& clock) {
    DatabaseTarget target;
    std::string problem;
    if (!parse_database_target(url, target, problem))
        return Error{ErrorCode::bad_configuration, ErrorSource::storage};
    PgConnection connection(clock);
    if (!connect(connection, target)) return 0u;  // the ledger's own connection has told
    std::string up_to;
    if (const Status asked = connection.execute(ready_marks, &up_to); !asked) return asked.error();
    if (const Status told = tell_of_waiting(connection); !told) return told.error();
    if (up_to == "0") return 0u;
    std::string count;
    const std::string ready = "SELECT count(*) FROM nodex.purge_mark WHERE id <= " + up_to;
    if (const Status asked = connection.execute(ready.c_str(), &count); !asked)
        return asked.error();
    if (const Status rewritten = rewrite(connection, up_to); !rewritten) return rewritten.error();
    return static_cast<unsigned>(parse_decimal(count).value_or(0));
}

}  // namespace nodex::replication
