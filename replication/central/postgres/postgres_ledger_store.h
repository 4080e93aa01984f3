// PostgresLedgerStore: the ledger's tables in PostgreSQL, for any number of centre processes.
//
// Order among writers: a writer's transaction first locks the one row of `ledger_writer`. Every
// batch of settlements ends in the head row (its chain runs over all rows of all POPs) and in the
// house's accounts, so two writers could overlap in nothing but their reads; one lock taken first
// costs no concurrency that there was, and nothing can deadlock. Readers take no lock and see one
// moment.
//
// The store does not fail for good when the connection does: the call answers unavailable, later
// calls connect again, at growing distance. Whether a COMMIT was carried out whose answer did not
// come is not known and not guessed: a repetition finds out, because it waits for the writer's
// lock.
#pragma once
#include <memory>
#include <string>

#include "edge/base/clock.h"
#include "replication/central/ledger_store.h"
#include "replication/central/postgres/pg_connection.h"
#include "replication/central/postgres/schema.h"

namespace nodex::replication {

class PostgresLedgerStore final : public LedgerStore {
  public:
    // Connects, looks at the server's settings, makes or checks the schema. Nothing and a sentence
    // for the operator in `problem`: the URL is refused, the server cannot be reached or would not
    // keep what it commits, another schema. `clock` outlives the store.
    static std::unique_ptr<PostgresLedgerStore> open(const std::string& url, SchemaPolicy policy,
                                                     Clock& clock, std::string& problem);
    ~PostgresLedgerStore() override;

    Status begin(LedgerAccess access) noexcept override;
    void abort() noexcept override;
    Status commit(const LedgerBatch& batch) noexcept override;
    Result<std::optional<std::string>> get(LedgerTable table, Bytes key) noexcept override;
    Status get_many(std::span<const LedgerPlace> places,
                    const std::function<void(std::size_t index, std::optional<Bytes> value)>&
                        visit) noexcept override;
    Status scan(LedgerTable table, Bytes from, Bytes to,
                const std::function<bool(Bytes key, Bytes value)>& visit) noexcept override;

    [[nodiscard]] bool connected() const noexcept { return connection_.open(); }

  private:
    // Of the transaction.
    enum class Phase : std::uint8_t {
        none,
        announced,  // begin() was called; it goes out with the first question
        open,
        failed,  // answers its error until it is ended
    };
    struct Statements;

    PostgresLedgerStore(DatabaseTarget target, Clock& clock);
    void enter(Phase next) noexcept;
    // To the first place that will do, beginning behind the one that served last: what was lost
    // there may be a server that accepts connections and says nothing, or a primary that is none
    // any more.
    Status connect(SchemaPolicy policy, std::string& problem);
    Status connect_to(const DatabaseTarget::Place& place, SchemaPolicy policy,
                      std::string& problem);
    Status check_server(std::string& problem);
    // Connected, or not now.
    Status ensure_connected();
    // Runs the calls, behind a BEGIN that is still owed.
    Status run(std::vector<PgCall> calls,
               const std::function<void(std::size_t index, PgRows rows)>& visit);
    Status fail(Error error);
    void roll_back() noexcept;

    const DatabaseTarget target_;
    Clock& clock_;
    PgConnection connection_;
    std::unique_ptr<const Statements> statements_;
    Phase phase_ = Phase::none;
    LedgerAccess access_ = LedgerAccess::read;
    Error failure_{};
    bool committing_ = false;  // COMMIT is on its way: its outcome may become unknown
    std::size_t first_place_ = 0;
    Nanoseconds next_attempt_ns_ = 0;
    Nanoseconds backoff_ns_ = 0;
};

}  // namespace nodex::replication
