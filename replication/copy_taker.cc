// CopyTaker: see the header. One write is under way at a time; what arrives meanwhile goes into the
// next one together.
#include "replication/copy_taker.h"

#include <memory>

#include "edge/base/limits.h"

namespace nodex::replication {

using storage::BuddyCopies;

CopyTaker::CopyTaker(PeerLink& link, const PeerRoster& roster, CommitPort& commits, Clock& clock,
                     BuddyCopies::Options options)
    : roster_(roster), commits_(commits), clock_(clock), self_(link.pop()), copies_(options) {
    link.serve(MessageType::copy_request,
               [this](PopId from, Bytes payload, PeerLink::Answer answer) {
                   take(from, payload, std::move(answer));
               });
}

void CopyTaker::start() {
    if (ready_) return;  // registered anew, in a new epoch
    commits_.call([this](storage::Journal&, storage::Store& store,
                         storage::Batch&) -> Status { return copies_.open(store); },
                  [this](const Status& status) { ready_ = status.has_value(); },
                  CommitPort::Durable::later);
}

std::optional<std::uint64_t> CopyTaker::live(PopId owner) const noexcept {
    const auto found = heard_.find(owner);
    if (found == heard_.end()) return std::nullopt;
    if (clock_.now_ns() - found->second.at_ns > limits::copy_sender_silence) return std::nullopt;
    return found->second.life;
}

void CopyTaker::take(PopId from, Bytes payload, PeerLink::Answer answer) {
    Result<CopyRequest> request = decode_copy_request(payload);
    if (!request) return;
    // Its roster may be newer than ours: it sends again what nobody answers.
    if (roster_.buddy_of(from) != self_) {
        ++dropped_count_;
        return;
    }
    heard_[from] = {request->life, clock_.now_ns()};
    if (request->pieces.empty()) return answer(encode(CopyReply{}));
    if (!ready_ || inbox_bytes_ + payload.size() > limits::buddy_inbox_bytes_max) {
        ++dropped_count_;
        return;
    }
    inbox_bytes_ += payload.size();
    inbox_.push_back({from, std::move(*request), std::move(answer)});
    if (!writing_) write();
}

void CopyTaker::write() {
    struct Writing {
        std::vector<Incoming> messages;
        std::vector<BuddyCopies::Outcome> outcomes;  // of all pieces, in order
    };
    const auto writing = std::make_shared<Writing>();
    writing->messages.swap(inbox_);
    inbox_bytes_ = 0;
    writing_ = true;
    commits_.call(
        [this, writing, now_ms = clock_.wall_ms()](storage::Journal&, storage::Store& store,
                                                   storage::Batch& batch) -> Status {
            std::vector<BuddyCopies::Piece> pieces;
            for (const Incoming& message : writing->messages)
                for (const CopyRequest::Piece& piece : message.request.pieces)
                    pieces.push_back({message.from,
                                      message.request.life,
                                      piece.account,
                                      piece.idempotency,
                                      piece.request,
                                      piece.open,
                                      piece.first_chunk,
                                      piece.key_record,
                                      {piece.chunks.begin(), piece.chunks.end()},
                                      piece.answer});
            auto outcomes = copies_.take(pieces, now_ms, store, batch);
            if (!outcomes) return outcomes.error();
            writing->outcomes = std::move(*outcomes);
            return {};
        },
        [this, writing](const Status& status) {
            writing_ = false;
            auto outcome = writing->outcomes.begin();
            for (const Incoming& message : writing->messages) {
                if (!status) break;  // unanswered: the sender keeps what it has
                const auto end =
                    outcome + static_cast<std::ptrdiff_t>(message.request.pieces.size());
                message.answer(encode(CopyReply{{outcome, end}}));
                outcome = end;
            }
            if (!inbox_.empty()) write();
        },
        CommitPort::Durable::later);
}

}  // namespace nodex::replication
