// purge_database(): body keys that were destroyed in the ledger leave the files of its table. A row
// that was replaced stays in PostgreSQL's file until it is vacuumed, and its octets until something
// is written over them: only a rewrite (VACUUM FULL) gives the table a new file. What the server
// keeps besides (write-ahead log, backups, standbys, free blocks of the disk) is its operator's:
// deploy/postgresql.md.
#pragma once
#include <string>

#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex::replication {

// One pass, over a connection of its own, made and closed each minute: a new backend for some
// milliseconds, where a connection that is kept would hold one of the server's places all day for a
// query that nearly always finds nothing, and would have to be given up in every failover. The
// ledger's connection does not do: VACUUM FULL may take minutes, under timeouts of its own. How many
// destructions have left the file: 0 without any, while the database cannot be reached, and while
// somebody's snapshot is older than a destruction (the rewrite would carry the old row over for it;
// log line "purge_waits" once that has lasted for limits::purge_patience). Errors are PgConnection's.
// Any number of processes, any thread; blocks.
Result<unsigned> purge_database(const std::string& url, Clock& clock);

}  // namespace nodex::replication
