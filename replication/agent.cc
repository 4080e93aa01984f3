// Agent: the thread around AgentCore, and the way of operations to it and back.
#include "replication/agent.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "edge/base/limits.h"
#include "edge/base/thread_role.h"
#include "replication/agent_core.h"
#include "replication/thread_commit_port.h"
#include "replication/thread_mailbox.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds busy_tick = 5 * millisecond;  // a request waits
constexpr Nanoseconds quiet_tick = 100 * millisecond;
constexpr Nanoseconds farewell = 2 * second;  // to ship the rest at stop()
constexpr Nanoseconds query_timeout = 5 * second;

}  // namespace

struct Agent::State {
    State(Transport& given_transport, storage::CommitThread& given_commits, storage::Vault& vault,
          Clock& given_clock, Random& random, const AgentOptions& given)
        : transport(given_transport),
          commits(given_commits),
          clock(given_clock),
          options(given),
          port(commits, mailbox.mailbox()),
          core(transport, port, &vault, clock, random, core_options(given),
               [this](std::shared_ptr<const Directory> next) { publish(std::move(next)); }) {}

    static AgentCore::Options core_options(const AgentOptions& options) {
        return {options.pop,           options.link_key,
                options.heartbeat_ns,  options.ship_delay_ns,
                options.lease_slice,   {options.copies_bytes_max, options.copies_retention_ms},
                options.answer_ttl_ms, PlantedBug::none,
                options.pop_name,      options.version,
                options.copies_awaited, options.batches_packed};
    }

    Transport& transport;
    storage::CommitThread& commits;
    Clock& clock;
    const AgentOptions options;
    ThreadMailbox mailbox;
    ThreadCommitPort port;
    AgentCore core;
    AgentStats stats;
    std::thread thread;
    bool driven = false;  // by run_once(): there is no thread
    std::atomic<bool> stopping{false};
    std::atomic<std::uint32_t> incarnation{0};
    bool listening = false;                // for what the commit thread appends
    std::vector<AgentOperation*> queries;  // sent and not answered; agent's thread
    std::uint64_t last_number = 0;         // of a question; same
    // What this turn has answered, a chain a loop: one reply of the centre answers the claims of many
    // requests, and each wake-up of a loop beside us on its processor would be two changes of threads.
    std::vector<std::pair<Mailbox*, MailChain>> answers;
    bool outbox_awaited = false;           // same

    std::mutex mutex;  // guards what follows
    std::condition_variable state_changed;
    std::shared_ptr<const Directory> directory;
    std::function<void(std::shared_ptr<const Directory>)> changed;
    bool refused = false;

    void publish(std::shared_ptr<const Directory> next);
    void run();
    void begin();
    void turn(Nanoseconds wait_ns);
    [[nodiscard]] Nanoseconds patience();
    void tell_stats();
    void tell_peer_stats();
    void begin_ask(LeaseAsk& ask);
    void begin_claim(ClaimAsk& claim);
    void begin_query(CentralQuery& query);
    void begin_read(RemoteRead& read);
    void begin_fetch(BodyFetch& fetch);
    void begin_copy(CopyAsk& copy);
    std::uint64_t next_number() noexcept;
    void answer(Mailbox& reply_to, Mail& mail);
    void post_answers() noexcept;
    void query_done(CentralQuery& query, Result<std::string> payload);
    void finish_all();
    void outbox_grew() noexcept {
        outbox_awaited = false;
        core.outbox_grew();
    }
    void await_outbox();
    void appended() noexcept { core.appended(commits.appends().take()); }
    void listen_for_peers();
};

