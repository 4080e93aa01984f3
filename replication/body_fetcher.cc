// BodyFetcher: see the header.
#include "replication/body_fetcher.h"

#include <algorithm>
#include <memory>

#include "edge/base/limits.h"
#include "edge/crypto/crypto.h"
#include "storage/keyspace.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds fetch_timeout = 3 * second;

FetchedBody outcome_of(BodyOutcome outcome) {
    FetchedBody body;
    body.outcome = outcome;
    return body;
}

BodyOutcome why_closed(const Error& error) noexcept {
    switch (error.code) {
        case ErrorCode::unavailable: return BodyOutcome::key_away;
        case ErrorCode::forbidden: return BodyOutcome::shredded;
        default: return BodyOutcome::damaged;
    }
}

}  // namespace

Result<BodyReply> read_body(const BodyRequest& request, storage::Store& store) {
    BodyReply reply;
    const auto row = store.get(storage::Family::dek, storage::dek_key(request.body).view());
    if (!row) return row.error();
    if (!row->has_value()) return reply;
    const auto key = storage::decode_body_key(**row);
    if (!key) return key.error();
    reply.key_record = std::string(key->key_record);
    const std::size_t bytes_max = std::min<std::size_t>(request.bytes_max, limits::read_bytes_max);
    std::size_t bytes = 0;
    for (std::uint32_t number = request.from_chunk; bytes < bytes_max; ++number) {
        auto chunk =
            store.get(storage::Family::body, storage::body_key(request.body, number).view());
        if (!chunk) return chunk.error();
        if (!chunk->has_value()) break;
        bytes += (*chunk)->size();
        reply.chunks.push_back(std::move(**chunk));
    }
    return reply;
}

BodyFetcher::BodyFetcher(PopLink& link, PeerLink& peers, const PeerRoster& roster,
                         CommitPort& commits, Clock& clock, storage::Vault* vault)
    : link_(link), peers_(peers), roster_(roster), commits_(commits), clock_(clock), vault_(vault) {
    peers_.serve(MessageType::body_request,
                 [this](PopId, Bytes payload, const PeerLink::Answer& answer) {
                     const Result<BodyRequest> request = decode_body_request(payload);
                     if (!request) return;
                     look(*request, [answer](const Result<BodyReply>& reply) {
                         if (reply) answer(encode(*reply));
                     });
                 });
}

void BodyFetcher::look(const BodyRequest& request, std::function<void(Result<BodyReply>)> done) {
    const auto reply = std::make_shared<Result<BodyReply>>(BodyReply{});
    commits_.call(
        [reply, request](storage::Journal&, storage::Store& store, storage::Batch&) -> Status {
            *reply = read_body(request, store);
            return *reply ? Status{} : Status(reply->error());
        },
        [reply, done = std::move(done)](const Status& status) {
            done(status ? std::move(*reply) : Result<BodyReply>(status.error()));
        },
        CommitPort::Durable::reads);
}

void BodyFetcher::fetch(const ReferenceRequest& request, BodyKind kind, Done done) {
    if (fetches_.size() >= limits::body_fetches_max) return done(outcome_of(BodyOutcome::busy));
    const std::uint64_t number = ++last_number_;
    Fetch& fetch = fetches_[number];
    fetch.kind = kind;
    fetch.done = std::move(done);
    fetch.until_ns = clock_.now_ns() + limits::body_fetch_deadline;
    link_.request("reference", MessageType::reference_request, encode(request),
                  fetch_timeout, [this, number](const Result<std::string>& payload) {
                      referred(number, payload);
                  });
}

void BodyFetcher::referred(std::uint64_t number, const Result<std::string>& payload) {
    const auto found = fetches_.find(number);
    if (found == fetches_.end()) return;
    const Result<ReferenceReply> reply =
        payload ? decode_reference_reply(*payload) : Result<ReferenceReply>(payload.error());
    if (!reply) return finish(number, outcome_of(BodyOutcome::unavailable));
    if (reply->refused) return finish(number, outcome_of(BodyOutcome::refused));
    if (reply->state == ReferenceState::unknown)
        return finish(number, outcome_of(BodyOutcome::unknown));
    if (reply->state == ReferenceState::deleted)
        return finish(number, outcome_of(BodyOutcome::deleted));
    Fetch& fetch = found->second;
    fetch.account = reply->account;
    fetch.owner = reply->owner;
    fetch.body = fetch.kind == BodyKind::answer ? reply->answer : reply->sent;
    if (fetch.body.id.is_zero()) return finish(number, outcome_of(BodyOutcome::absent));
    if (fetch.body.expires_ms <= clock_.wall_ms())
        return finish(number, outcome_of(BodyOutcome::unknown));
    if (fetch.body.bytes > limits::body_fetch_bytes_max)
        return finish(number, outcome_of(BodyOutcome::too_large));
    begin(number, fetch.owner);
}

