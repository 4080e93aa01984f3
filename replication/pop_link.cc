// PopLink: see the header.
#include "replication/pop_link.h"

namespace nodex::replication {

void PopLink::request(Bytes topic, MessageType type, Bytes payload, Nanoseconds timeout_ns,
                      Done done) {
    const std::uint64_t correlation = ++last_correlation_;
    const Envelope envelope{type, pop_, incarnation_, epoch_max_, correlation};
    const auto expected = static_cast<MessageType>(raw(type) + 1);
    transport_.request(
        "nx.v1.rpc." + std::string(topic), seal(envelope, payload, link_key_), timeout_ns,
        [this, expected, correlation, done = std::move(done)](Result<std::string> reply) {
            done(reply ? check(*reply, expected, correlation) : std::move(reply));
        });
}

Result<std::string> PopLink::check(Bytes message, MessageType expected, std::uint64_t correlation) {
    const Result<OpenedMessage> opened = open(message, link_key_);
    if (!opened) return opened.error();
    const Envelope& envelope = opened->envelope;
    if (envelope.type != expected || envelope.correlation != correlation || envelope.pop != pop_)
        return Error{ErrorCode::malformed, ErrorSource::central};
    if (envelope.epoch < epoch_max_) return Error{ErrorCode::stale, ErrorSource::central};
    epoch_max_ = envelope.epoch;
    last_contact_ns_ = clock_.now_ns();
    return std::string(opened->payload);
}

void PopLink::on_hint(std::function<void(const FeedHint&)> hinted) {
    const std::string subject = "nx.v1.feed." + std::to_string(raw(pop_));
    transport_.subscribe(subject, [this, hinted = std::move(hinted)](Bytes, Bytes message) {
        const Result<OpenedMessage> opened = open(message, link_key_);
        if (!opened || opened->envelope.type != MessageType::feed_hint) return;
        if (opened->envelope.epoch < epoch_max_) return;
        if (const Result<FeedHint> hint = decode_feed_hint(opened->payload)) hinted(*hint);
    });
}

}  // namespace nodex::replication
