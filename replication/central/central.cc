// Central: opens messages, hands them to the ledger or to Queries, seals the answers. A message
// whose MAC is not its sender's is dropped without an answer.
#include "replication/central/central.h"

#include <map>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "replication/body_messages.h"
#include "replication/central/body_key_service.h"
#include "replication/central/central_stats.h"
#include "replication/central/ledger.h"
#include "replication/central/queries.h"
#include "replication/central/seldom.h"
#include "replication/messages.h"
#include "replication/pair_keys.h"

namespace nodex::replication {
namespace {

constexpr unsigned reclaim_scopes_per_tick = 256;
constexpr unsigned sweep_claims_per_tick = 256;
constexpr unsigned sweep_references_per_tick = 256;
constexpr unsigned rotation_ticks = 10;       // a look at body keys every second
constexpr unsigned rotations_per_look = 256;  // a million accounts in about an hour
constexpr Bytes rpc_prefix = "nx.v1.rpc.";
// Between two looks at the clock: more, or less than nothing, and this process has not listened (it
// was frozen, waited for its store, or the clock was set).
constexpr std::int64_t attention_gap_ms = limits::pop_contact_interval / millisecond;
// How far ahead of our clock a POP's epoch is believed: a stolen link key may not use epochs up.
constexpr std::uint64_t epoch_lead_max_s = 86'400;

QueryReply not_carried_out() {
    return {503, R"({"error":{"code":"unavailable","message":"not carried out"}})"};
}

}  // namespace

struct Central::State {
    State(LedgerStore& store, TransportServer& transport_server, Clock& time,
          Random& central_random, CentralOptions given)
        : server(transport_server),
          clock(time),
          random(central_random),
          options(std::move(given)),
          ledger(store, options.planted_bug, options.lease_term, options.ship_pieces),
          body_keys(ledger, central_random),
          queries(ledger, central_random, options.key_hash_secret, &body_keys),
          commands(ledger, queries, central_random, options.commanders) {}

    TransportServer& server;
    Clock& clock;
    Random& random;
    CentralOptions options;
    Ledger ledger;
    BodyKeyService body_keys;
    Queries queries;
    Commands commands;
    unsigned ticks = 0;
    std::int64_t attended_ms = 0;  // the last look at the clock; 0: none yet
    std::uint64_t epoch = 1;
    std::uint64_t published_version = 0;  // of the feed
    CentralStats stats;
    // How often a POP gave cause to say it. Only POPs with a link key are here.
    using Times = std::map<PopId, std::uint64_t>;
    Times greeted;
    bool failed = false;  // for good

    const crypto::SecretKey* link_key(PopId pop) const noexcept {
        for (const auto& [id, key] : options.link_keys)
            if (id == pop) return &key;
        return nullptr;
    }

    void refuse(std::optional<PopId> sender, Error error) {
        const std::uint64_t refused_total =
            count(error.code == ErrorCode::not_found   ? CentralStats::Refusal::unknown_pop
                  : error.code == ErrorCode::forbidden ? CentralStats::Refusal::wrong_mac
                                                       : CentralStats::Refusal::malformed);
        if (!is_told(refused_total)) return;
        log::warning("central_refused_message",
                     {{"error", error},
                      {"pop", sender ? raw(*sender) : 0},
                      {"refused_total", refused_total},
                      {"advice",
                       "not_found: this POP is not in [[pop]]; forbidden: its link_key "
                       "is another one"}});
    }
    // For good, unless the store only cannot be reached now: then nothing is answered, the sender
    // asks again, and what had been committed is found.
    void fail(Error error) {
        if (is_unavailable(error)) {
            stats.unanswered.fetch_add(1, std::memory_order_relaxed);
            return;
        }
        if (!failed) log::error("central_failed", {{"error", error}});
        failed = true;
    }
    // Of the ledger: its answer, or nothing when the message is refused or the store failed.
    template <class Reply>
    std::optional<std::string> payload_of(Result<Reply> reply) {
        if (reply) return encode(*reply);
        if (reply.error().source == ErrorSource::storage)
            fail(reply.error());
        else
            count(CentralStats::Refusal::stale);
        return std::nullopt;
    }
    std::optional<std::string> malformed() {
        count(CentralStats::Refusal::malformed);
        return std::nullopt;
    }
    // How many for that reason.
    std::uint64_t count(CentralStats::Refusal reason) {
        return stats.refused[raw(reason)].fetch_add(1, std::memory_order_relaxed) + 1;
    }
    void count_settlements(const Result<ShipReply>& reply);
    void note_epoch(std::uint64_t now);
    Result<ReferenceReply> where_are_bodies(const RequestId& request);
    void tell_pops();

