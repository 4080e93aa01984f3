// PgConnection: one libpq connection in pipeline mode, with a deadline on everything: statements go
// out together and their answers come back in order, so a transaction's step costs one round trip.
// Binary parameters and results. One thread. A connection that failed is closed and stays so until
// connect().
#pragma once
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/clock.h"
#include "edge/base/limits.h"
#include "edge/base/result.h"
#include "replication/central/postgres/database_target.h"

struct pg_conn;  // libpq's, which speaks of PGconn and PGresult
struct pg_result;

namespace nodex::replication {

// A row set; borrowed, valid inside the visitor it is given to.
class PgRows {
  public:
    explicit PgRows(const pg_result* result) noexcept : result_(result) {}
    [[nodiscard]] int rows() const noexcept;
    [[nodiscard]] Bytes command() const noexcept;  // its tag, as "COMMIT"
    // Not of a NULL.
    [[nodiscard]] Bytes value(int row, int column) const noexcept;

  private:
    const pg_result* result_;
};

// A prepared statement and its parameters.
struct PgCall {
    const char* statement = "";  // outlives the call
    std::vector<std::string> parameters;
};

// {key, key...} as PostgreSQL's binary bytea[] (src/backend/utils/adt/arrayfuncs.c, array_recv).
std::string encode_bytea_array(std::span<const Bytes> elements);

class PgConnection {
  public:
    explicit PgConnection(Clock& clock) noexcept : clock_(clock) {}
    ~PgConnection() { close(); }
    PgConnection(const PgConnection&) = delete;
    PgConnection& operator=(const PgConnection&) = delete;

    // unavailable(storage) within limits::database_connect_timeout. last_problem() says why.
    Status connect(const DatabaseTarget& target, const DatabaseTarget::Place& place);
    void close() noexcept;
    [[nodiscard]] bool open() const noexcept { return connection_ != nullptr; }

    // Before enter_pipeline(): SQL text of any number of statements. `text` gets the first column
    // of the first row of the last one, "" without. `patience`: until the server is given up.
    Status execute(const char* sql, std::string* text = nullptr,
                   Nanoseconds patience = limits::database_answer_timeout);
    // From here on only prepare() and run().
    Status enter_pipeline();
    struct Statement {
        const char* name;
        const char* sql;
    };
    Status prepare(std::span<const Statement> statements);

    // Sends all calls at once and visits the answers in order, until one fails; those behind it
    // were not carried out. Errors are LedgerStore's: a conflict, unavailable (the connection is
    // closed then, unless the server only refused), storage_failed for what no repetition can mend.
    Status run(std::span<const PgCall> calls,
               const std::function<void(std::size_t index, PgRows rows)>& visit = {});

    // The server warned during the last run(). At a COMMIT that means that the standby was not
    // waited for.
    [[nodiscard]] bool warned() const noexcept { return warned_; }
    [[nodiscard]] const std::string& last_problem() const noexcept { return problem_; }

  private:
    static void on_notice(void* self, const pg_result* notice);
    Status wait(bool for_write, Nanoseconds deadline);
    Status flush(Nanoseconds deadline);
    // The next result, null at the end of a statement's; lost connections are the error.
    Result<pg_result*> next_result(Nanoseconds deadline);
    Status collect(std::size_t count, Nanoseconds deadline,
                   const std::function<void(std::size_t index, PgRows rows)>& visit);
    Error refusal_of(const pg_result* result);
    Error lost();

    Clock& clock_;
    pg_conn* connection_ = nullptr;
    std::string problem_;
    bool warned_ = false;
};

}  // namespace nodex::replication
