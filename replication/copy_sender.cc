// CopySender: see the header.
#include "replication/copy_sender.h"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "edge/base/limits.h"
#include "edge/base/log.h"
#include "storage/keyspace.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds copy_timeout = 3 * second;
constexpr Nanoseconds copy_backoff_first = 100 * millisecond;
constexpr Nanoseconds copy_backoff_max = 2 * second;
constexpr Nanoseconds alive_interval = limits::copy_sender_silence / 5;

}  // namespace

// One message being read together on the commit thread.
struct CopySender::Reading {
    std::vector<Part> parts;
    std::vector<BodyId> bodies;  // of the parts
    CopyRequest message;
    std::uint64_t buddy_changes = 0;
};

void CopySender::set_buddy(PopId buddy) {
    if (buddy == buddy_) return;
    buddy_ = buddy;
    ++buddy_changes_;
    copies_.clear();
    by_body_.clear();
    ready_.clear();
    ready_bytes_ = lag_bytes_ = 0;
    if (buddy_ != PopId{}) look_again();
}

void CopySender::begin(Bytes encoded) {
    const auto open = storage::decode_open_request(encoded);
    if (!open || open->idempotency.is_zero() || copies_.contains(open->request_id)) return;
    if (copies_.size() >= limits::buddy_copies_max) {
        ++dropped_count_;
        return;
    }
    by_body_.emplace(open->answer, open->request_id);
    copies_[open->request_id].open = *open;
}

bool CopySender::has_work(const Copy& copy) noexcept {
    return copy.probe || copy.sent < copy.stored || (copy.answer && !copy.ended);
}

void CopySender::queue(Copy& copy) {
    if (copy.queued || !has_work(copy)) return;
    if (ready_.empty() && backoff_ns_ == 0)
        send_at_ns_ = clock_.now_ns() + (awaited_ ? 0 : limits::buddy_batch_delay);
    copy.queued = true;
    ready_.push_back(copy.open.request_id);
}

void CopySender::appended(const storage::AppendNews& news) {
    if (buddy_ == PopId{}) return;
    for (const std::string& open : news.opened) begin(open);
    for (const auto& [body, appended] : news.appended) {
        const auto found = by_body_.find(body);
        if (found == by_body_.end()) continue;  // a copy that we keep, or one we do not make
        Copy& copy = copies_.find(found->second)->second;
        copy.stored = std::max(copy.stored, appended.chunks_count);
        copy.bytes_here += appended.bytes;
        lag_bytes_ += appended.bytes;
        ready_bytes_ += appended.bytes;
        queue(copy);
    }
    for (const std::string& encoded : news.finished) {
        const auto answer = storage::decode_answer(encoded);
        const auto found = answer ? copies_.find(answer->request_id) : copies_.end();
        if (found == copies_.end()) continue;
        found->second.answer = encoded;
        found->second.stored = answer->chunks_count;
        queue(found->second);
    }
    for (const RequestId& request : news.ended) {
        const auto found = copies_.find(request);
        if (found != copies_.end() && !found->second.answer)
            drop(request, Ending::given_up);  // released
    }
    if (news.overflowed) look_again();
    if (awaited_) pump();
}

// Finds by the store what news did not tell: what runs, and how what we copied has ended.
void CopySender::look_again() {
    if (looking_) return;
    looking_ = true;
    struct Looked {
        std::vector<storage::OpenRequest> copied;
        storage::AppendNews found;
    };
    const auto looked = std::make_shared<Looked>();
    for (const auto& [request, copy] : copies_)
        if (!copy.answer) looked->copied.push_back(copy.open);
    commits_.call(
        [looked](storage::Journal&, storage::Store& store, storage::Batch&) -> Status {
            std::unordered_set<RequestId, storage::RequestIdHash> running;
            const Status scanned =
                store.scan(storage::Family::open, {}, {}, [&](Bytes key, Bytes value) {
                    running.insert(RequestId::from(key));
                    looked->found.opened.emplace_back(value);
                    return true;
                });
            if (!scanned) return scanned;
            for (const storage::OpenRequest& open : looked->copied) {
                if (running.contains(open.request_id)) continue;
                looked->found.ended.push_back(open.request_id);
                auto row = store.get(storage::Family::idem,
                                     storage::idem_key(open.account, open.idempotency).view());
                if (!row) return row.error();
                if (row->has_value()) looked->found.finished.push_back(std::move(**row));
            }
            return {};
        },
        [this, looked](const Status& status) {
            looking_ = false;
            if (!status) return;
            appended(looked->found);
            for (auto& [request, copy] : copies_) {
                copy.probe = !copy.answer;
                queue(copy);
            }
        },
        CommitPort::Durable::reads);
}