    void attend();
    void handle(Bytes subject, Bytes message, const TransportServer::Respond& respond);
    std::optional<std::string> answer(const OpenedMessage& message, Bytes subject,
                                      MessageType& type);
    std::optional<std::string> answer_service(const OpenedMessage& message, Bytes subject,
                                              MessageType& type);
    std::optional<std::string> answer_ship(const Envelope& from, const Result<ShipRequest>& request,
                                           std::int64_t now_ms);
    std::optional<std::string> answer_claims(const Envelope& from, Bytes payload,
                                             std::int64_t now_ms);
    std::optional<std::string> answer_query(const Envelope& from, Bytes subject, Bytes payload);
    [[nodiscard]] Commands::Bearer bearer_of(const Envelope& from) const noexcept {
        return {from.pop, from.protocol, from.epoch > epoch, clock.wall_ms()};
    }
    Result<QueryReply> command(const Envelope& from, Bytes topic, const QueryRequest& request);
    std::optional<std::string> answer_reference(const Envelope& from, Bytes payload);
    [[nodiscard]] static bool is_command(Bytes subject) noexcept {
        return subject.ends_with(".admin") || subject.ends_with(".sealed");
    }
    [[nodiscard]] static bool is_admin(const Envelope& from, Bytes subject) noexcept {
        return from.type == MessageType::query_request && is_command(subject);
    }
    void publish_changes();
    void greet(const Envelope& from);
    void read_epoch();
    bool is_older_than(const Envelope& from);
    [[nodiscard]] bool must_register_first(const Envelope& from) const noexcept;
    static std::string nothing_but_epoch(MessageType& type);
};

// The answer's payload, and its type. Nothing: not answered.
std::optional<std::string> Central::State::answer(const OpenedMessage& message, Bytes subject,
                                                  MessageType& type) {
    const std::int64_t now_ms = clock.wall_ms();
    const Envelope& from = message.envelope;
    switch (from.type) {
        case MessageType::register_request: {
            type = MessageType::register_reply;
            const Result<RegisterRequest> request = decode_register_request(message.payload);
            if (!request) return malformed();
            greet(from);
            return payload_of(ledger.register_pop(from.pop, *request, now_ms));
        }
        case MessageType::lease_request: {
            type = MessageType::lease_reply;
            const Result<LeaseRequest> request = decode_lease_request(message.payload);
            if (!request) return malformed();
            return payload_of(ledger.lease(from.pop, from.incarnation, *request, now_ms));
        }
        case MessageType::ship_request: {
            type = MessageType::ship_reply;
            return answer_ship(from, decode_ship_request(message.payload), now_ms);
        }
        case MessageType::packed_ship_request: {
            type = MessageType::packed_ship_reply;
            return answer_ship(from, decode_packed_ship_request(message.payload), now_ms);
        }
        case MessageType::feed_request: {
            type = MessageType::feed_reply;
            const Result<FeedRequest> request = decode_feed_request(message.payload);
            if (!request) return malformed();
            return payload_of(ledger.feed(request->from));
        }
        case MessageType::claim_request:
            type = MessageType::claim_reply;
            return answer_claims(from, message.payload, now_ms);
        default: return answer_service(message, subject, type);
    }
}

// What moves no money.
std::optional<std::string> Central::State::answer_service(const OpenedMessage& message,
                                                          Bytes subject, MessageType& type) {
    const std::int64_t now_ms = clock.wall_ms();
    const Envelope& from = message.envelope;
    switch (from.type) {
        case MessageType::body_key_request: {
            type = MessageType::body_key_reply;
            const Result<BodyKeyRequest> request = decode_body_key_request(message.payload);
            if (!request) return malformed();
            return payload_of(body_keys.answer(from.pop, *link_key(from.pop), *request, now_ms));
        }
        case MessageType::peers_request:
            type = MessageType::peers_reply;
            return encode(peers_of(from.pop, options.link_keys, random));
        case MessageType::report_request: {
            type = MessageType::report_reply;
            const Result<PopReport> report = decode_pop_report(message.payload);
            if (!report) return malformed();
            return payload_of(
                ledger.report(from.pop, from.incarnation, from.epoch, *report, now_ms));
        }
        case MessageType::reference_request:
            type = MessageType::reference_reply;
            return answer_reference(from, message.payload);
        case MessageType::query_request:
            type = MessageType::query_reply;
            return answer_query(from, subject, message.payload);
        default: break;
    }
    return malformed();
}

std::optional<std::string> Central::State::answer_ship(const Envelope& from,
                                                       const Result<ShipRequest>& request,
                                                       std::int64_t now_ms) {
    if (!request) return malformed();
    Result<ShipReply> reply = ledger.ship(from.pop, from.incarnation, *request, now_ms);
    count_settlements(reply);
    return payload_of(std::move(reply));
}

void Central::State::count_settlements(const Result<ShipReply>& reply) {
    if (!reply) return;
    constexpr auto relaxed = std::memory_order_relaxed;
    const Ledger::SettlementCounts& counts = ledger.settlement_counts();
    stats.batches.fetch_add(1, relaxed);
    if (reply->rejected != 0) stats.rejected.fetch_add(1, relaxed);
    stats.charges.store(counts.charges, relaxed);
    stats.duplicates.store(counts.duplicates, relaxed);
    stats.repeated_records.store(counts.repeated_records, relaxed);
    stats.repeated_executions.store(counts.repeated_executions, relaxed);
    stats.late_losses.store(counts.late_losses, relaxed);
    stats.overruns.store(counts.overruns, relaxed);
}

// A body's id is what another POP asks for before it hands its chunks over.
std::optional<std::string> Central::State::answer_reference(const Envelope& from, Bytes payload) {
    const Result<ReferenceRequest> request = decode_reference_request(payload);
    if (!request) return malformed();
    const Result<bool> may =
        commands.may_read_body(bearer_of(from), request->request, request->authority);
    if (!may) return payload_of(Result<ReferenceReply>(may.error()));
    if (*may) return payload_of(where_are_bodies(request->request));
    ReferenceReply refusal;
    refusal.refused = true;
    return encode(refusal);
}

Result<ReferenceReply> Central::State::where_are_bodies(const RequestId& request) {
    const Result<std::optional<ledger::Reference>> reference = ledger.reference(request);
    if (!reference) return reference.error();
    ReferenceReply reply;
    if (!*reference) return reply;
    const ledger::Reference& known = **reference;
    reply.state = known.deleted ? ReferenceState::deleted : ReferenceState::known;
    reply.account = known.account;
    reply.owner = known.pop;
    reply.answer = known.answer;
    reply.sent = known.sent;
    return reply;
}

void Central::State::note_epoch(std::uint64_t now) {
    if (now != epoch) {
        log::warning("epoch_changed", {{"epoch", now}});
        stats.epoch_changes.fetch_add(1, std::memory_order_relaxed);
    }
    epoch = now;
    stats.epoch.store(now, std::memory_order_relaxed);
}

void Central::State::tell_pops() {
    Result<std::vector<Ledger::PopView>> pops = ledger.pops(PopId{}, limits::pops_shown_max);
    if (!pops) return fail(pops.error());
    stats.tell_pops(std::move(*pops), clock.wall_ms());
}

// An owner whose key another POP wants is told so: when it does not have that request any more (a
// lost release, a restart) it releases the key, and the next attempt of the client runs.
std::optional<std::string> Central::State::answer_claims(const Envelope& from, Bytes payload,
                                                         std::int64_t now_ms) {
    const Result<ClaimRequest> request = decode_claim_request(payload);
    if (!request) return malformed();
    Result<ClaimReply> reply = ledger.claim(from.pop, from.incarnation, *request, now_ms);
    if (reply)
        for (const ClaimReply::Entry& entry : reply->entries)
            stats.claims[raw(entry.result)].fetch_add(1, std::memory_order_relaxed);
    for (std::size_t i = 0; reply && i < reply->entries.size(); ++i) {
        const ClaimReply::Entry& entry = reply->entries[i];
        const bool wanted =
            entry.result == ClaimResult::held || entry.result == ClaimResult::mismatch;
        const crypto::SecretKey* key = wanted ? link_key(entry.owner) : nullptr;
        if (key == nullptr || entry.owner == from.pop) continue;
        const Envelope envelope{MessageType::claim_hint, entry.owner, 0, epoch, 0};
        const ClaimHint hint{request->entries[i].account, request->entries[i].idempotency,
                             entry.request};
        server.publish("nx.v1.feed." + std::to_string(raw(entry.owner)),
                       seal(envelope, encode(hint), *key));
    }
    return payload_of(std::move(reply));
}

Result<QueryReply> Central::State::command(const Envelope& from, Bytes topic,
                                           const QueryRequest& request) {
    const Commands::Bearer bearer = bearer_of(from);
    return topic == "sealed" ? commands.sealed(bearer, request.json)
                             : commands.plain(bearer, request);
}

std::optional<std::string> Central::State::answer_query(const Envelope& from, Bytes subject,
                                                        Bytes payload) {
    const Result<QueryRequest> request = decode_query_request(payload);
    if (!request) return malformed();
    const Bytes topic = subject.substr(rpc_prefix.size());
    QueryReply reply{404, R"({"error":{"code":"not_found","message":"no such query"}})"};
    if (topic == "admin" || topic == "sealed") {
        Result<QueryReply> done = command(from, topic, *request);
        if (!done) fail(done.error());
        reply = done ? std::move(*done) : not_carried_out();
    }
    if (topic == "balance") reply = queries.balance(request->json);
    if (topic == "usage") reply = queries.usage(request->json);
    if (queries.storage_failed()) fail({ErrorCode::storage_failed, ErrorSource::storage});
    return encode(reply);
}

void Central::State::attend() {
    const std::int64_t now_ms = clock.wall_ms();
    const std::int64_t gap_ms = now_ms - attended_ms;
    if (gap_ms < 0 || gap_ms >= attention_gap_ms) ledger.listens_from(now_ms);
    if (attended_ms != 0) ledger.was_away(attended_ms, now_ms);
    attended_ms = now_ms;
}

void Central::State::handle(Bytes subject, Bytes bytes, const TransportServer::Respond& respond) {
    if (failed) return;
    attend();
    const std::optional<PopId> sender = claimed_sender(bytes);
    const crypto::SecretKey* key = sender ? link_key(*sender) : nullptr;
    if (key == nullptr) return refuse(sender, {ErrorCode::not_found, ErrorSource::central});
    const Result<OpenedMessage> message = open(bytes, *key);
    if (!message) return refuse(sender, message.error());
    // An operator must be able to raise the epoch from a POP, and every POP is in a later one.
    if (is_older_than(message->envelope) && !is_admin(message->envelope, subject)) return;
    Envelope envelope = message->envelope;
    const Nanoseconds began_ns = clock.now_ns();
    const std::optional<std::string> payload = must_register_first(message->envelope)
                                                   ? nothing_but_epoch(envelope.type)
                                                   : answer(*message, subject, envelope.type);
    if (!payload || failed) return;
    stats.verb_ns[raw(CentralStats::verb_of(message->envelope.type))].record(
        static_cast<std::uint64_t>(clock.now_ns() - began_ns));
    envelope.epoch = epoch;
    envelope.protocol = protocol_version;
    respond(seal(envelope, *payload, *key));
    if (is_command(subject) || subject.ends_with(".kek")) publish_changes();
}

// At its first registrations, so that a mixed fleet shows in the log.
void Central::State::greet(const Envelope& from) {
    if (from.protocol == protocol_version || !is_told(++greeted[from.pop])) return;
    const bool newer = from.protocol > protocol_version;
    log::warning("pop_of_another_version",
                 {{"pop", raw(from.pop)},
                  {"pop_protocol", from.protocol},
                  {"protocol", protocol_version},
                  {"advice", newer ? "upgrade the centre: it is to be the first, and may refuse "
                                     "what this POP ships"
                                   : "upgrade this POP"}});
}

// Another process of the centre, or an operator, may have raised it.
void Central::State::read_epoch() {
    const Result<ledger::Head> head = ledger.head();
    if (!head) return fail(head.error());
    note_epoch(head->epoch);
}

// The POP is registered with a later ledger than this one: this process, or its database, is one of
// before a restore, or the epoch was not raised after it.
bool Central::State::is_older_than(const Envelope& from) {
    if (from.epoch <= epoch || options.planted_bug == PlantedBug::accept_old_epoch) return false;
    read_epoch();
    if (from.epoch <= epoch) return false;
    const auto now_s = static_cast<std::uint64_t>(clock.wall_ms() / 1'000);
    if (from.epoch <= now_s + epoch_lead_max_s) queries.saw_epoch(from.epoch);
    if (!is_told(count(CentralStats::Refusal::old_epoch))) return true;
    log::error("central_is_of_an_older_epoch",
               {{"epoch", epoch},
                {"pop", raw(from.pop)},
                {"pop_epoch", from.epoch},
                {"advice", "restored from a backup? nodex admin ledger raise-epoch"}});
    return true;
}

// Registered with the ledger of before a restore: what it asks for or ships is of that ledger.
bool Central::State::must_register_first(const Envelope& from) const noexcept {
    if (from.epoch >= epoch || options.planted_bug == PlantedBug::accept_old_epoch) return false;
    return from.type != MessageType::register_request && from.type != MessageType::query_request;
}

// The envelope tells the epoch, and a POP looks no further.
std::string Central::State::nothing_but_epoch(MessageType& type) {
    type = static_cast<MessageType>(raw(type) + 1);
    return {};
}

// A hint only: what changed is fetched, and a lost hint is noticed at the next heartbeat.
void Central::State::publish_changes() {
    const Result<ledger::Head> head = ledger.head();
    if (!head) return fail(head.error());
    const bool restored = head->epoch != epoch;
    note_epoch(head->epoch);
    stats.feed_version.store(head->feed_version, std::memory_order_relaxed);
    if (head->feed_version == published_version && !restored) return;
    published_version = head->feed_version;
    for (const auto& [pop, key] : options.link_keys) {
        const Envelope envelope{MessageType::feed_hint, pop, 0, epoch, 0};
        const std::string subject = "nx.v1.feed." + std::to_string(raw(pop));
        server.publish(subject, seal(envelope, encode(FeedHint{published_version}), key));
    }
}

Central::Central(LedgerStore& store, TransportServer& server, Clock& clock, Random& random,
                 CentralOptions options)
    : state_(std::make_unique<State>(store, server, clock, random, std::move(options))) {}
Central::~Central() = default;

Status Central::start(bool verify_rows) {
    State& state = *state_;
    const Result<ledger::Head> head = state.ledger.head();
    if (!head) return head.error();
    state.epoch = head->epoch;
    state.published_version = head->feed_version;
    state.stats.epoch.store(head->epoch, std::memory_order_relaxed);
    state.stats.feed_version.store(head->feed_version, std::memory_order_relaxed);
    state.attend();
    if (verify_rows) {
        const Result<LedgerAudit> audit = state.ledger.verify();
        if (!audit) return audit.error();
        if (!audit->sound()) {
            log::error("ledger_unsound", {{"problem", audit->first_problem}});
            return Error{ErrorCode::corrupt, ErrorSource::storage};
        }
        log::info("ledger_verified", {{"rows", audit->rows}, {"accounts", audit->accounts}});
    }
    if (Status keys = state.body_keys.start(state.options.root_key, state.options.root_key_path);
        !keys)
        return keys;
    for (const Bytes topic : {"reg", "lease", "ship", "feed", "claim", "kek", "peers", "report",
                              "reference", "balance", "usage", "admin", "sealed"})
        state.server.serve(
            std::string(rpc_prefix) + std::string(topic),
            [&state](Bytes subject, Bytes payload, const TransportServer::Respond& respond) {
                state.handle(subject, payload, respond);
            });
    return {};
}

void Central::tick() {
    if (state_->failed) return;
    state_->attend();
    const Result<unsigned> closed =
        state_->ledger.reclaim(state_->clock.wall_ms(), reclaim_scopes_per_tick);
    if (!closed) return state_->fail(closed.error());
    if (*closed > 0) log::info("leases_reclaimed", {{"count", *closed}});
    state_->stats.leases_reclaimed.fetch_add(*closed, std::memory_order_relaxed);
    const Result<unsigned> swept =
        state_->ledger.sweep_claims(state_->clock.wall_ms(), sweep_claims_per_tick);
    if (!swept) return state_->fail(swept.error());
    const Result<unsigned> gone =
        state_->ledger.sweep_references(state_->clock.wall_ms(), sweep_references_per_tick);
    if (!gone) return state_->fail(gone.error());
    if (++state_->ticks % rotation_ticks != 0) return;
    state_->read_epoch();
    state_->tell_pops();
    const Result<unsigned> rotated =
        state_->body_keys.rotate_outdated(state_->clock.wall_ms(), rotations_per_look);
    if (!rotated) return state_->fail(rotated.error());
    if (*rotated > 0) state_->publish_changes();
}

void Central::replace_pops(LinkKeys keys, Commanders commanders) {
    state_->options.link_keys = std::move(keys);
    state_->commands.take_from(std::move(commanders));
}

const CentralStats& Central::stats() const noexcept {
    return state_->stats;
}

bool Central::failed() const noexcept {
    return state_->failed;
}

}  // namespace nodex::replication
