// PgConnection: libpq without blocking, under deadlines of our own: a frozen server must not freeze
// the centre.
#include "replication/central/postgres/pg_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <cerrno>
#include <memory>

#include "edge/base/codec.h"
#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "replication/central/ledger_store.h"

namespace nodex::replication {
namespace {

constexpr int binary = 1;
constexpr std::uint32_t bytea_oid = 17;

struct ClearResult {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using ResultPtr = std::unique_ptr<PGresult, ClearResult>;

// What an SQLSTATE means for the verb (PostgreSQL manual, appendix A).
Error meaning_of(Bytes state) noexcept {
    if (state == "40001" || state == "40P01") return ledger_conflict();
    const Bytes group = state.substr(0, 2);
    const bool passes = state == "40003" ||  // whether it was committed is not known
                        state == "25006" ||  // a standby: the primary is elsewhere now
                        state == "25P03" ||  // we were frozen and idle for too long
                        state == "55P03" ||  // another writer holds the lock
                        group == "08" ||     // connection
                        group == "53" ||     // out of space, memory or connections
                        group == "57" ||     // cancelled, shutting down, starting
                        group == "58";       // input and output of the server's system
    if (passes) return ledger_unavailable();
    return {ErrorCode::storage_failed, ErrorSource::storage};
}

// After these the session is of no use.
bool ends_session(Bytes state) noexcept {
    return state == "25006" || state == "25P03" || state.starts_with("08") ||
           state.starts_with("57P");
}

}  // namespace

int PgRows::rows() const noexcept {
    return PQntuples(result_);
}
Bytes PgRows::command() const noexcept {
    return PQcmdStatus(const_cast<PGresult*>(result_));  // libpq only reads it
}
Bytes PgRows::value(int row, int column) const noexcept {
    return {PQgetvalue(result_, row, column),
            static_cast<std::size_t>(PQgetlength(result_, row, column))};
}

std::string encode_bytea_array(std::span<const Bytes> elements) {
    std::string array;
    std::size_t bytes = 20;
    for (const Bytes element : elements) bytes += 4 + element.size();
    array.reserve(bytes);
    append_ordered<std::uint32_t>(array, elements.empty() ? 0 : 1);  // dimensions
    append_ordered<std::uint32_t>(array, 0);                         // no NULLs
    append_ordered(array, bytea_oid);
    if (elements.empty()) return array;
    append_ordered(array, static_cast<std::uint32_t>(elements.size()));
    append_ordered<std::uint32_t>(array, 1);  // lower bound
    for (const Bytes element : elements) {
        append_ordered(array, static_cast<std::uint32_t>(element.size()));
        array.append(element);
    }
    return array;
}

void PgConnection::on_notice(void* self, const PGresult* notice) {
    const char* severity = PQresultErrorField(notice, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (severity == nullptr || Bytes(severity) != "WARNING") return;
    static_cast<PgConnection*>(self)->warned_ = true;
    const char* text = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    log::warning("database_warning", {{"text", Bytes(text == nullptr ? "" : text)}});
}

void PgConnection::close() noexcept {
    if (connection_ != nullptr) PQfinish(connection_);
    connection_ = nullptr;
}

Error PgConnection::lost() {
    const char* text = connection_ == nullptr ? "" : PQerrorMessage(connection_);
    if (*text != '\0') problem_ = text;
    while (!problem_.empty() && problem_.back() == '\n') problem_.pop_back();
    close();
    return ledger_unavailable();
}

Status PgConnection::wait(bool for_write, Nanoseconds deadline) {
    for (;;) {
        const Nanoseconds left = deadline - clock_.now_ns();
        if (left <= 0) {
            problem_ = "the server did not answer in time";
            close();
            return ledger_unavailable();
        }
        pollfd descriptor{PQsocket(connection_),
                          static_cast<short>(for_write ? POLLIN | POLLOUT : POLLIN), 0};
        const int ready =
            ::poll(&descriptor, 1, static_cast<int>((left + millisecond - 1) / millisecond));
        if (ready > 0) return {};
        if (ready < 0 && errno != EINTR) return lost();
    }
}

Status PgConnection::connect(const DatabaseTarget& target, const DatabaseTarget::Place& place) {
    close();
    problem_.clear();
    std::vector<const char*> keywords = {"host", "port"};
    std::vector<const char*> values = {place.host.c_str(), place.port.c_str()};
    for (const auto& [keyword, value] : target.parameters) {
        keywords.push_back(keyword.c_str());
        values.push_back(value.c_str());
    }
    keywords.push_back(nullptr);
    values.push_back(nullptr);
    connection_ = PQconnectStartParams(keywords.data(), values.data(), 0);
    if (connection_ == nullptr) return lost();
    PQsetNoticeReceiver(connection_, &PgConnection::on_notice, this);
    const Nanoseconds deadline = clock_.now_ns() + limits::database_connect_timeout;
    PostgresPollingStatusType wanted = PGRES_POLLING_WRITING;
    while (PQstatus(connection_) != CONNECTION_BAD && wanted != PGRES_POLLING_OK &&
           wanted != PGRES_POLLING_FAILED) {
        pollfd descriptor{PQsocket(connection_),
                          static_cast<short>(wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT),
                          0};
        const Nanoseconds left = deadline - clock_.now_ns();
        const int ready =
            left <= 0
                ? 0
                : ::poll(&descriptor, 1, static_cast<int>((left + millisecond - 1) / millisecond));
        if (ready == 0) {
            problem_ = "the server did not answer in time";
            close();
            return ledger_unavailable();
        }
        wanted = PQconnectPoll(connection_);
    }
    if (PQstatus(connection_) != CONNECTION_OK) return lost();
    NX_ASSERT(PQsslInUse(connection_) == 0);
    if (PQsetnonblocking(connection_, 1) != 0) return lost();
    return {};
}

Status PgConnection::flush(Nanoseconds deadline) {
    for (;;) {
        const int left = PQflush(connection_);
        if (left == 0) return {};
        if (left < 0) return lost();
        if (const Status ready = wait(true, deadline); !ready) return ready;
        // The server may be blocked on answers that nobody reads.
        if (PQconsumeInput(connection_) == 0) return lost();
    }
}

Result<PGresult*> PgConnection::next_result(Nanoseconds deadline) {
    while (PQisBusy(connection_) != 0) {
        if (const Status ready = wait(false, deadline); !ready) return ready.error();
        if (PQconsumeInput(connection_) == 0) return lost();
    }
    return PQgetResult(connection_);
}

Error PgConnection::refusal_of(const PGresult* result) {
    const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const Bytes state = field == nullptr ? "08006" : Bytes(field);  // libpq's own: the link is gone
    // The primary message alone: details would quote rows.
    const char* text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    problem_ = text == nullptr ? "the connection was lost" : text;
    const Error error = meaning_of(state);
    if (!is_conflict(error))
        log::warning("database_refused", {{"sqlstate", state}, {"text", Bytes(problem_)}});
    if (ends_session(state)) close();
    return error;
}

Status PgConnection::execute(const char* sql, std::string* text, Nanoseconds patience) {
    NX_ASSERT(open());
    if (text != nullptr) text->clear();
    const Nanoseconds deadline = clock_.now_ns() + patience;
    if (PQsendQuery(connection_, sql) == 0) return lost();
    if (const Status sent = flush(deadline); !sent) return sent;
    Status outcome;
    for (;;) {
        Result<PGresult*> next = next_result(deadline);
        if (!next) return next.error();
        const ResultPtr result(*next);
        if (!result) return outcome;
        const ExecStatusType status = PQresultStatus(result.get());
        if (status == PGRES_TUPLES_OK && text != nullptr && PQntuples(result.get()) > 0)
            *text = PQgetvalue(result.get(), 0, 0);
        if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
            outcome = refusal_of(result.get());
            if (!open()) return outcome;
        }
    }
}

Status PgConnection::enter_pipeline() {
    return PQenterPipelineMode(connection_) == 1 ? Status{} : Status(lost());
}

// Answers of `count` statements and of the synchronisation behind them. Each statement's results
// end with a null; after an error the rest is only "aborted".
Status PgConnection::collect(std::size_t count, Nanoseconds deadline,
                             const std::function<void(std::size_t, PgRows)>& visit) {
    Status outcome;
    for (std::size_t index = 0;;) {
        Result<PGresult*> next = next_result(deadline);
        if (!next) return next.error();
        const ResultPtr result(*next);
        if (!result) {
            if (PQstatus(connection_) == CONNECTION_BAD) return lost();
            ++index;
            NX_ASSERT(index <= count);
            continue;
        }
        switch (PQresultStatus(result.get())) {
            case PGRES_PIPELINE_SYNC: return outcome;
            case PGRES_PIPELINE_ABORTED: break;
            case PGRES_COMMAND_OK:
            case PGRES_TUPLES_OK:
                if (visit) visit(index, PgRows(result.get()));
                break;
            default:
                if (outcome) outcome = refusal_of(result.get());
                if (!open()) return outcome;
        }
    }
}

Status PgConnection::prepare(std::span<const Statement> statements) {
    const Nanoseconds deadline = clock_.now_ns() + limits::database_answer_timeout;
    for (const Statement& statement : statements)
        if (PQsendPrepare(connection_, statement.name, statement.sql, 0, nullptr) == 0)
            return lost();
    if (PQpipelineSync(connection_) == 0) return lost();
    if (const Status sent = flush(deadline); !sent) return sent;
    return collect(statements.size(), deadline, {});
}

Status PgConnection::run(std::span<const PgCall> calls,
                         const std::function<void(std::size_t, PgRows)>& visit) {
    NX_ASSERT(open());
    warned_ = false;
    const Nanoseconds deadline = clock_.now_ns() + limits::database_answer_timeout;
    std::vector<const char*> values;
    std::vector<int> lengths;
    std::vector<int> formats;
    for (const PgCall& call : calls) {
        values.clear();
        lengths.clear();
        for (const std::string& parameter : call.parameters) {
            values.push_back(parameter.data());
            lengths.push_back(static_cast<int>(parameter.size()));
        }
        formats.assign(call.parameters.size(), binary);
        if (PQsendQueryPrepared(connection_, call.statement,
                                static_cast<int>(call.parameters.size()), values.data(),
                                lengths.data(), formats.data(), binary) == 0)
            return lost();
    }
    if (PQpipelineSync(connection_) == 0) return lost();
    if (const Status sent = flush(deadline); !sent) return sent;
    return collect(calls.size(), deadline, visit);
}

}  // namespace nodex::replication
