// Journal: claims, reservations, answers and stream logs over Store. Outbox and lease rows:
// outbox.h, lease_table.h. One operation never fails half way: everything that can refuse is asked
// before memory or the batch changes.
#include "storage/journal.h"

#include <algorithm>
#include <unordered_map>

#include "edge/base/log.h"
#include "edge/crypto/crypto.h"
#include "storage/id_hashes.h"
#include "storage/keyspace.h"
#include "storage/lease_table.h"
#include "storage/outbox.h"

namespace nodex::storage {
namespace {

// Another account's equal key is another claim: the account is part of the identity.
struct ClaimId {
    AccountId account{};
    IdempotencyId idempotency;
    bool operator==(const ClaimId&) const noexcept = default;
};
struct ClaimIdHash {
    std::size_t operator()(const ClaimId& id) const noexcept {
        return OpaqueHash{}(id.idempotency) ^ (raw(id.account) * 0x9e3779b97f4a7c15u);
    }
};

struct Running {
    ClaimId claim;
    Fingerprint fingerprint;
    Owner owner;
};

ClaimOutcome compare(const Running& running, const RequestId& request_id,
                     const Fingerprint& fingerprint) {
    ClaimOutcome outcome;
    outcome.verdict =
        running.fingerprint == fingerprint ? ClaimVerdict::running : ClaimVerdict::mismatch;
    outcome.owner = running.owner;
    outcome.running_request = request_id;
    return outcome;
}

bool keyed(const ClaimId& claim) noexcept {
    return !claim.idempotency.is_zero();
}

}  // namespace

struct Journal::State {
    explicit State(Store& the_store) noexcept : store(the_store) {}

    // Batches are told apart by their emptiness: the caller writes one and clears it before the
    // next. What was remembered only because the store could not show it yet is forgotten then.
    void enter(const Batch& batch) {
        if (batch.number() == batch_number) return;
        batch_number = batch.number();
        unwritten_answers.clear();
        unwritten_key_records.clear();
    }
    Result<std::optional<Answer>> find_answer(const ClaimId& claim, const Batch& batch) const;
    Result<std::string> find_key_record(const BodyId& body, const Batch& batch) const;
    void forget(std::unordered_map<RequestId, Running, RequestIdHash>::iterator running,
                Batch& batch);