void CopySender::tick() {
    if (buddy_ == PopId{}) return;
    pump();
    if (!copies_.empty() && in_flight_ == 0 && clock_.now_ns() >= alive_at_ns_) keep_alive();
}

void CopySender::pump() {
    const bool due = clock_.now_ns() >= send_at_ns_ ||
                     (backoff_ns_ == 0 && ready_bytes_ >= limits::buddy_batch_bytes);
    if (!ready_.empty() && due && !reading_ && in_flight_ < batches_max()) read();
}

unsigned CopySender::batches_max() const {
    const bool gives_way = !awaited_ && urgent_ && urgent_();
    return gives_way ? 1 : limits::buddy_batches_max;
}

// The buddy takes a copy without an end for cut when its owner is silent.
void CopySender::keep_alive() {
    alive_at_ns_ = clock_.now_ns() + alive_interval;
    CopyRequest message;
    message.life = life_;
    (void)link_.request(buddy_, "copy", MessageType::copy_request, encode(message), copy_timeout,
                        [](const Result<std::string>&) {});
}

void CopySender::read() {
    reading_ = true;
    const auto reading = std::make_shared<Reading>();
    reading->buddy_changes = buddy_changes_;
    reading->message.life = life_;
    while (!ready_.empty() && reading->parts.size() < limits::buddy_batch_pieces_max) {
        const RequestId request = ready_.front();
        ready_.pop_front();
        const auto found = copies_.find(request);
        if (found == copies_.end()) continue;
        Copy& copy = found->second;
        copy.queued = false;
        if (!has_work(copy)) continue;
        const std::uint32_t end = copy.probe ? UINT32_MAX : copy.stored;
        reading->parts.push_back(
            {request, copy.sent, end, 0, copy.goes_back, !copy.opened, false, false});
        reading->bodies.push_back(copy.open.answer);
        CopyRequest::Piece piece;
        piece.account = copy.open.account;
        piece.idempotency = copy.open.idempotency;
        piece.request = request;
        piece.first_chunk = copy.sent;
        if (!copy.opened) piece.open = storage::encode(copy.open);
        if (copy.answer) piece.answer = *copy.answer;
        reading->message.pieces.push_back(std::move(piece));
    }
    ready_bytes_ = 0;
    commits_.call([reading](storage::Journal&, storage::Store& store,
                            storage::Batch&) -> Status { return fill(*reading, store); },
                  [this, reading](const Status& status) {
                      reading_ = false;
                      if (status && reading->buddy_changes == buddy_changes_) read_done(*reading);
                  },
                  CommitPort::Durable::reads);
}

Status CopySender::fill(Reading& reading, storage::Store& store) {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < reading.parts.size(); ++i) {
        const Status filled =
            fill_part(reading.parts[i], reading.message.pieces[i], reading.bodies[i], bytes, store);
        if (!filled) return filled;
    }
    return {};
}

Status CopySender::fill_part(Part& part, CopyRequest::Piece& piece, const BodyId& body,
                             std::size_t& bytes, storage::Store& store) {
    std::uint32_t number = part.first;
    for (; number < part.end && bytes < limits::buddy_batch_bytes; ++number) {
        auto chunk = store.get(storage::Family::body, storage::body_key(body, number).view());
        if (!chunk) return chunk.error();
        part.missing = !chunk->has_value();
        if (part.missing) break;
        part.bytes += (*chunk)->size();
        bytes += (*chunk)->size();
        piece.chunks.push_back(std::move(**chunk));
    }
    part.answer = !piece.answer.empty() && number == part.end;
    if (!part.answer) piece.answer.clear();
    part.end = number;
    if (part.first != 0 || piece.chunks.empty()) return {};
    const auto row = store.get(storage::Family::dek, storage::dek_key(body).view());
    if (!row) return row.error();
    if (!row->has_value()) return {};
    const auto key = storage::decode_body_key(**row);
    if (!key) return key.error();
    piece.key_record = std::string(key->key_record);
    return {};
}

// What was read goes out, and counts as sent from here on; what did not fit is next.
void CopySender::read_done(const Reading& reading) {
    std::vector<Part> parts;
    CopyRequest message;
    message.life = life_;
    for (std::size_t i = 0; i < reading.parts.size(); ++i) {
        const Part& part = reading.parts[i];
        const auto found = copies_.find(part.request);
        if (found == copies_.end()) continue;
        if (found->second.goes_back != part.goes_back) {
            queue(found->second);
            continue;
        }
        if (!note_read(part, found->second)) continue;
        parts.push_back(part);
        message.pieces.push_back(reading.message.pieces[i]);
    }
    if (!ready_.empty() && backoff_ns_ == 0) send_at_ns_ = clock_.now_ns();
    if (!parts.empty()) send(std::move(parts), encode(message));
    pump();
}

