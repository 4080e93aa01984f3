// Recovery: read what was logged, price it, end the request.
#include "storage/recovery.h"

#include <algorithm>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "storage/keyspace.h"

namespace nodex::storage {
namespace {

// What the log holds of one answer.
struct Logged {
    std::uint32_t chunks_count = 0;  // readable ones, from the first
    bool any = false;                // a chunk exists, readable or not
    bool unreadable = false;         // one could not be opened: the log ends before it
    std::string body;                // plaintext of the readable ones
    crypto::Sha256Stream digest;     // over them as they are stored
    SealedBody sealed;
};

// Nothing: the key record or the account's key is not here, so that no chunk can be opened. A key of our
// own that has yet to come again (its row was taken away with a lost node key) cannot be waited for: the
// centre is asked after this.
Result<std::optional<BodyReader>> open_body(const OpenRequest& request, Store& store,
                                            const Vault& vault, SealedBody& sealed) {
    const auto row = store.get(Family::dek, dek_key(request.answer).view());
    if (!row) return row.error();
    if (!row->has_value()) return std::optional<BodyReader>();
    const auto key = decode_body_key(**row);
    if (!key) return std::optional<BodyReader>();
    sealed.kek_version = Vault::version_of(key->key_record).value_or(0);
    auto reader = vault.open_body(request.account, request.answer, key->key_record);
    if (!reader) return std::optional<BodyReader>();
    return std::optional<BodyReader>(std::move(*reader));
}

// A running answer's chunks are sealed as "not the last", but for the very end of one whose finish
// was lost.
bool open_chunk(const BodyReader& reader, std::uint32_t number, Bytes sealed, std::string& body) {
    return reader.open(number, false, sealed, body).has_value() ||
           reader.open(number, true, sealed, body).has_value();
}

Result<Logged> read_log(const OpenRequest& request, Store& store, const Vault& vault) {
    Logged logged;
    std::optional<BodyReader> reader;
    while (logged.body.size() < limits::answer_bytes_max) {
        const auto sealed =
            store.get(Family::body, body_key(request.answer, logged.chunks_count).view());
        if (!sealed) return sealed.error();
        if (!sealed->has_value()) break;
        if (!logged.any) {
            logged.any = true;
            auto opened = open_body(request, store, vault, logged.sealed);
            if (!opened) return opened.error();
            reader = std::move(*opened);
        }
        if (!reader || !open_chunk(*reader, logged.chunks_count, **sealed, logged.body)) {
            logged.unreadable = true;
            break;
        }
        ++logged.chunks_count;
        logged.digest.update(**sealed);
        logged.sealed.bytes += (*sealed)->size();
    }
    if (logged.chunks_count == 0) return logged;
    logged.sealed.id = request.answer;
    logged.sealed.digest = BodyDigest::from(crypto::view(logged.digest.finish()));
    return logged;
}

// ceil((input * price + output * price) / price_unit); a negative price cannot have been written by
// us.
Result<Nano> cost_of(const OpenRequest& request, std::uint64_t output_units) {
    if (request.input_price < 0 || request.output_price < 0 || request.reservation.amount < 0)
        return Error{ErrorCode::corrupt, ErrorSource::storage};
    constexpr std::uint64_t units_max = std::uint64_t{1}
                                        << 62;  // two products of it and a price fit 128 bits
    const auto input = static_cast<Wide>(std::min(request.input_units_estimate, units_max));
    const auto output = static_cast<Wide>(std::min(output_units, units_max));
    const auto cost = round_up_price(input * request.input_price + output * request.output_price);
    return cost.has_value() ? *cost : INT64_MAX;  // the reservation caps it
}

Finish finish_of(const OpenRequest& request, const Logged& logged, const Delivered& delivered,
                 Nano cost, const RecoveryOptions& options) {
    const Nano amount = std::min(cost, request.reservation.amount);
    Finish finish;
    finish.request_id = request.request_id;
    finish.answer = {.request_id = request.request_id,
                     .fingerprint = request.fingerprint,
                     .session = request.session,
                     .status = 200,  // the head was sent before the first chunk
                     .stream = request.stream,
                     .complete = false,
                     .content_type = request.stream ? "text/event-stream" : "application/json",
                     .answer = request.answer,
                     .chunks_count = logged.chunks_count,
                     .events_count = delivered.events,
                     .body_bytes = logged.body.size(),
                     .charged = amount,
                     .created_ms = request.created_ms,
                     .expires_ms = options.now_ms + options.answer_lifetime_ms};
    Settlement settlement;
    settlement.request_id = request.request_id;
    settlement.account = request.account;
    settlement.key = request.key;
    settlement.idempotency = request.idempotency;
    settlement.reservation = request.reservation;
    settlement.amount = amount;
    settlement.overrun = cost - amount;
    settlement.model = request.model;
    settlement.units[static_cast<std::size_t>(Unit::input)] = request.input_units_estimate;
    settlement.units[static_cast<std::size_t>(Unit::output)] = delivered.output_units;
    settlement.usage_source = UsageSource::counted;
    settlement.outcome = Outcome::upstream_lost;
    settlement.status = 200;
    settlement.answer = request.answer;
    settlement.answer_bytes = logged.body.size();
    settlement.created_ms = request.created_ms;
    settlement.settled_ms = options.now_ms;
    settlement.session = request.session;
    settlement.sealed_answer = logged.sealed;
    settlement.sealed_answer.expires_ms = finish.answer.expires_ms;
    finish.settlement = settlement;
    return finish;
}

Status recover_one(const OpenRequest& request, Journal& journal, Store& store, const Vault& vault,
                   const RecoveryOptions& options, Batch& batch, RecoverySummary& summary) {
    const std::string id = to_hex(request.request_id.view());
    auto logged = read_log(request, store, vault);
    if (!logged) return logged.error();
    if (!logged->any) {
        const Status released = journal.release(request.request_id, batch);
        if (!released) return released;
        ++summary.released;
        log::info("recovery_released", {{"request_id", id}, {"account", raw(request.account)}});
        return {};
    }
    const Delivered delivered = options.count(logged->body, request);
    const auto cost = cost_of(request, delivered.output_units);
    if (!cost) return cost.error();
    const Finish finish = finish_of(request, *logged, delivered, *cost, options);
    const Status finished = journal.finish(finish, batch);
    if (!finished) return finished;
    ++summary.settled;
    summary.unreadable += logged->unreadable;
    const auto charged = add_nano(summary.charged, finish.answer.charged);
    if (!charged) return charged.error();
    summary.charged = *charged;
    log::info("recovery_settled", {{"request_id", id},
                                   {"account", raw(request.account)},
                                   {"charged_nano", finish.answer.charged},
                                   {"output_units", delivered.output_units},
                                   {"chunks", logged->chunks_count},
                                   {"unreadable", logged->unreadable ? 1 : 0}});
    return {};
}

}  // namespace

Delivered count_four_bytes_a_unit(Bytes body, const OpenRequest& request) {
    Delivered delivered;
    if (!request.stream) {
        delivered.output_units = (body.size() + 3) / 4;
        return delivered;
    }
    constexpr Bytes data = "data:", id = "id:";
    std::uint64_t payload_bytes = 0;
    bool has_id = false;  // the event that is being read
    while (!body.empty()) {
        const std::size_t end = body.find('\n');
        Bytes line = body.substr(0, end);
        body.remove_prefix(end == Bytes::npos ? body.size() : end + 1);
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.starts_with(data)) payload_bytes += line.size() - data.size();
        if (line.starts_with(id)) has_id = true;
        if (line.empty() && end != Bytes::npos) delivered.events += std::exchange(has_id, false);
    }
    delivered.output_units = (payload_bytes + 3) / 4;
    return delivered;
}

Result<RecoverySummary> recover(Journal& journal, Store& store, const Vault& vault,
                                const RecoveryOptions& options) {
    RecoverySummary summary;
    Batch batch;
    for (const OpenRequest& request : journal.recovered()) {
        const Status ended = recover_one(request, journal, store, vault, options, batch, summary);
        if (!ended) return ended.error();
        if (batch.bytes() < limits::commit_batch_bytes_max) continue;
        if (const Status written = store.write(batch, options.durability); !written)
            return written.error();
        batch.clear();
    }
    if (!batch.empty())
        if (const Status written = store.write(batch, options.durability); !written)
            return written.error();
    log::info("recovery_done", {{"released", summary.released},
                                {"settled", summary.settled},
                                {"unreadable", summary.unreadable},
                                {"charged_nano", summary.charged}});
    return summary;
}

}  // namespace nodex::storage
