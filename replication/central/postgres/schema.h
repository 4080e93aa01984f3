// The database's schema: numbered SQL files (migrations/), compiled in. One transaction brings a
// database from its version to ours, under an advisory lock, so that two processes that start at
// once do it once.
#pragma once
#include <string>

#include "replication/central/postgres/pg_connection.h"

namespace nodex::replication {

struct Migration {
    int version;  // the file's number, contiguous from 1
    const char* name;
    const char* sql;
};
// Generated from migrations/*.sql.
extern const Migration migrations[];
extern const int migrations_count;

enum class SchemaPolicy : std::uint8_t {
    create,   // makes it in an empty database; another version than ours is refused
    migrate,  // and brings an older one to ours
    check,    // only looks
};

// Before enter_pipeline(). bad_configuration(storage) and a sentence in `problem` when the version
// is not ours and may not be changed; else PgConnection's errors.
Status ensure_schema(PgConnection& connection, SchemaPolicy policy, std::string& problem);

}  // namespace nodex::replication