// Whether there is something of it to send.
bool CopySender::note_read(const Part& part, Copy& copy) {
    if (part.missing && copy.answer) {  // past its retention, or damaged: no whole copy any more
        ++dropped_count_;
        drop(part.request, Ending::given_up);
        return false;
    }
    if (part.missing) copy.probe = false;
    copy.stored = std::max(copy.stored, part.end);
    const bool some = part.end > part.first || part.answer;
    if (some) {
        copy.opened = true;
        copy.sent = part.end;
        copy.ended = copy.ended || part.answer;
    }
    queue(copy);
    return some;
}

void CopySender::send(std::vector<Part> parts, Bytes payload) {
    ++in_flight_;
    alive_at_ns_ = clock_.now_ns() + alive_interval;
    const auto sent = std::make_shared<std::vector<Part>>(std::move(parts));
    const bool known =
        link_.request(buddy_, "copy", MessageType::copy_request, payload, copy_timeout,
                      [this, sent, changes = buddy_changes_](const Result<std::string>& reply) {
                          --in_flight_;
                          if (changes == buddy_changes_) replied(*sent, reply);
                      });
    if (known) return;
    --in_flight_;
    replied(*sent, Error{ErrorCode::unavailable, ErrorSource::central});
}

void CopySender::replied(const std::vector<Part>& parts, const Result<std::string>& payload) {
    const Result<CopyReply> reply =
        payload ? decode_copy_reply(*payload) : Result<CopyReply>(payload.error());
    if (reply && reply->outcomes.size() == parts.size()) {
        backoff_ns_ = 0;
        for (std::size_t i = 0; i < parts.size(); ++i) take(parts[i], reply->outcomes[i]);
        if (awaited_) pump();
        return;
    }
    backoff_ns_ = std::clamp(backoff_ns_ * 2, copy_backoff_first, copy_backoff_max);
    send_at_ns_ = clock_.now_ns() + backoff_ns_;
    for (const Part& part : parts) {
        const auto found = copies_.find(part.request);
        if (found != copies_.end() && found->second.goes_back == part.goes_back)
            go_back(found->second, found->second.acked);
    }
}

void CopySender::take(const Part& part, const storage::BuddyCopies::Outcome& outcome) {
    const auto found = copies_.find(part.request);
    if (found == copies_.end()) return;
    Copy& copy = found->second;
    switch (outcome.verdict) {
        case storage::CopyVerdict::stored:
            acknowledge(copy, std::max(outcome.chunks_count, part.end), part.bytes);
            if (!part.answer) return;
            ++finished_count_;
            return drop(part.request, Ending::whole);
        case storage::CopyVerdict::gap:
            if (copy.goes_back == part.goes_back) go_back(copy, outcome.chunks_count);
            return;
        case storage::CopyVerdict::unknown:
            if (copy.goes_back != part.goes_back) return;
            copy.opened = false;
            return go_back(copy, 0);
        case storage::CopyVerdict::refused:
            ++dropped_count_;
            return drop(part.request, Ending::given_up);
    }
}

void CopySender::acknowledge(Copy& copy, std::uint32_t chunks, std::uint64_t bytes) {
    copy.acked = std::max(copy.acked, chunks);
    const std::uint64_t counted = std::min(bytes, copy.bytes_here - copy.bytes_acked);
    copy.bytes_acked += counted;
    lag_bytes_ -= counted;
    if (progressed_) progressed_(copy.open.request_id, copy.acked, Ending::none);
}

std::optional<std::uint32_t> CopySender::acknowledged(const RequestId& request) const {
    const auto found = copies_.find(request);
    return found == copies_.end() ? std::nullopt : std::optional(found->second.acked);
}

std::optional<std::uint32_t> CopySender::shown_most(const RequestId& request) const {
    const auto found = copies_.find(request);
    if (found == copies_.end() || found->second.alone) return std::nullopt;
    return found->second.acked;
}

void CopySender::show_alone(const RequestId& request) {
    const auto found = copies_.find(request);
    if (found != copies_.end()) found->second.alone = true;
}

void CopySender::go_back(Copy& copy, std::uint32_t to) {
    ++copy.goes_back;
    copy.sent = copy.acked = to;
    copy.ended = false;
    if (to == 0) copy.opened = false;
    queue(copy);
}

void CopySender::drop(const RequestId& request, Ending ending) {
    const auto found = copies_.find(request);
    const RequestId ended = request;  // which may be the copy's own
    const std::uint32_t chunks = found->second.stored;
    lag_bytes_ -= found->second.bytes_here - found->second.bytes_acked;
    by_body_.erase(found->second.open.answer);
    copies_.erase(found);
    if (progressed_) progressed_(ended, chunks, ending);
}

}  // namespace nodex::replication
