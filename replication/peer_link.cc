// PeerLink: see the header.
#include "replication/peer_link.h"

#include "edge/base/log.h"

namespace nodex::replication {
namespace {

std::string subject_of(PopId to, PopId from) {
    return "nx.v1.pop." + std::to_string(raw(to)) + "." + std::to_string(raw(from)) + ".";
}

MessageType reply_type(MessageType type) noexcept {
    return static_cast<MessageType>(raw(type) + 1);
}

Result<std::string> check(Bytes message, const crypto::SecretKey& key, const Envelope& expected) {
    const Result<OpenedMessage> opened = open(message, key);
    if (!opened) return opened.error();
    const Envelope& envelope = opened->envelope;
    if (envelope.type != expected.type || envelope.correlation != expected.correlation ||
        envelope.pop != expected.pop)
        return Error{ErrorCode::malformed, ErrorSource::central};
    return std::string(opened->payload);
}

}  // namespace

PeerLink::PeerLink(Transport& transport, PopLink& link, const PeerRoster& roster,
                   std::uint64_t correlation_from)
    : transport_(transport), link_(link), roster_(roster), last_correlation_(correlation_from) {
    transport_.serve("nx.v1.pop." + std::to_string(raw(link.pop())) + ".>",
                     [this](Bytes subject, Bytes message, const Respond& respond) {
                         handle(subject, message, respond);
                     });
}

bool PeerLink::request(PopId to, Bytes verb, MessageType type, Bytes payload,
                       Nanoseconds timeout_ns, Done done) {
    const crypto::SecretKey* key = roster_.key_of(to);
    if (key == nullptr) return false;
    const std::uint64_t correlation = ++last_correlation_;
    const Envelope envelope{type, link_.pop(), link_.incarnation(), link_.epoch_max(), correlation};
    const Envelope expected{reply_type(type), to, 0, 0, correlation};
    // The key as it was when the request left: the roster may have changed when the reply comes.
    transport_.request(subject_of(to, link_.pop()) + std::string(verb),
                       seal(envelope, payload, *key), timeout_ns,
                       [expected, key = *key, done = std::move(done)](Result<std::string> reply) {
                           done(reply ? check(*reply, key, expected) : std::move(reply));
                       });
    return true;
}

void PeerLink::handle(Bytes subject, Bytes message, const Respond& respond) {
    const std::optional<PopId> sender = claimed_sender(message);
    const crypto::SecretKey* key = sender ? roster_.key_of(*sender) : nullptr;
    if (key == nullptr) {
        ++refused_count_;
        return;
    }
    const Result<OpenedMessage> opened = open(message, *key);
    const bool from_sender = subject.starts_with(subject_of(link_.pop(), *sender));
    const auto handler = opened ? handlers_.find(opened->envelope.type) : handlers_.end();
    if (handler == handlers_.end() || !from_sender) {
        ++refused_count_;
        log::warning("peer_message_refused",
                     {{"pop", raw(*sender)}, {"refused_total", refused_count_}});
        return;
    }
    const Envelope reply{reply_type(opened->envelope.type), link_.pop(), link_.incarnation(),
                         link_.epoch_max(), opened->envelope.correlation};
    handler->second(*sender, opened->payload, [reply, key = *key, respond](Bytes payload) {
        respond(seal(reply, payload, key));
    });
}

}  // namespace nodex::replication