// The two legs of an operation's mail.
struct AgentAccess {
    static void run(Mail& mail) noexcept {
        AgentOperation& operation = static_cast<AgentOperation::Link&>(mail).operation;
        if (operation.agent_ == nullptr) {
            operation.in_flight_ = false;
            const storage::OperationDone done = operation.done_;
            return done.run(done.owner);  // may destroy the operation
        }
        auto& agent = *static_cast<Agent::State*>(operation.agent_);
        if (operation.kind_ == AgentOperation::Kind::ask)
            return agent.begin_ask(static_cast<LeaseAsk&>(operation));
        if (operation.kind_ == AgentOperation::Kind::read)
            return agent.begin_read(static_cast<RemoteRead&>(operation));
        if (operation.kind_ == AgentOperation::Kind::claim)
            return agent.begin_claim(static_cast<ClaimAsk&>(operation));
        if (operation.kind_ == AgentOperation::Kind::fetch)
            return agent.begin_fetch(static_cast<BodyFetch&>(operation));
        if (operation.kind_ == AgentOperation::Kind::copy)
            return agent.begin_copy(static_cast<CopyAsk&>(operation));
        agent.begin_query(static_cast<CentralQuery&>(operation));
    }
    static void send(AgentOperation& operation, Agent::State& agent, Mailbox& reply_to,
                     storage::OperationDone done) {
        NX_ASSERT(!operation.in_flight_);
        operation.in_flight_ = true;
        operation.agent_ = &agent;
        operation.reply_to_ = &reply_to;
        operation.done_ = done;
        agent.mailbox.mailbox().post(operation.link_);
    }
    static void send_back(AgentOperation& operation) {
        NX_ASSERT(operation.in_flight_ && operation.agent_ != nullptr);
        auto& agent = *static_cast<Agent::State*>(std::exchange(operation.agent_, nullptr));
        agent.answer(*operation.reply_to_, operation.link_);
    }
};

AgentOperation::AgentOperation(Kind kind) noexcept : link_(&AgentAccess::run, *this), kind_(kind) {}

void Agent::State::answer(Mailbox& reply_to, Mail& mail) {
    const auto found =
        std::find_if(answers.begin(), answers.end(),
                     [&reply_to](const auto& each) { return each.first == &reply_to; });
    auto& entry =
        found == answers.end() ? answers.emplace_back(&reply_to, MailChain()) : *found;
    entry.second.add(mail);
}

// The mailboxes may be gone as soon as their mail has been read.
void Agent::State::post_answers() noexcept {
    for (auto& [reply_to, chain] : answers) reply_to->post(chain);
    answers.clear();
}

void Agent::State::publish(std::shared_ptr<const Directory> next) {
    std::function<void(std::shared_ptr<const Directory>)> tell;
    incarnation.store(core.link().incarnation(),
                      std::memory_order_relaxed);  // before start() returns
    {
        const std::lock_guard lock(mutex);
        directory = next;
        tell = changed;
    }
    state_changed.notify_all();
    if (tell) tell(std::move(next));
}

void Agent::State::begin_ask(LeaseAsk& ask) {
    NX_ASSERT(ask.account != nullptr);
    stats.lease_asks.fetch_add(1, std::memory_order_relaxed);
    const std::optional<LeaseKey> key =
        ask.key == nullptr ? std::optional<LeaseKey>{} : ask.key->scope();
    core.leases().ask(ask.account->scope(), key, ask.amount,
                      [&ask](AskVerdict verdict, LeaseScope* account, LeaseScope* key_lease) {
                          switch (verdict) {
                              case AskVerdict::reserved:
                                  ask.verdict = LeaseAsk::Verdict::reserved;
                                  break;
                              case AskVerdict::insufficient_balance:
                                  ask.verdict = LeaseAsk::Verdict::insufficient_balance;
                                  break;
                              case AskVerdict::insufficient_quota:
                                  ask.verdict = LeaseAsk::Verdict::insufficient_quota;
                                  break;
                              case AskVerdict::unavailable:
                                  ask.verdict = LeaseAsk::Verdict::unavailable;
                                  break;
                          }
                          if (verdict == AskVerdict::reserved) {
                              ask.account = account;
                              ask.key = key_lease;
                          }
                          AgentAccess::send_back(ask);
                      });
}

namespace {

void take_word(ClaimAsk& claim, const std::optional<ClaimReply::Entry>& word) {
    using Verdict = ClaimAsk::Verdict;
    claim.verdict = Verdict::unavailable;
    if (!word) return;
    switch (word->result) {
        case ClaimResult::granted: claim.verdict = Verdict::granted; return;
        case ClaimResult::free: claim.verdict = Verdict::free; return;
        case ClaimResult::mismatch: claim.verdict = Verdict::mismatch; return;
        case ClaimResult::refused: return;  // an account the centre does not know: no word at all
        case ClaimResult::held:
        case ClaimResult::done: break;
    }
    claim.verdict = Verdict::elsewhere;
    claim.owner = {word->result == ClaimResult::done,
                   word->owner_dead,
                   word->owner,
                   word->incarnation,
                   word->request,
                   word->answer,
                   word->status,
                   word->charged,
                   word->attempt};
}

}  // namespace