    Store& store;
    InstallId install_id;
    std::vector<OpenRequest> recovered;
    std::unordered_map<RequestId, Running, RequestIdHash> running;
    std::unordered_map<ClaimId, RequestId, ClaimIdHash> claims;  // of the running ones
    LeaseTable leases;
    Outbox outbox;
    std::uint64_t batch_number = 0;  // Batch::number() of the one that is being filled
    std::int64_t latest_ms = 0;  // the newest time a claim came with: stamps key records
    std::unordered_map<ClaimId, std::size_t, ClaimIdHash>
        unwritten_answers;  // index of the batch's change
    std::unordered_map<BodyId, std::size_t, OpaqueHash> unwritten_key_records;  // same
    std::string encoded;                                                        // scratch
};

Journal::Journal() = default;
Journal::~Journal() = default;

namespace {

Result<InstallId> load_install_id(Store& store, Random& random) {
    const auto stored = store.get(Family::meta, meta_key::install);
    if (!stored) return stored.error();
    if (stored->has_value()) {
        if ((*stored)->size() != InstallId::size)
            return Error{ErrorCode::corrupt, ErrorSource::storage};
        return InstallId::from(**stored);
    }
    InstallId made;
    random.fill(made.octets.data(), made.octets.size());
    Batch batch;
    batch.put(Family::meta, meta_key::install, made.view());
    // Synced: an install id that the centre has seen must not be made a second time after a power
    // loss.
    const Status written = store.write(batch, Durability::power);
    if (!written) return written.error();
    return made;
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(Store& store) {
    return open(store, crypto::secure_random());
}

Result<std::unique_ptr<Journal>> Journal::open(Store& store, Random& random) {
    std::unique_ptr<Journal> journal(new Journal);
    journal->state_ = std::make_unique<State>(store);
    State& state = *journal->state_;
    const auto install_id = load_install_id(store, random);
    if (!install_id) return install_id.error();
    state.install_id = *install_id;
    if (const Status opened = state.leases.open(store); !opened) return opened.error();
    if (const Status opened = state.outbox.open(store); !opened) return opened.error();

    Status verdict;
    const Status scanned =
        store.scan(Family::open, {}, {}, [&state, &verdict](Bytes key, Bytes value) {
            const auto request = decode_open_request(value);
            if (!request || request->request_id.view() != key) {
                verdict = Error{ErrorCode::corrupt, ErrorSource::storage};
                log::error("open_request_corrupt", {{"request_id", to_hex(key)}});
                return false;
            }
            const ClaimId claim{request->account, request->idempotency};
            state.running.emplace(request->request_id, Running{claim, request->fingerprint, {}});
            if (keyed(claim)) state.claims.emplace(claim, request->request_id);
            state.recovered.push_back(*request);
            return true;
        });
    if (!scanned) return scanned.error();
    if (!verdict) return verdict.error();
    return journal;
}

const std::vector<OpenRequest>& Journal::recovered() const noexcept {
    return state_->recovered;
}
InstallId Journal::install_id() const noexcept {
    return state_->install_id;
}
std::size_t Journal::open_count() const noexcept {
    return state_->running.size();
}

Result<std::optional<Answer>> Journal::State::find_answer(const ClaimId& claim,
                                                          const Batch& batch) const {
    const auto decode = [](Bytes bytes) -> Result<std::optional<Answer>> {
        auto answer = decode_answer(bytes);
        if (!answer) return answer.error();
        return std::optional<Answer>(std::move(*answer));
    };
    if (const auto found = unwritten_answers.find(claim); found != unwritten_answers.end())
        return decode(batch.change(found->second).value);
    const auto stored = store.get(Family::idem, idem_key(claim.account, claim.idempotency).view());
    if (!stored) return stored.error();
    if (!stored->has_value()) return std::optional<Answer>();
    return decode(**stored);
}

Result<std::string> Journal::State::find_key_record(const BodyId& body, const Batch& batch) const {
    std::string row;
    if (const auto found = unwritten_key_records.find(body); found != unwritten_key_records.end()) {
        row = batch.change(found->second).value;
    } else {
        auto stored = store.get(Family::dek, dek_key(body).view());
        if (!stored) return stored.error();
        if (!stored->has_value()) return std::string();
        row = std::move(**stored);
    }
    const auto decoded = decode_body_key(row);
    if (!decoded) return decoded.error();
    return std::string(decoded->key_record);
}

Result<ClaimOutcome> Journal::look_up(const OpenRequest& request, std::int64_t now_ms,
                                      const Batch& batch) {
    State& state = *state_;
    state.enter(batch);
    ClaimOutcome outcome;
    const ClaimId claim{request.account, request.idempotency};
    if (!keyed(claim)) return outcome;
    if (const auto found = state.claims.find(claim); found != state.claims.end())
        return compare(state.running.find(found->second)->second, found->second,
                       request.fingerprint);
    auto answer = state.find_answer(claim, batch);
    if (!answer) return answer.error();
    if (!answer->has_value() || (*answer)->expires_ms <= now_ms) return outcome;
    if ((*answer)->fingerprint != request.fingerprint) {
        outcome.verdict = ClaimVerdict::mismatch;
        return outcome;
    }
    auto key_record = state.find_key_record((*answer)->answer, batch);
    if (!key_record) return key_record.error();
    outcome.verdict = ClaimVerdict::finished;
    outcome.answer = std::move(*answer);
    outcome.key_record = std::move(*key_record);
    return outcome;
}

Result<ClaimOutcome> Journal::claim(const OpenRequest& request, Owner owner, std::int64_t now_ms,
                                    Batch& batch) {
    State& state = *state_;
    NX_ASSERT(!state.running.contains(request.request_id));
    NX_ASSERT(request.reservation.amount >= 0);
    auto outcome = look_up(request, now_ms, batch);
    if (!outcome || outcome->verdict != ClaimVerdict::granted) return outcome;
    state.latest_ms = std::max(state.latest_ms, now_ms);
    const ClaimId claim{request.account, request.idempotency};
    state.running.emplace(request.request_id, Running{claim, request.fingerprint, owner});
    if (keyed(claim)) state.claims.emplace(claim, request.request_id);
    state.encoded.clear();
    encode(request, state.encoded);
    batch.put(Family::open, open_key(request.request_id).view(), state.encoded);
    return outcome;
}

void Journal::append_chunk(BodyId body, std::uint32_t number, Bytes sealed, Bytes key_record,
                           Batch& batch) {
    State& state = *state_;
    state.enter(batch);
    batch.put(Family::body, body_key(body, number).view(), sealed);
    if (key_record.empty()) return;
    state.encoded.clear();
    encode(BodyKey{state.latest_ms, key_record}, state.encoded);
    state.unwritten_key_records.insert_or_assign(body, batch.count());
    batch.put(Family::dek, dek_key(body).view(), state.encoded);
}

void Journal::State::forget(std::unordered_map<RequestId, Running, RequestIdHash>::iterator entry,
                            Batch& batch) {
    batch.erase(Family::open, open_key(entry->first).view());
    if (keyed(entry->second.claim)) claims.erase(entry->second.claim);
    running.erase(entry);
}

Status Journal::finish(const Finish& finish, Batch& batch) {
    State& state = *state_;
    state.enter(batch);
    const auto entry = state.running.find(finish.request_id);
    if (entry == state.running.end()) return Error{ErrorCode::not_found, ErrorSource::self};
    const ClaimId claim = entry->second.claim;
    NX_ASSERT(finish.answer.request_id == finish.request_id);
    NX_ASSERT(finish.answer.fingerprint == entry->second.fingerprint);
    if (finish.settlement) {
        const Settlement& settlement = *finish.settlement;
        NX_ASSERT(settlement.request_id == finish.request_id);
        NX_ASSERT(settlement.account == claim.account);
        NX_ASSERT(settlement.amount >= 0 && settlement.amount <= settlement.reservation.amount);
        const Scope account{Scope::Kind::account, raw(settlement.account)};
        const Scope key{Scope::Kind::key, raw(settlement.key)};
        const Reservation& held = settlement.reservation;
        const auto can =
            state.leases.can_settle(account, held.account_generation, settlement.amount);
        if (!can) return can;
        if (held.key_generation != 0) {
            const auto can_key =
                state.leases.can_settle(key, held.key_generation, settlement.amount);
            if (!can_key) return can_key;
        }
        if (held.account_generation != 0)
            state.leases.settle(account, held.account_generation, settlement.amount,
                                state.batch_number, batch);
        if (held.key_generation != 0)
            state.leases.settle(key, held.key_generation, settlement.amount, state.batch_number,
                                batch);
        state.outbox.append(settlement, batch);
    }
    if (keyed(claim)) {
        state.encoded.clear();
        encode(finish.answer, state.encoded);
        state.unwritten_answers.insert_or_assign(claim, batch.count());
        batch.put(Family::idem, idem_key(claim.account, claim.idempotency).view(), state.encoded);
    }
    state.forget(entry, batch);
    return {};
}

Status Journal::release(const RequestId& request_id, Batch& batch) {
    State& state = *state_;
    state.enter(batch);
    const auto entry = state.running.find(request_id);
    if (entry == state.running.end()) return Error{ErrorCode::not_found, ErrorSource::self};
    state.forget(entry, batch);
    return {};
}

void Journal::reassign(const RequestId& request_id, Owner owner) {
    const auto entry = state_->running.find(request_id);
    NX_ASSERT(entry != state_->running.end());
    entry->second.owner = owner;
}

Result<std::vector<Journal::OutboxEntry>> Journal::read_outbox(std::uint64_t first_sequence,
                                                               unsigned records_max,
                                                               std::size_t bytes_max) {
    return state_->outbox.read(state_->store, first_sequence, records_max, bytes_max);
}

Status Journal::truncate_outbox(std::uint64_t sequence, std::int64_t now_ms, Batch& batch) {
    state_->enter(batch);
    return state_->outbox.truncate(state_->store, sequence, now_ms, batch);
}

Status Journal::rewind_outbox(std::uint64_t sequence, Batch& batch) {
    state_->enter(batch);
    return state_->outbox.rewind(state_->store, sequence, batch);
}

Journal::OutboxBounds Journal::outbox() const noexcept {
    return state_->outbox.bounds();
}
std::optional<LeaseCounters> Journal::lease(const Scope& scope) const noexcept {
    return state_->leases.find(scope);
}

std::vector<Journal::Scope> Journal::lease_scopes() const {
    return state_->leases.scopes();
}

void Journal::set_lease(const Scope& scope, const LeaseCounters& counters, Batch& batch) {
    state_->enter(batch);
    state_->leases.set(scope, counters, state_->batch_number, batch);
}

}  // namespace nodex::storage