void BodyFetcher::begin(std::uint64_t number, PopId holder) {
    Fetch& fetch = fetches_.find(number)->second;
    fetch.holder = holder;
    fetch.key_record.clear();
    fetch.chunks.clear();
    fetch.bytes = 0;
    read_on(number);
}

void BodyFetcher::read_on(std::uint64_t number) {
    const Fetch& fetch = fetches_.find(number)->second;
    const BodyRequest request{fetch.body.id, static_cast<std::uint32_t>(fetch.chunks.size()),
                              static_cast<std::uint32_t>(limits::read_bytes_max)};
    if (fetch.holder == link_.pop())
        return look(request, [this, number](Result<BodyReply> reply) {
            read_done(number, std::move(reply));
        });
    const bool known =
        peers_.request(fetch.holder, "body", MessageType::body_request, encode(request),
                       fetch_timeout, [this, number](const Result<std::string>& payload) {
                           read_done(number, payload ? decode_body_reply(*payload)
                                                     : Result<BodyReply>(payload.error()));
                       });
    if (!known) next_holder(number, BodyOutcome::away);
}

void BodyFetcher::read_done(std::uint64_t number, Result<BodyReply> reply) {
    const auto found = fetches_.find(number);
    if (found == fetches_.end()) return;
    Fetch& fetch = found->second;
    if (!reply) return next_holder(number, BodyOutcome::away);
    if (reply->key_record.empty()) return next_holder(number, BodyOutcome::gone);
    fetch.key_record = std::move(reply->key_record);
    for (std::string& chunk : reply->chunks) {
        fetch.bytes += chunk.size();
        fetch.chunks.push_back(std::move(chunk));
    }
    if (fetch.bytes > fetch.body.bytes) return open_whole(number);  // another body: damaged
    if (fetch.bytes == fetch.body.bytes) return open_whole(number);
    if (reply->chunks.empty()) return next_holder(number, BodyOutcome::gone);
    read_on(number);
}

// The owner, then who keeps its copies: those only of answers, and not of all.
void BodyFetcher::next_holder(std::uint64_t number, BodyOutcome otherwise) {
    const Fetch& fetch = fetches_.find(number)->second;
    const PopId buddy = roster_.buddy_of(fetch.owner);
    if (fetch.holder == fetch.owner && otherwise == BodyOutcome::away && buddy != PopId{})
        return begin(number, buddy);
    // A buddy without a copy says nothing of the owner's.
    const bool only_copy = fetch.holder != fetch.owner;
    FetchedBody body = outcome_of(only_copy ? BodyOutcome::away : otherwise);
    body.holder = fetch.holder;
    finish(number, std::move(body));
}

void BodyFetcher::open_whole(std::uint64_t number) {
    const Fetch& fetch = fetches_.find(number)->second;
    FetchedBody body = outcome_of(BodyOutcome::damaged);
    body.holder = fetch.holder;
    crypto::Sha256Stream digest;
    for (const std::string& chunk : fetch.chunks) digest.update(chunk);
    if (fetch.bytes != fetch.body.bytes || digest.finish() != fetch.body.digest.octets)
        return finish(number, std::move(body));
    if (vault_ == nullptr) return finish(number, outcome_of(BodyOutcome::unavailable));
    const auto reader = vault_->open_body(fetch.account, fetch.body.id, fetch.key_record);
    if (!reader) {
        body.outcome = why_closed(reader.error());
        return finish(number, std::move(body));
    }
    for (std::uint32_t chunk = 0; chunk < fetch.chunks.size(); ++chunk) {
        const bool last = chunk + 1 == fetch.chunks.size();
        body.complete = reader->open(chunk, last, fetch.chunks[chunk], body.text).has_value();
        // An answer that a crash cut off has no chunk that is marked as the last one.
        const bool opened =
            body.complete ||
            (last && reader->open(chunk, false, fetch.chunks[chunk], body.text).has_value());
        if (!opened) {
            body.text.clear();
            return finish(number, std::move(body));
        }
    }
    body.outcome = BodyOutcome::read;
    finish(number, std::move(body));
}

void BodyFetcher::tick() {
    const Nanoseconds now = clock_.now_ns();
    std::vector<std::uint64_t> late;
    for (const auto& [number, fetch] : fetches_)
        if (fetch.until_ns <= now) late.push_back(number);
    for (const std::uint64_t number : late) finish(number, outcome_of(BodyOutcome::away));
}

void BodyFetcher::stop() {
    while (!fetches_.empty()) finish(fetches_.begin()->first, outcome_of(BodyOutcome::unavailable));
}

void BodyFetcher::finish(std::uint64_t number, FetchedBody body) {
    const auto found = fetches_.find(number);
    const Done done = std::move(found->second.done);
    fetches_.erase(found);
    done(std::move(body));
}

}  // namespace nodex::replication
