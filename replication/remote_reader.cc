// RemoteReader: see the header.
#include "replication/remote_reader.h"

#include <utility>

#include "edge/base/limits.h"

namespace nodex::replication {
namespace {

constexpr Nanoseconds reply_timeout = second;        // beyond the time it may be held
constexpr Nanoseconds silent_interval = 2 * second;  // then the owner is tried again
constexpr Nanoseconds pace = 50 * millisecond;       // of a peer that holds nothing any more
constexpr unsigned timeouts_max = 2;

Error unavailable() noexcept {
    return {ErrorCode::unavailable, ErrorSource::central, true, 0};
}

Result<ReadReply> decode(const Result<std::string>& payload) {
    if (!payload) return payload.error();
    return decode_read_reply(*payload);
}

}  // namespace

void RemoteReader::read(const ReadRequest& request, Done done) {
    ++reads_count_;
    if (asked_.size() >= limits::remote_reads_max) {
        ++failures_count_;
        return done(unavailable(), false);
    }
    const std::uint64_t number = ++last_number_;
    asked_[number] = {request, std::move(done), clock_.now_ns(), 0, false};
    const auto silent = silent_.find(request.owner);
    if (silent != silent_.end() && clock_.now_ns() < silent->second) return ask_copies(number);
    ask_owner(number);
}

void RemoteReader::ask_owner(std::uint64_t number) {
    Asked& asked = asked_.find(number)->second;
    ReadRequest request = asked.request;
    if (asked.timeouts > 0) request.wait_ms = 0;  // is it there at all?
    const Nanoseconds timeout = request.wait_ms * millisecond + reply_timeout;
    const bool known = link_.request(
        request.owner, "read", MessageType::read_request, encode(request), timeout,
        [this, number](const Result<std::string>& payload) { owner_replied(number, payload); });
    if (!known) ask_copies(number);
}

void RemoteReader::owner_replied(std::uint64_t number, const Result<std::string>& payload) {
    const auto found = asked_.find(number);
    if (found == asked_.end()) return;  // stopped
    Result<ReadReply> reply = decode(payload);
    if (reply) {
        silent_.erase(found->second.request.owner);
        return finish(number, std::move(reply));
    }
    const bool timed_out = reply.error().code == ErrorCode::timed_out;
    if (timed_out && ++found->second.timeouts < timeouts_max) return ask_owner(number);
    silent_[found->second.request.owner] = clock_.now_ns() + silent_interval;
    ask_copies(number);
}

void RemoteReader::ask_copies(std::uint64_t number) {
    ++copies_read_count_;
    Asked& asked = asked_.find(number)->second;
    asked.copied = true;
    const ReadRequest& request = asked.request;
    const PopId buddy = roster_.buddy_of(request.owner);
    if (buddy == link_.pop())
        return own_.read(request, [this, number](Result<ReadReply> reply) {
            if (asked_.contains(number)) finish(number, std::move(reply));
        });
    const Nanoseconds timeout = request.wait_ms * millisecond + reply_timeout;
    const bool known = buddy != PopId{} &&
                       link_.request(buddy, "read", MessageType::read_request, encode(request),
                                     timeout, [this, number](const Result<std::string>& payload) {
                                         if (!asked_.contains(number)) return;
                                         Result<ReadReply> reply = decode(payload);
                                         if (!reply) reply = unavailable();
                                         finish(number, std::move(reply));
                                     });
    if (!known) finish(number, unavailable());
}

void RemoteReader::finish(std::uint64_t number, Result<ReadReply> reply) {
    const auto found = asked_.find(number);
    Asked asked = std::move(found->second);
    asked_.erase(found);
    if (!reply) {
        ++failures_count_;
        return asked.done(std::move(reply), asked.copied);
    }
    const bool nothing = reply->state == ReadState::running && reply->chunks.empty();
    const Nanoseconds waited = clock_.now_ns() - asked.asked_ns;
    if (nothing && asked.request.wait_ms > 0 && waited < pace) {
        paced_.push_back(
            {clock_.now_ns() + pace, std::move(asked.done), std::move(*reply), asked.copied});
        return;
    }
    asked.done(std::move(reply), asked.copied);
}

void RemoteReader::is_kept(const ClaimRequest::Entry& entry, const ClaimReply::Entry& word,
                           std::function<void(bool kept)> told) {
    ReadRequest request;
    request.owner = word.owner;
    request.account = entry.account;
    request.idempotency = entry.idempotency;
    request.fingerprint = entry.fingerprint;
    request.request = word.request;
    request.bytes_max = 1;
    read(request, [told = std::move(told)](const Result<ReadReply>& reply, bool copied) {
        if (!reply || reply->state == ReadState::gone) return told(false);
        told(!copied || reply->chunks_count > 0 || reply->answer.has_value());
    });
}

void RemoteReader::tick() {
    const Nanoseconds now = clock_.now_ns();
    while (!paced_.empty() && paced_.front().at_ns <= now) {
        Paced paced = std::move(paced_.front());
        paced_.pop_front();
        paced.done(std::move(paced.reply), paced.copied);
    }
}

void RemoteReader::stop() {
    while (!asked_.empty()) finish(asked_.begin()->first, unavailable());
    while (!paced_.empty()) {
        Paced paced = std::move(paced_.front());
        paced_.pop_front();
        paced.done(unavailable(), paced.copied);
    }
}

}  // namespace nodex::replication