void Agent::State::begin_claim(ClaimAsk& claim) {
    if (claim.what == ClaimAsk::What::release) {
        core.claims().release(claim.account, claim.idempotency, claim.request);
        claim.verdict = ClaimAsk::Verdict::free;
        return AgentAccess::send_back(claim);
    }
    const ClaimOp op = claim.what == ClaimAsk::What::acquire ? ClaimOp::acquire : ClaimOp::query;
    core.claims().ask({op, claim.account, claim.idempotency, claim.fingerprint, claim.request, 0},
                      [&claim](const std::optional<ClaimReply::Entry>& word) {
                          take_word(claim, word);
                          AgentAccess::send_back(claim);
                      });
}

void Agent::State::begin_query(CentralQuery& query) {
    query.status = 503;
    query.reply.clear();
    queries.push_back(&query);
    // 12 octets: the length before the JSON and the number behind it.
    if (query.request.size() + 12 > limits::message_bytes_max)
        return query_done(query, Error{ErrorCode::limit_exceeded, ErrorSource::client});
    core.link().request(
        query.subject, MessageType::query_request,
        encode(QueryRequest{query.request, next_number()}), query_timeout,
        [this, &query](Result<std::string> payload) { query_done(query, std::move(payload)); });
}

// Rising over restarts too, as long as the wall clock does not go back.
std::uint64_t Agent::State::next_number() noexcept {
    last_number = std::max(last_number + 1, static_cast<std::uint64_t>(clock.wall_ms()) * 1'000);
    return last_number;
}

void Agent::State::query_done(CentralQuery& query, Result<std::string> payload) {
    const auto found =
        std::find(queries.begin(), queries.end(), static_cast<AgentOperation*>(&query));
    if (found == queries.end()) return;  // ended by stop()
    queries.erase(found);
    Result<QueryReply> reply =
        payload ? decode_query_reply(*payload) : Result<QueryReply>(payload.error());
    if (reply) {
        query.status = reply->status;
        query.reply = std::move(reply->json);
    } else if (reply.error().code == ErrorCode::limit_exceeded) {
        query.status = 413;
    }
    AgentAccess::send_back(query);
}

void Agent::State::begin_read(RemoteRead& read) {
    read.reached = false;
    read.reply = {};
    core.peers().remote().read(read.request, [&read](Result<ReadReply> reply, bool copied) {
        read.copied = copied;
        read.reached = reply.has_value();
        if (reply) read.reply = std::move(*reply);
        AgentAccess::send_back(read);
    });
}

void Agent::State::begin_fetch(BodyFetch& fetch) {
    core.bodies().fetch({fetch.request, fetch.authority}, fetch.kind, [&fetch](FetchedBody body) {
        fetch.body = std::move(body);
        AgentAccess::send_back(fetch);
    });
}

// The news of what is asked for are there: they were recorded before its owner was told.
void Agent::State::begin_copy(CopyAsk& copy) {
    if (listening) appended();
    core.peers().waits().ask(copy.ask, [&copy](CopyWaits::Word word) {
        copy.copied = word == CopyWaits::Word::copied;
        AgentAccess::send_back(copy);
    });
}

// Without other POPs the commit thread need not tell what it writes.
void Agent::State::listen_for_peers() {
    if (listening || !core.peers().wants_news()) return;
    listening = true;
    commits.appends().listen(mailbox.mailbox(), storage::when_done<&State::appended>(this));
}

void Agent::State::tell_peer_stats() {
    PeerService& peers = core.peers();
    constexpr auto relaxed = std::memory_order_relaxed;
    stats.remote_reads.store(peers.remote().reads_count(), relaxed);
    stats.remote_reads_of_copies.store(peers.remote().copies_read_count(), relaxed);
    stats.remote_reads_failed.store(peers.remote().failures_count(), relaxed);
    stats.reads_served.store(peers.reads().served_count(), relaxed);
    stats.copies_finished.store(peers.sender().finished_count(), relaxed);
    stats.copies_dropped.store(peers.sender().dropped_count(), relaxed);
    stats.copies_lag_bytes.store(peers.sender().lag_bytes(), relaxed);
    stats.copies_kept_bytes.store(peers.taker().kept_bytes(), relaxed);
    stats.copy_waits_copied.store(peers.waits().copied_count(), relaxed);
    stats.copy_waits_alone.store(peers.waits().alone_count(), relaxed);
    stats.copy_waits_behind.store(peers.waits().behind() ? 1 : 0, relaxed);
    stats.copy_messages_dropped.store(peers.taker().dropped_count(), relaxed);
    stats.peer_messages_refused.store(peers.link().refused_count(), relaxed);
    stats.peers.store(peers.roster().count(), relaxed);
}

void Agent::State::tell_stats() {
    const Shipper& shipper = core.shipper();
    stats.shipped_records.store(shipper.shipped_count(), std::memory_order_relaxed);
    stats.applied_records.store(shipper.applied(), std::memory_order_relaxed);
    stats.ship_failures.store(shipper.failures_count(), std::memory_order_relaxed);
    const std::uint64_t last =
        std::max(shipper.last(), commits.stats().outbox_last.load(std::memory_order_relaxed));
    const std::uint64_t applied = std::max(shipper.applied(), core.outbox().applied());
    stats.outbox_depth.store(last - std::min(last, applied), std::memory_order_relaxed);
    stats.lag_ms.store(core.outbox().lag_ms(), std::memory_order_relaxed);
    const LeaseKeeper::Totals& leases = core.lease_totals();
    stats.leases.store(leases.leases_count, std::memory_order_relaxed);
    stats.lease_granted.store(leases.granted, std::memory_order_relaxed);
    stats.lease_settled.store(leases.settled, std::memory_order_relaxed);
    stats.lease_headroom.store(leases.headroom, std::memory_order_relaxed);
    stats.bodies_erased.store(core.eraser().destroyed_count(), std::memory_order_relaxed);
    stats.epoch.store(core.link().epoch_max(), std::memory_order_relaxed);
    stats.epoch_changes.store(core.epochs_entered(), std::memory_order_relaxed);
    stats.lease_requests.store(core.leases().requests_sent(), std::memory_order_relaxed);
    stats.claim_requests.store(core.claims().requests_sent(), std::memory_order_relaxed);
    stats.last_contact_ns.store(core.link().last_contact_ns(), std::memory_order_relaxed);
    stats.round_trip_ns.store(core.link().round_trip_ns(), std::memory_order_relaxed);
    incarnation.store(core.link().incarnation(), std::memory_order_relaxed);
    tell_peer_stats();
}

void Agent::State::turn(Nanoseconds wait_ns) {
    mailbox.run(wait_ns);
    transport.expire();
    listen_for_peers();  // before the copies of what runs are begun
    core.tick();
    post_answers();
    await_outbox();
    tell_stats();
    if (core.phase() == AgentCore::Phase::refused && !refused) {
        const std::lock_guard lock(mutex);
        refused = true;
        state_changed.notify_all();
    }
}

// As long as something is left to send, looking again is a tick away: no mail is needed.
void Agent::State::await_outbox() {
    if (outbox_awaited || !core.shipper().caught_up()) return;
    outbox_awaited = commits.await_outbox(core.shipper().last());
    if (!outbox_awaited) core.outbox_grew();
}

void Agent::State::begin() {
    transport.attach(&mailbox.mailbox());
    commits.on_outbox(mailbox.mailbox(), storage::when_done<&State::outbox_grew>(this));
    core.start();
}

// How long to sleep if no mail comes. While a batch gathers there is none (await_outbox()).
Nanoseconds Agent::State::patience() {
    if (core.leases().asks_waiting() > 0 || core.claims().waiting() > 0 || core.peers().busy() ||
        core.bodies().busy())
        return busy_tick;
    if (core.shipper().idle()) return quiet_tick;
    const std::optional<Nanoseconds> due_ns = core.shipper().gathers_until_ns();
    return due_ns ? std::clamp<Nanoseconds>(*due_ns - clock.now_ns(), 0, quiet_tick) : busy_tick;
}

void Agent::State::run() {
    begin_helper_thread("nodex-agent");
    begin();
    while (!stopping.load(std::memory_order_acquire)) turn(patience());
    const Nanoseconds until = clock.now_ns() + farewell;
    while (core.phase() == AgentCore::Phase::registered && !core.shipper().idle() &&
           clock.now_ns() < until)
        turn(busy_tick);
    finish_all();
}

// Nobody is left waiting, and nothing comes back to a mailbox that is gone.
void Agent::State::finish_all() {
    transport.attach(nullptr);
    commits.off_outbox();
    if (listening) commits.appends().stop_listening();
    core.leases().stop();
    core.peers().remote().stop();
    core.peers().waits().stop();
    core.claims().stop();
    core.bodies().stop();
    while (!queries.empty())
        query_done(static_cast<CentralQuery&>(*queries.back()),
                   Error{ErrorCode::unavailable, ErrorSource::central});
    while (port.outstanding() > 0) {
        if (driven) commits.run_once();
        mailbox.run(busy_tick);
    }
    mailbox.run(0);
    post_answers();
}

Agent::Agent(Transport& transport, storage::CommitThread& commits, storage::Journal&,
             storage::Vault& vault, Clock& clock, Random& random, AgentOptions options)
    : state_(std::make_unique<State>(transport, commits, vault, clock, random, options)) {}

Agent::~Agent() {
    stop();
}

Status Agent::start(Nanoseconds timeout_ns) {
    State& state = *state_;
    if (!state.thread.joinable()) state.thread = std::thread([&state] { state.run(); });
    std::unique_lock lock(state.mutex);
    state.state_changed.wait_for(lock, std::chrono::nanoseconds(timeout_ns),
                                 [&state] { return state.directory != nullptr || state.refused; });
    if (state.refused) return Error{ErrorCode::stale, ErrorSource::central};
    if (state.directory == nullptr)
        return Error{ErrorCode::unavailable, ErrorSource::central, true, 0};
    return {};
}

void Agent::run_once() {
    NX_ASSERT(!state_->thread.joinable());
    if (!std::exchange(state_->driven, true)) state_->begin();
    state_->turn(0);
}

void Agent::stop() {
    if (state_->driven) {
        state_->finish_all();
        state_->driven = false;
    }
    if (!state_->thread.joinable()) return;
    state_->stopping.store(true, std::memory_order_release);
    state_->thread.join();
}

void Agent::ask(LeaseAsk& ask, Mailbox& reply_to, storage::OperationDone done) noexcept {
    AgentAccess::send(ask, *state_, reply_to, done);
}

void Agent::query(CentralQuery& query, Mailbox& reply_to, storage::OperationDone done) noexcept {
    AgentAccess::send(query, *state_, reply_to, done);
}

void Agent::read(RemoteRead& read, Mailbox& reply_to, storage::OperationDone done) noexcept {
    AgentAccess::send(read, *state_, reply_to, done);
}

std::shared_ptr<const Directory> Agent::directory() const noexcept {
    const std::lock_guard lock(state_->mutex);
    return state_->directory;
}

void Agent::on_directory(std::function<void(std::shared_ptr<const Directory>)> changed) {
    const std::lock_guard lock(state_->mutex);
    state_->changed = std::move(changed);
}

void Agent::fetch(BodyFetch& fetch, Mailbox& reply_to, storage::OperationDone done) noexcept {
    AgentAccess::send(fetch, *state_, reply_to, done);
}

void Agent::claim(ClaimAsk& claim, Mailbox& reply_to, storage::OperationDone done) noexcept {
    AgentAccess::send(claim, *state_, reply_to, done);
}

void Agent::copy(CopyAsk& copy, Mailbox& reply_to, storage::OperationDone done) noexcept {
    AgentAccess::send(copy, *state_, reply_to, done);
}

AgentStats& Agent::stats() noexcept {
    return state_->stats;
}

std::uint32_t Agent::incarnation() const noexcept {
    return state_->incarnation.load(std::memory_order_relaxed);
}

bool Agent::linked() const noexcept {
    const Nanoseconds contact = state_->stats.last_contact_ns.load(std::memory_order_relaxed);
    return contact != 0 && state_->clock.now_ns() - contact <= 3 * state_->options.heartbeat_ns;
}

}  // namespace nodex::replication
