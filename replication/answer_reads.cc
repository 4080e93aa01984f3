// AnswerReads: see the header.
#include "replication/answer_reads.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "edge/base/limits.h"
#include "storage/keyspace.h"

namespace nodex::replication {
namespace {

using storage::Batch;
using storage::Family;
using storage::Journal;
using storage::Store;

// The sealed chunks from request.from_chunk on, up to `end`, as far as they are there and fit.
Status read_chunks(const ReadRequest& request, std::uint32_t end, Store& store, ReadReply& reply) {
    const std::size_t bytes_max = std::min<std::size_t>(request.bytes_max, limits::read_bytes_max);
    std::size_t bytes = 0;
    for (std::uint32_t number = request.from_chunk; number < end && bytes < bytes_max; ++number) {
        auto chunk = store.get(Family::body, storage::body_key(reply.body, number).view());
        if (!chunk) return chunk.error();
        if (!chunk->has_value()) break;
        bytes += (*chunk)->size();
        reply.chunks.push_back(std::move(**chunk));
    }
    return {};
}

Status read_key_record(Store& store, ReadReply& reply) {
    const auto row = store.get(Family::dek, storage::dek_key(reply.body).view());
    if (!row) return row.error();
    if (!row->has_value()) return {};
    const auto key = storage::decode_body_key(**row);
    if (!key) return key.error();
    reply.key_record = std::string(key->key_record);
    return {};
}

void name(ReadReply& reply, const storage::OpenRequest& open) {
    reply.request = open.request_id;
    reply.session = open.session;
    reply.body = open.answer;
    reply.stream = open.stream;
}

void name(ReadReply& reply, storage::Answer answer) {
    reply.request = answer.request_id;
    reply.session = answer.session;
    reply.body = answer.answer;
    reply.stream = answer.stream;
    reply.chunks_count = answer.chunks_count;
    reply.answer = std::move(answer);
}

bool another_request(const ReadRequest& request, const RequestId& found) noexcept {
    return !request.request.is_zero() && request.request != found;
}

// The numbers of the reads that wait for `id`.
template <class Index, class Id>
void gather(const Index& index, const Id& id, std::vector<std::uint64_t>& numbers) {
    const auto [first, last] = index.equal_range(id);
    for (auto each = first; each != last; ++each) numbers.push_back(each->second);
}

}  // namespace

Result<ReadReply> read_own_answer(const ReadRequest& request, std::int64_t now_ms, Journal& journal,
                                  Store& store, const Batch& batch) {
    ReadReply reply;
    storage::OpenRequest wanted;
    wanted.account = request.account;
    wanted.idempotency = request.idempotency;
    wanted.fingerprint = request.fingerprint;
    auto found = journal.look_up(wanted, now_ms, batch);
    if (!found) return found.error();
    std::uint32_t end = UINT32_MAX;
    switch (found->verdict) {
        case storage::ClaimVerdict::granted: return reply;  // gone
        case storage::ClaimVerdict::mismatch: reply.state = ReadState::mismatch; return reply;
        case storage::ClaimVerdict::running: {
            const auto row =
                store.get(Family::open, storage::open_key(found->running_request).view());
            if (!row) return row.error();
            if (!row->has_value()) return Error{ErrorCode::corrupt, ErrorSource::storage};
            const auto open = storage::decode_open_request(**row);
            if (!open) return open.error();
            reply.state = ReadState::running;
            name(reply, *open);
            break;
        }
        case storage::ClaimVerdict::finished:
            reply.state = ReadState::finished;
            end = found->answer->chunks_count;
            name(reply, std::move(*found->answer));
            break;
    }
    if (another_request(request, reply.request)) return ReadReply{};
    if (const Status read = read_key_record(store, reply); !read) return read.error();
    if (const Status read = read_chunks(request, end, store, reply); !read) return read.error();
    if (reply.state == ReadState::running)
        reply.chunks_count = request.from_chunk + static_cast<std::uint32_t>(reply.chunks.size());
    return reply;
}

Result<ReadReply> read_copied_answer(const ReadRequest& request, std::int64_t now_ms,
                                     std::optional<std::uint64_t> live, Store& store) {
    ReadReply reply;
    auto found = storage::BuddyCopies::find(request.account, request.idempotency, request.owner,
                                            now_ms, store);
    if (!found) return found.error();
    if (!found->has_value()) return reply;
    storage::BuddyCopy& copy = **found;
    if (copy.open.fingerprint != request.fingerprint) {
        reply.state = ReadState::mismatch;
        return reply;
    }
    if (another_request(request, copy.open.request_id)) return reply;
    const bool whole = copy.answer && copy.chunks_count == copy.answer->chunks_count;
    reply.state = whole                     ? ReadState::finished
                  : copy.owner_life == live ? ReadState::running
                                            : ReadState::cut;
    name(reply, copy.open);
    if (whole) reply.answer = std::move(copy.answer);
    reply.chunks_count = copy.chunks_count;
    if (const Status read = read_key_record(store, reply); !read) return read.error();
    if (const Status read = read_chunks(request, copy.chunks_count, store, reply); !read)
        return read.error();
    return reply;
}

AnswerReads::AnswerReads(PeerLink& link, CommitPort& commits, Clock& clock, Live live)
    : commits_(commits), clock_(clock), self_(link.pop()), live_(std::move(live)) {
    link.serve(MessageType::read_request,
               [this](PopId, Bytes payload, const PeerLink::Answer& answer) {
                   const Result<ReadRequest> request = decode_read_request(payload);
                   if (!request) return;
                   ++served_count_;
                   read(*request, [answer](const Result<ReadReply>& reply) {
                       if (reply) answer(encode(*reply));
                   });
               });
}

void AnswerReads::read(const ReadRequest& request, Done done) {
    const std::uint64_t number = ++last_number_;
    Read& read = reads_[number];
    read.request = request;
    read.done = std::move(done);
    const Nanoseconds wait =
        std::min(std::int64_t{request.wait_ms} * millisecond, limits::read_wait_max);
    read.until_ns = clock_.now_ns() + (reads_.size() > limits::reads_held_max ? 0 : wait);
    look(number);
}

void AnswerReads::look(std::uint64_t number) {
    Read& read = reads_.find(number)->second;
    read.looking = true;
    read.again = false;
    read.news_at_look = news_count_;
    const auto reply = std::make_shared<Result<ReadReply>>(ReadReply{});
    const std::int64_t now_ms = clock_.wall_ms();
    const std::optional<std::uint64_t> live = live_(read.request.owner);
    commits_.call(
        [reply, request = read.request, now_ms, live, own = read.request.owner == self_](
            Journal& journal, Store& store, Batch& batch) -> Status {
            *reply = own ? read_own_answer(request, now_ms, journal, store, batch)
                         : read_copied_answer(request, now_ms, live, store);
            return *reply ? Status{} : Status(reply->error());
        },
        [this, number, reply](const Status& status) {
            looked(number, status ? std::move(*reply) : Result<ReadReply>(status.error()));
        },
        CommitPort::Durable::reads);
}

// What is behind is told as if it were still to come.
void AnswerReads::withhold(const ReadRequest& request, ReadReply& reply) const {
    const bool there = reply.state == ReadState::running || reply.state == ReadState::finished;
    if (!shown_most_ || request.owner != self_ || !there) return;
    const std::optional<std::uint32_t> most = shown_most_(reply.request);
    if (!most) return;
    const std::uint32_t shown = std::max(*most, request.from_chunk) - request.from_chunk;
    if (reply.chunks.size() > shown) reply.chunks.resize(shown);
    reply.state = ReadState::running;
    reply.answer.reset();
    reply.chunks_count = request.from_chunk + static_cast<std::uint32_t>(reply.chunks.size());
}

void AnswerReads::looked(std::uint64_t number, Result<ReadReply> reply) {
    Read& read = reads_.find(number)->second;
    read.looking = false;
    if (reply) withhold(read.request, *reply);
    const bool nothing_new = reply && reply->state == ReadState::running && reply->chunks.empty();
    if (!nothing_new || clock_.now_ns() >= read.until_ns) return finish(number, std::move(reply));
    // From here on news find this read; those that came during its first look did not.
    const bool missed = !read.registered && read.news_at_look != news_count_;
    if (!read.registered) {
        read.registered = true;
        read.running = reply->request;
        read.body = reply->body;
        by_body_.emplace(read.body, number);
        by_request_.emplace(read.running, number);
    }
    if (missed || read.again) look(number);
}

void AnswerReads::wake(std::uint64_t number) {
    Read& read = reads_.find(number)->second;
    if (read.looking)
        read.again = true;
    else
        look(number);
}

void AnswerReads::appended(const storage::AppendNews& news) {
    ++news_count_;
    if (by_body_.empty()) return;
    std::vector<std::uint64_t> woken;
    for (const auto& [body, appended] : news.appended) gather(by_body_, body, woken);
    for (const RequestId& request : news.ended) gather(by_request_, request, woken);
    if (news.overflowed)
        for (const auto& [body, number] : by_body_) woken.push_back(number);
    std::sort(woken.begin(), woken.end());
    woken.erase(std::unique(woken.begin(), woken.end()), woken.end());
    for (const std::uint64_t number : woken) wake(number);
}

void AnswerReads::progressed(const RequestId& request) {
    ++news_count_;
    std::vector<std::uint64_t> woken;
    gather(by_request_, request, woken);
    for (const std::uint64_t number : woken) wake(number);
}

void AnswerReads::tick() {
    const Nanoseconds now = clock_.now_ns();
    std::vector<std::uint64_t> late;
    for (const auto& [number, read] : reads_)
        if (!read.looking && read.until_ns <= now) late.push_back(number);
    for (const std::uint64_t number : late) look(number);  // a last look; it is not held again
}

void AnswerReads::finish(std::uint64_t number, Result<ReadReply> reply) {
    const auto found = reads_.find(number);
    if (found->second.registered) {
        const auto erase = [number](auto& index, const auto& id) {
            const auto [first, last] = index.equal_range(id);
            for (auto each = first; each != last; ++each)
                if (each->second == number) return (void)index.erase(each);
        };
        erase(by_body_, found->second.body);
        erase(by_request_, found->second.running);
    }
    const Done done = std::move(found->second.done);
    reads_.erase(found);
    done(std::move(reply));
}

}  // namespace nodex::replication
