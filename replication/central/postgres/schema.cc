// The schema's version, and the way from one to the next.
#include "replication/central/postgres/schema.h"

#include "edge/base/log.h"

namespace nodex::replication {
namespace {

// "" in a database without our tables.
Status read_version(PgConnection& connection, std::string& version) {
    std::string exists;
    const Status looked =
        connection.execute("SELECT to_regclass('nodex.schema_version') IS NOT NULL", &exists);
    if (!looked) return looked;
    version.clear();
    if (exists != "t") return {};
    return connection.execute("SELECT coalesce(max(version), 0) FROM nodex.schema_version",
                              &version);
}

Status apply_after(PgConnection& connection, int version) {
    for (int i = version; i < migrations_count; ++i) {
        const Migration& migration = migrations[i];
        NX_ASSERT(migration.version == i + 1);
        if (const Status applied = connection.execute(migration.sql); !applied) return applied;
        const std::string noted = "INSERT INTO nodex.schema_version (version, name) VALUES (" +
                                  std::to_string(migration.version) + ", '" + migration.name + "')";
        if (const Status status = connection.execute(noted.c_str()); !status) return status;
        log::info("schema_migrated", {{"version", migration.version}, {"name", migration.name}});
    }
    return {};
}

Status migrate(PgConnection& connection) {
    // The number is ours alone: "nodexled" in ASCII.
    Status status = connection.execute(
        "BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
        "SELECT pg_advisory_xact_lock(7957695015158899044);"
        "CREATE SCHEMA IF NOT EXISTS nodex;"
        "CREATE TABLE IF NOT EXISTS nodex.schema_version ("
        " version integer PRIMARY KEY, name text NOT NULL,"
        " applied_at timestamptz NOT NULL DEFAULT now());"
        "SET LOCAL search_path TO nodex");
    std::string version;  // looked at again: another process may have been here
    if (status) status = read_version(connection, version);
    if (status)
        status = apply_after(connection, static_cast<int>(parse_decimal(version).value_or(0)));
    if (status) return connection.execute("COMMIT");
    if (connection.open())
        if (const Status undone = connection.execute("ROLLBACK"); !undone) connection.close();
    return status;
}

}  // namespace

Status ensure_schema(PgConnection& connection, SchemaPolicy policy, std::string& problem) {
    std::string version;
    if (const Status read = read_version(connection, version); !read) return read;
    const int found = version.empty() ? 0 : static_cast<int>(parse_decimal(version).value_or(0));
    if (found == migrations_count) return {};
    const bool may_change =
        policy == SchemaPolicy::migrate || (policy == SchemaPolicy::create && version.empty());
    if (found > migrations_count || !may_change) {
        problem = "the database has schema version " + std::to_string(found) +
                  " and this program knows version " + std::to_string(migrations_count) +
                  (found > migrations_count ? ": install the newer program"
                                            : ": run nodex-central --migrate once");
        return Error{ErrorCode::bad_configuration, ErrorSource::storage};
    }
    return migrate(connection);
}

}  // namespace nodex::replication
